import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openLatentDecoder } from "../../features/autoencoder/open-decoder.js";
import { openLatentEncoder } from "../../features/autoencoder/open-encoder.js";
import { exportCommand, PUBLISHED, publishedAutoencoder } from "../../features/autoencoder/published.js";
import { maxDifference, randomPicture } from "./images.js";

const canExport = pythonHas("torch", "onnx");
const SIZE = 32;

/** A stand-in for diffusers: an autoencoder of its shapes and member names, which also writes down what it gives for one image. */
const DIFFUSERS = `
import json, torch

class AutoencoderKL(torch.nn.Module):
    @classmethod
    def from_pretrained(cls, name):
        torch.manual_seed(len(name))
        return cls(name)

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.encoder = torch.nn.Conv2d(3, 8, 8, stride=8)
        self.quant_conv = torch.nn.Conv2d(8, 8, 1)
        self.post_quant_conv = torch.nn.Conv2d(4, 4, 1)
        self.decoder = torch.nn.ConvTranspose2d(4, 3, 8, stride=8)

    def eval(self):
        image = torch.tensor(json.load(open("image.json")), dtype=torch.float32).reshape(1, ${SIZE}, ${SIZE}, 3).permute(0, 3, 1, 2)
        with torch.no_grad():
            mean, logvar = self.quant_conv(self.encoder(image / 127.5 - 1)).chunk(2, dim=1)
            std = torch.exp(0.5 * torch.clamp(logvar, -30.0, 20.0))
            decoded = self.decoder(self.post_quant_conv(mean))
            pixels = torch.clamp(255 * (decoded + 1) / 2, 0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        said = {"name": self.name, "moments": torch.cat([mean, std], 1).flatten().tolist(), "pixels": pixels.flatten().tolist()}
        json.dump(said, open("said.json", "w"))
        return super().eval()
`;

import { PYTHON, pythonHas } from "../python.js";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(!canExport)(
  `exported by the line that is given (needs torch and onnx in ${PYTHON}; DESCRY_PYTHON names another)`,
  () => {
    test("sd-vae-ft-mse", async () => {
      const name = "sd-vae-ft-mse";
      const folder = mkdtempSync(join(tmpdir(), "descry-export-"));
      folders.push(folder);
      const image = randomPicture(1, SIZE, SIZE).pixels;
      writeFileSync(join(folder, "image.json"), JSON.stringify([...image]));
      writeFileSync(join(folder, "diffusers.py"), DIFFUSERS);
      writeFileSync(join(folder, "python"), `#!/bin/sh\nexec ${PYTHON} "$@"\n`);
      chmodSync(join(folder, "python"), 0o755);
      const repository = PUBLISHED[name]!;
      const settings = publishedAutoencoder(name);
      const target = settings.encoder.file.replace(/\/encoder\.onnx$/, "");
      const { status, stderr } = spawnSync("sh", ["-c", exportCommand(repository, target)], {
        cwd: folder,
        env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}`, PYTHONPATH: folder },
        encoding: "utf8",
      });
      expect(status, stderr).toBe(0);

      const here = {
        ...settings,
        encoder: { ...settings.encoder, file: join(folder, settings.encoder.file) },
        decoder: { ...settings.decoder, file: join(folder, settings.decoder.file) },
      };
      const said = JSON.parse(readFileSync(join(folder, "said.json"), "utf8")) as Record<
        "moments" | "pixels",
        number[]
      >;
      expect(said).toMatchObject({ name: repository });
      const encode = await openLatentEncoder(here, SIZE);
      const moments = await encode.encode(image, 1);
      expect(encode.shape).toEqual([8, 4, 4]);
      expect(maxDifference(moments, Float32Array.from(said.moments))).toBeLessThan(1e-5);
      const decode = await openLatentDecoder(here, SIZE);
      const pixels = new Uint8Array(SIZE * SIZE * 3);
      await decode.decode(moments.subarray(0, 64), 1, pixels);
      const differences = pixels.map((value, i) => Math.abs(value - said.pixels[i]!));
      // Cut down to whole numbers: the last bits of float32 may fall on either side of one.
      expect(Math.max(...differences)).toBeLessThanOrEqual(1);
      expect(differences.filter((difference) => difference > 0).length).toBeLessThan(10);
      await Promise.all([encode.dispose(), decode.dispose()]);
    });
  },
);
