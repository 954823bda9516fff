import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readNpz } from "../../data/npz.js";
import { randomStream } from "../../data/random.js";
import { type SafeTensor, writeSafetensors } from "../../data/safetensors.js";
import type { LatentDecoder } from "../../features/autoencoder/open-decoder.js";
import { initializeSit, type ParameterValues } from "../../src/models/initialize.js";
import type { SitConfig } from "../../src/models/sit-sizes.js";
import { type SampleArmOptions, sampleArm } from "../../src/sample/sample-arm.js";
import { MODEL } from "../train/tiny-run.js";

const config: SitConfig = { ...MODEL, encoderDepth: 1 };

/** A model that does something: no layer is left at zero. */
const parameters = (scale: number): ParameterValues => {
  const values = initializeSit(config, (name) => randomStream(1, name, 0));
  return Object.fromEntries(
    Object.entries(values).map(([name, { data, shape }]) => {
      const zero = data.every((value) => value === 0);
      const live = zero
        ? randomStream(2, name, 0)
            .normal(data.length)
            .map((n) => scale * n)
        : data;
      return [name, { data: live, shape }];
    }),
  );
};

let folder: string;
let checkpoint: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "descry-sample-"));
  checkpoint = path.join(folder, "checkpoint-0000300.safetensors");
  const tensors: Record<string, SafeTensor> = {};
  for (const [kind, scale] of [
    ["model", 0.1],
    ["ema", 0.3],
  ] as const) {
    for (const [name, value] of Object.entries(parameters(scale)))
      tensors[`${kind}/${name}`] = { dtype: "F32", ...value };
  }
  tensors["ema/projectors.0.projection_layer.weight"] = { dtype: "F32", shape: [1, 16], data: new Float32Array(16) };
  await writeSafetensors(checkpoint, tensors, { step: "300" });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let runs = 0;
const sample = async (overrides: Partial<SampleArmOptions> = {}) => {
  const outFolder = path.join(folder, `run-${runs++}`);
  const record = await sampleArm({
    checkpoint,
    config,
    sampler: "euler",
    steps: 4,
    count: 7,
    batch: 3,
    seed: 5,
    threads: 1,
    outFolder,
    ...overrides,
  });
  const { arr_0 } = await readNpz(path.join(outFolder, "samples.npz"));
  return { record, outFolder, pixels: arr_0!.data as Uint8Array, shape: arr_0!.shape };
};

/** Another batch may move the last bits of float32, and truncation may turn that into one level of a few pixels. */
const expectSame = (a: Uint8Array, b: Uint8Array): void => {
  expect(a.length).toBe(b.length);
  const differences = a.map((value, i) => Math.abs(value - b[i]!));
  expect(Math.max(...differences)).toBeLessThanOrEqual(1);
  expect(differences.filter((difference) => difference > 0).length).toBeLessThan(a.length / 100);
};

describe("sampleArm", () => {
  test("writes samples, sheet and record, and nothing else", async () => {
    const progress: [number, number][] = [];
    const { record, outFolder, pixels, shape } = await sample({ onProgress: (...at) => progress.push(at) });
    expect((await readdir(outFolder)).sort()).toEqual(["samples.json", "samples.npz", "samples.png"]);
    expect(shape).toEqual([7, 8, 8, 3]);
    expect(new Set(pixels).size).toBeGreaterThan(100);
    expect(JSON.parse(await readFile(path.join(outFolder, "samples.json"), "utf8"))).toEqual(record);
    expect(record).toMatchObject({
      checkpoint: "checkpoint-0000300.safetensors",
      step: 300,
      weights: "ema",
      count: 7,
      shape: [7, 8, 8, 3],
      sampler: { name: "euler", steps: 4, guidance: 1, guidanceInterval: [0, 1], seed: 5 },
    });
    expect(JSON.stringify(record)).not.toContain(folder); // no machine's paths in results
    expect(progress.at(-1)).toEqual([7, 7]);
    expect(progress.every(([done], i) => i === 0 || done >= progress[i - 1]![0])).toBe(true);
    const { data, info } = await sharp(path.join(outFolder, "samples.png")).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([28, 28]); // 3 across, 3 down
    expect([...data.subarray(0, 24)]).toEqual([...pixels.subarray(0, 24)]); // first row of the first sample
  });

  test.each(["euler", "heun", "sde"] as const)("%s: samples do not depend on batch size or count", async (sampler) => {
    const seven = await sample({ sampler, guidance: 2, guidanceInterval: [0.3, 1] });
    const alone = await sample({ sampler, guidance: 2, guidanceInterval: [0.3, 1], batch: 1, count: 5 });
    const whole = await sample({ sampler, guidance: 2, guidanceInterval: [0.3, 1], batch: 100 });
    expectSame(alone.pixels, seven.pixels.subarray(0, alone.pixels.length));
    expectSame(whole.pixels, seven.pixels);
  });

  test("the same call gives the same bytes; another seed, sampler or set of weights does not", async () => {
    const { pixels } = await sample();
    expect((await sample()).pixels).toEqual(pixels);
    for (const other of [
      { seed: 6 },
      { sampler: "sde" },
      { weights: "model" },
      { classes: 1 },
      { guidance: 3 },
    ] as const) {
      expect((await sample(other)).pixels, JSON.stringify(other)).not.toEqual(pixels);
    }
  });

  test("compiled and eager networks agree, and so do a checkpoint and its parameters", async () => {
    const { pixels } = await sample({ count: 2 });
    expectSame((await sample({ count: 2, device: "tfjs-cpu" })).pixels, pixels);
    expect((await sample({ count: 2, checkpoint: parameters(0.3) })).pixels).toEqual(pixels);
  });

  test("the untrained model returns its noise", async () => {
    const untrained = initializeSit(config, (name) => randomStream(1, name, 0));
    const { pixels, record } = await sample({ checkpoint: untrained, count: 2 });
    const noise = randomStream(5, "sample/noise", 1).normal(192); // sample 1
    const want = Math.trunc(Math.min(255, Math.max(0, (255 * (noise[64 + 10]! + 1)) / 2))); // channel 1, row 1, column 2
    expect(pixels[192 + (8 * 1 + 2) * 3 + 1]).toBe(want);
    expect(record).toMatchObject({ checkpoint: null, step: null });
  });

  test("latents are scaled back and decoded in batches, and the record says how", async () => {
    // The untrained model returns its noise; this decoder makes a pixel of 2×2 of each latent, 255·(z + 1)/2.
    const untrained = initializeSit(config, (name) => randomStream(1, name, 0));
    const calls: number[] = [];
    const network: LatentDecoder = {
      sizePx: 16,
      sha256: "abc",
      async decode(latents, count, out) {
        calls.push(count);
        expect(latents).toHaveLength(count * 192);
        for (let i = 0; i < out.length; i++) {
          const [k, y, x, c] = [Math.floor(i / 768), Math.floor(i / 48) % 16, Math.floor(i / 3) % 16, i % 3];
          out[i] = Math.min(255, Math.max(0, 127.5 * (latents[k * 192 + c * 64 + (y >> 1) * 8 + (x >> 1)]! + 1)));
        }
      },
      dispose: async () => {},
    };
    const scaling = { scale: [2, 4, 8], bias: [0, 0.25, -0.5] };
    const { pixels, shape, record, outFolder } = await sample({
      checkpoint: untrained,
      decoder: { name: "tiny", network, scaling },
    });
    expect(calls).toEqual([3, 3, 1]);
    expect(shape).toEqual([7, 16, 16, 3]);
    const noise = randomStream(5, "sample/noise", 4).normal(192);
    for (const [c, y, x] of [
      [0, 0, 0],
      [1, 3, 6],
      [2, 7, 7],
    ] as const) {
      const z = noise[c * 64 + y * 8 + x]! / scaling.scale[c]! + scaling.bias[c]!;
      const wanted = Math.trunc(Math.min(255, Math.max(0, 127.5 * (z + 1))));
      expect(pixels[4 * 768 + (2 * y * 16 + 2 * x) * 3 + c]).toBe(wanted);
    }
    expect(record.decoder).toEqual({ autoencoder: "tiny", sha256: "abc", ...scaling });
    const { width } = await sharp(path.join(outFolder, "samples.png")).metadata();
    expect(width).toBe(3 * 16 + 2 * 2);
  });

  test.each([
    ["a missing file", { checkpoint: "nowhere.safetensors" }, "DataError", "nowhere.safetensors"],
    ["no samples", { count: 0 }, "ConfigError", "count must be a whole number of at least 1, got 0"],
    ["too many classes", { classes: 4 }, "ConfigError", "4 classes are asked for, the model has 3"],
    ["latents", { config: { ...config, channels: 4 } }, "UnsupportedError", "3 channels"],
    ["another depth", { config: { ...config, depth: 3 } }, "ShapeError", "blocks.2.attn.qkv.weight is missing"],
    ["another width", { config: { ...config, width: 32 } }, "ShapeError", "must have the shape [1,4,32], got [1,4,16]"],
    ["a wrong sampler", { steps: 0 }, "ConfigError", "steps must be"],
  ] as [string, Partial<SampleArmOptions>, string, string][])("refuses %s", async (_, overrides, tag, message) => {
    const error = await sample(overrides).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    expect(error).toMatchObject({ tag });
    expect((error as Error).message).toContain(message);
  });

  test("a diverged model is refused by the sample's number, and leaves no record", async () => {
    const broken = parameters(0.3);
    broken["x_embedder.proj.bias"]!.data[0] = Number.NaN;
    const outFolder = path.join(folder, "diverged");
    await expect(sample({ checkpoint: broken, outFolder })).rejects.toThrow("sample 0 is not finite");
    expect(await readdir(outFolder)).toEqual([]);
  });

  test("a checkpoint without the wanted weights is refused", async () => {
    const file = path.join(folder, "raw.safetensors");
    await writeSafetensors(file, { "model/pos_embed": { dtype: "F32", shape: [1], data: new Float32Array(1) } });
    await expect(sample({ checkpoint: file })).rejects.toThrow("raw.safetensors: holds no ema weights");
  });
});
