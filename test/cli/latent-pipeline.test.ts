/**
 * @file The whole way in latent space at a tiny size, through the real program and an autoencoder whose latents can be computed by
 * hand: images → moments → training on draws of them → decoded samples → evaluation → report; killed and continued: the same bytes.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { readNpz } from "../../data/npz.js";
import { randomStream } from "../../data/random.js";
import { openRowStore } from "../../data/row-store.js";
import { tinyLatentDecoder, writeTinyAutoencoder } from "../features/tiny-autoencoder.js";
import { ROOT, temporaryFolder } from "./run-cli.js";
import { type Spawned, spawnCli } from "./spawn-cli.js";

const experiment = (autoencoder: string) => `name: tiny
data: { source: photos, count: 18, sizePx: 16, variants: 3 }
model: { space: latent, width: 32, depth: 2, heads: 2, patch: 2 }
latents: { autoencoder: "${autoencoder}", scale: data }
align: { depth: 1, projectorWidth: 16 }
train: { steps: 3, batch: 4, checkpointEvery: 1, threads: 1 }
sample: { steps: 2, count: 8, batch: 3 }
evaluate: { inceptionSplits: 2, referenceCount: 6 }
arms:
  - { name: control }
  - { name: aligned, target: sift, projector: conv, spatialNorm: 0.6 }
`;

/** Run the program; with `until`, kill it when it has said that. */
function descry(argv: readonly string[], cwd: string, until?: RegExp): Promise<Spawned> {
  const { child, ended } = spawnCli(argv, cwd);
  let said = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (until?.test(said)) child.kill("SIGKILL");
  });
  return ended;
}

function newProject(): string {
  const folder = temporaryFolder();
  // Named from the working folder, so that the name, and with it the run, is the same in every project.
  const name = writeTinyAutoencoder(folder).replaceAll(`${folder}/`, "");
  writeFileSync(path.join(folder, "tiny.yaml"), experiment(name));
  return folder;
}

const runFolder = (project: string) => path.join(project, "runs", readdirSync(path.join(project, "runs"))[0]!);
const readJson = (...parts: string[]) => JSON.parse(readFileSync(path.join(...parts), "utf8"));
const checkpoint = (project: string, arm: string) =>
  readFileSync(path.join(runFolder(project), "arms", arm, "checkpoint-0000003.safetensors"));

describe("the pipeline in latent space", () => {
  let project: string;
  let first: Spawned;

  beforeAll(async () => {
    if (!existsSync(path.join(ROOT, "dist", "src", "cli", "bin.js"))) throw new Error("not built: npm run build");
    project = newProject();
    first = await descry(["run", "tiny.yaml"], project);
  });

  test("one command leaves decoded samples, numbers and a report that says what the latents are", async () => {
    expect(first.stderr).not.toMatch(/^descry: /m);
    expect(first.code).toBe(0);
    const run = runFolder(project);
    for (const arm of ["control", "aligned"]) {
      const { arr_0 } = await readNpz(path.join(run, "arms", arm, "samples.npz"));
      expect(arr_0).toMatchObject({ dtype: "|u1", shape: [8, 16, 16, 3] });
      // The decoder makes squares of 2×2 pixels.
      const { data } = arr_0!;
      for (let at = 0; at < 48; at++) expect(data[at]).toBe(data[48 + at]);
      const record = readJson(run, "arms", arm, "samples.json");
      expect(record.decoder.autoencoder).toMatch(/^onnx:encoder\.onnx#moments\?decoder=decoder\.onnx&/);
      const { metrics, floor } = readJson(run, "arms", arm, "evaluation.json");
      expect(metrics.frechet_distance).toBeGreaterThan(0);
      expect(floor.frechet_distance).toBeGreaterThan(0);
    }
    const report = readFileSync(path.join(run, "report.html"), "utf8");
    const { latents } = readJson(run, "features.json");
    for (const said of [latents.encoderSha256, latents.decoderSha256, "means and standard deviations", "3 variants"]) {
      expect(report).toContain(said);
    }
    expect(report).toMatch(/\d\d\.\d\d dB \(PSNR, mean over 18 images\)/);
  });

  test("cached are the moments of every variant; of the pixels only what the evaluation needs", async () => {
    const { latents, images, grid } = readJson(runFolder(project), "features.json");
    expect(grid).toBe(4);
    const [moments, pixels] = [
      await openRowStore(path.resolve(project, latents.folder)),
      await openRowStore(path.resolve(project, images.folder)),
    ];
    expect([moments.header.rows, pixels.header.rows]).toEqual([54, 14]); // 6 of the reference, and as many others as samples
    expect(moments.header.columns["latent"]).toEqual({ dtype: "F16", shape: [6, 8, 8] });
    const seed = readJson(runFolder(project), "experiment.json").experiment.seed;
    const compared = randomStream(seed, "evaluate/reference", 0).permutation(18).slice(0, 14).sort();
    const [latent, image] = [await moments.read("latent", [compared[5]!]), await pixels.read("image", [5])];
    // Place (0, 0) of the red channel: the mean of four pixels; half precision keeps three digits.
    const mean = [0, 3, 48, 51].reduce((sum, at) => sum + image[at]! / 127.5 - 1, 0) / 4;
    expect(latent[0]).toBeCloseTo(mean, 2);
    expect(latent[192]).toBeCloseTo(Math.exp((2 * mean - 3) / 2), 2);
    await Promise.all([moments.close(), pixels.close()]);
  });

  test("scale: data makes the latents standard", async () => {
    const { latents } = readJson(runFolder(project), "features.json");
    expect(latents.scale).toHaveLength(3);
    const store = await openRowStore(path.resolve(project, latents.folder));
    const values = await store.read(
      "latent",
      Array.from({ length: 54 }, (_, row) => row),
    );
    await store.close();
    for (let c = 0; c < 3; c++) {
      let [sum, squares] = [0, 0];
      for (let row = 0; row < 54; row++) {
        for (let p = 0; p < 64; p++) {
          const at = row * 384 + c * 64 + p;
          const mean = (values[at]! - latents.bias[c]) * latents.scale[c];
          sum += mean;
          squares += mean ** 2 + (values[at + 192]! * latents.scale[c]) ** 2;
        }
      }
      expect(sum / 3456).toBeCloseTo(0, 6);
      expect(squares / 3456).toBeCloseTo(1, 6);
    }
  });

  test("exported are the latents and not the few pixels beside them, whose rows are other images", async () => {
    expect(await descry(["export", "tiny.yaml", "--out", "out"], project)).toMatchObject({ code: 0 });
    const out = path.join(project, "out");
    const { length, stores } = readJson(out, "export.json");
    expect(length).toBe(18);
    expect(Object.keys(stores)).toEqual(["latents", "targets/sift"]);
    for (const { rows } of Object.values<{ rows: number }>(stores)) expect(rows).toBe(54);
    expect(stores.latents.scale).toEqual(readJson(runFolder(project), "features.json").latents.scale);
    expect(existsSync(path.join(out, "images"))).toBe(false);
    const readme = readFileSync(path.join(out, "README.md"), "utf8");
    expect(readme).toMatch(/^\| latents, features of targets +\| `STORE\/shard/m);
    expect(readme).toContain("no pixels");
  });

  test("the same command again skips everything", async () => {
    const again = await descry(["run", "tiny.yaml", "--json"], project);
    const { steps } = JSON.parse(again.stdout) as { steps: Record<string, { name: string; state: string }[]> };
    expect(steps["features"]!.map(({ name }) => name)).toEqual(["images", "latents", "sift"]);
    expect(Object.values(steps).flatMap((outcomes) => outcomes.map(({ state }) => state))).not.toContain("done");
  });

  test("killed while it trains and continued, the weights are the same to the bit", async () => {
    const other = newProject();
    const killed = await descry(["run", "tiny.yaml"], other, /^train +control +3 steps/m);
    expect(killed.signal).toBe("SIGKILL");
    expect((await descry(["run", "tiny.yaml"], other)).code).toBe(0);
    for (const arm of ["control", "aligned"]) {
      expect(checkpoint(other, arm).equals(checkpoint(project, arm)), arm).toBe(true);
    }
  });

  test("evaluated along training by more samples than at the end, the pixels of as many real images are cached", async () => {
    const other = newProject();
    const along = ["--set", "evaluate.every=1", "--set", "evaluate.everyCount=10", "--set", "arms=[{ name: control }]"];
    const { code, stderr } = await descry(["run", "tiny.yaml", ...along], other);
    expect(stderr).not.toMatch(/^descry: /m);
    expect(code).toBe(0);
    const { folder } = readJson(runFolder(other), "features.json").images;
    const pixels = await openRowStore(path.resolve(other, folder));
    expect(pixels.header.rows).toBe(16);
    await pixels.close();
    const evaluation = readJson(runFolder(other), "arms", "control", "along", "0000001", "evaluation.json");
    expect(evaluation).toMatchObject({ samples: 10, reference: 6, floor: { kid: expect.any(Number) } });
    // Intervals are of the end.
    expect(evaluation.influence).toBe(null);
    expect(readJson(runFolder(other), "arms", "control", "evaluation.json").influence).not.toBe(null);
    const { maps } = readJson(runFolder(other), "arms", "control", "film", "film.json");
    const compared = randomStream(0, "evaluate/reference", 0).permutation(18).slice(0, 16);
    expect([...compared]).toEqual(expect.arrayContaining(maps.images));
  });

  test("another scale is another run with the same cache; its weights differ", async () => {
    const other = newProject();
    const scaled = ["tiny.yaml", "--set", "latents.scale=0.5", "--set", "latents.bias=[0, 0.1, 0.2]"];
    expect((await descry(["features", ...scaled], other)).code).toBe(0);
    expect((await descry(["train", ...scaled, "--arm", "control"], other)).code).toBe(0);
    const { latents } = readJson(runFolder(other), "features.json");
    expect([latents.scale, latents.bias]).toEqual([
      [0.5, 0.5, 0.5],
      [0, 0.1, 0.2],
    ]);
    expect(latents.key).toBe(readJson(runFolder(project), "features.json").latents.key);
    expect(checkpoint(other, "control").equals(checkpoint(project, "control"))).toBe(false);
  });

  test("what is wrong with the autoencoder is said before anything is cached; another decoder is not taken later", async () => {
    const other = newProject();
    const name = "onnx:encoder.onnx#moments?decoder=decoder.onnx&latents=mean+logvar&pixels=-1..1";
    const cases: [string, RegExp][] = [
      [
        `${name}&channels=4&downsampling=2`,
        /tensor "moments" has 6 channels, want 8 \(latents=mean\+logvar of channels=4\)/,
      ],
      [
        "sd-vae-ft-mse",
        /encoder\.onnx is not here, and there is no ONNX export to download — make one: mkdir -p .* python -c/,
      ],
    ];
    for (const [autoencoder, message] of cases) {
      const { code, stderr } = await descry(
        ["run", "tiny.yaml", "--set", `latents.autoencoder=${autoencoder}`, "--set", "model.patch=1"],
        other,
      );
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/^features/m);
      expect(code, autoencoder).toBe(2);
    }
    rmSync(path.join(other, "runs"), { recursive: true });
    expect((await descry(["features", "tiny.yaml"], other)).code).toBe(0);
    expect((await descry(["train", "tiny.yaml", "--arm", "control"], other)).code).toBe(0);
    writeFileSync(path.join(other, "decoder.onnx"), tinyLatentDecoder({ batch: 1 }));
    const { code, stderr } = await descry(["sample", "tiny.yaml", "--arm", "control"], other);
    expect(stderr).toMatch(
      /^descry: decoder\.onnx: is not the decoder that was there when the latents were cached — [^\n]+\n$/m,
    );
    expect(code).toBe(2);
  });
});
