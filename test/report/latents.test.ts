import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { readRun } from "../../src/report/read-run.js";
import { renderReport } from "../../src/report/render-page.js";
import { findAll, parseHtml, textOf } from "./check-html.js";
import { writeRun } from "./fixture.js";

const LATENTS = {
  format: 1,
  autoencoder: "onnx:e.onnx#z?decoder=d.onnx&latents=mean+logvar&pixels=-1..1&channels=4",
  encoderSha256: "0123abcd",
  decoderSha256: "4567ef01",
  cached: "moments",
  dtype: "F16",
  channels: 4,
  sizePx: 32,
  imagePx: 256,
  variants: 4,
  scale: [0.18215, 0.18215, 0.18215, 0.18215],
  bias: [0.5, -0.25, 0, 1.5],
  isMeasured: false,
  reconstruction: { images: 64, psnr: 28.6543, mse: 88.123 },
  pictures: [{ index: 3, id: "cat/a.jpg", original: "image-3.png", decoded: "decoded-3.png" }],
};

async function writeLatents(run: string, latents: object): Promise<void> {
  mkdirSync(path.join(run, "latents"));
  writeFileSync(path.join(run, "latents", "latents.json"), JSON.stringify(latents));
  for (const [name, background] of [
    ["image-3.png", "#f00"],
    ["decoded-3.png", "#e00"],
  ] as const) {
    await sharp({ create: { width: 16, height: 16, channels: 3, background } }).toFile(path.join(run, "latents", name));
  }
}

test("a run in latent space says which autoencoder, what is cached, how it is scaled and what is kept", async () => {
  const folder = await writeRun();
  await writeLatents(folder, LATENTS);
  const root = parseHtml(await renderReport([await readRun(folder)]));
  const section = findAll(root, "section").find(({ attributes }) => attributes["aria-labelledby"] === "latents")!;
  const text = textOf(section);
  for (const said of [
    LATENTS.autoencoder,
    "0123abcd",
    "4567ef01",
    "4 channels of 32×32, of images of 256×256 pixels",
    "means and standard deviations; each training step draws z = mean + std · noise anew; F16; 4 variants of each image",
    "Scale0.18215, in all channels",
    "Bias0.5, -0.25, 0, 1.5",
    "28.65 dB (PSNR, mean over 64 images)",
  ]) {
    expect(text).toContain(said);
  }
  expect(findAll(section, "img").map(({ attributes }) => attributes["alt"])).toEqual([
    "Image cat/a.jpg",
    "Image cat/a.jpg, encoded and decoded",
  ]);
});

test("a run in pixel space has no such section; a damaged record is named", async () => {
  const folder = await writeRun();
  expect(await renderReport([await readRun(folder)])).not.toContain('id="latents"');
  await writeLatents(folder, { ...LATENTS, cached: "samples" });
  await expect(readRun(folder)).rejects.toThrow(/latents\.json: cached: .* — cache anew: descry features RUN --again/);
});
