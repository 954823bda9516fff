import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFile, mkdtemp, open, readdir, readFile, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RowStore } from "../../data/row-store.js";
import { readSafetensors } from "../../data/safetensors.js";
import type { StepMetrics } from "../../src/train/metrics-log.js";
import { trainArm } from "../../src/train/train-arm.js";
import { whyNoWebGpu } from "../compile/webgpu.js";
import { spread } from "./tensors.js";
import { DIM, featureStore, LENGTH, MODEL, memoryStore, OPTIONS, TOKENS, tinyArm, tinyControl } from "./tiny-run.js";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "descry-train-"));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const newest = "checkpoint-0000007.safetensors";
const log = async (folder: string): Promise<Omit<StepMetrics, "seconds">[]> =>
  (await readFile(join(folder, "metrics.jsonl"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => {
      const { seconds, ...metrics } = JSON.parse(line) as StepMetrics;
      expect(seconds).toBeGreaterThan(0);
      return metrics;
    });
const hashes = async (folder: string): Promise<Record<string, string>> => {
  const names = (await readdir(folder)).sort();
  const digest = async (name: string) =>
    createHash("sha256")
      .update(await readFile(join(folder, name)))
      .digest("hex");
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await digest(name)] as const)));
};
/** Stops after a number of steps. */
const stopAfter = (steps: number) => {
  const controller = new AbortController();
  const onStep = ({ step }: StepMetrics) => {
    if (step === steps) controller.abort();
  };
  return { signal: controller.signal, onStep };
};

test("a run leaves its log and its two newest checkpoints, with the reference's names", async () => {
  const folder = join(home, "run");
  const reported: number[] = [];
  const result = await trainArm(
    tinyArm(folder, {
      onCheckpoint: (_, step) => {
        reported.push(step);
      },
    }),
  );
  expect(result).toEqual({ step: 7, finished: true, checkpoint: join(folder, newest), resumedFrom: 0 });
  expect(reported).toEqual([3, 6, 7]);
  expect((await readdir(folder)).sort()).toEqual(["checkpoint-0000006.safetensors", newest, "metrics.jsonl"]);

  const lines = await log(folder);
  expect(lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  for (const { loss, denoising_loss, alignment_loss } of lines) {
    expect(loss).toBeCloseTo(denoising_loss + 0.5 * alignment_loss!, 5);
    expect(Math.abs(alignment_loss!)).toBeLessThanOrEqual(1);
  }

  const { tensors, metadata } = await readSafetensors(join(folder, newest));
  expect(metadata).toMatchObject({ format: "descry-checkpoint", step: "7", configHash: "abc" });
  expect(JSON.parse(metadata["config"]!)).toMatchObject({ model: MODEL, coefficient: 0.5 });
  expect(tensors["model/blocks.1.attn.qkv.weight"]?.shape).toEqual([48, 16]);
  expect(tensors["ema/projectors.0.projection_layer.4.bias"]?.shape).toEqual([DIM]);
  expect(tensors["opt/m/pos_embed"]).toBeUndefined(); // frozen
  expect(tensors["ema/pos_embed"]!.data).toEqual(tensors["model/pos_embed"]!.data);
});

test("logEvery thins the log and keeps the last step", async () => {
  await trainArm(tinyArm(home, { options: { ...OPTIONS, logEvery: 3 } }));
  expect((await log(home)).map(({ step }) => step)).toEqual([3, 6, 7]);
});

test("stopped between checkpoints and resumed, a run ends with the same bytes", async () => {
  const [whole, halves] = [join(home, "whole"), join(home, "halves")];
  await trainArm(tinyArm(whole));
  const stopped = await trainArm(tinyArm(halves, stopAfter(4)));
  expect(stopped).toMatchObject({ step: 4, finished: false });
  const resumed = await trainArm(tinyArm(halves, { resume: true }));
  expect(resumed).toMatchObject({ step: 7, finished: true, resumedFrom: 4 });
  expect((await hashes(halves))[newest]).toBe((await hashes(whole))[newest]);
  expect(await log(halves)).toEqual(await log(whole));
  // And nothing is left to do.
  const before = await hashes(halves);
  expect(await trainArm(tinyArm(halves, { resume: true }))).toMatchObject({ finished: true, resumedFrom: 7 });
  expect(await hashes(halves)).toEqual(before);
});

test("in latent space: stopped and resumed, a run ends with the same bytes; another scaling, with others", async () => {
  const { sizePx: S, channels: C } = MODEL;
  const images = memoryStore({
    latent: { shape: [2 * C, S, S], dtype: "F32", data: spread(2 * LENGTH * 2 * C * S * S, 4) },
    label: { shape: [], dtype: "I32", data: new Int32Array(2 * LENGTH) },
  });
  const latents = { scale: [1, 2, 0.5], bias: [0, 0.5, 0] };
  const [whole, halves, other] = [join(home, "whole"), join(home, "halves"), join(home, "other")];
  await trainArm(tinyArm(whole, { images, latents }));
  await trainArm(tinyArm(halves, { ...stopAfter(4), images, latents }));
  expect(await trainArm(tinyArm(halves, { resume: true, images, latents }))).toMatchObject({ resumedFrom: 4 });
  expect((await hashes(halves))[newest]).toBe((await hashes(whole))[newest]);
  const { metadata } = await readSafetensors(join(whole, newest));
  expect(JSON.parse(metadata["config"]!).latents).toEqual(latents);
  await trainArm(tinyArm(other, { images, latents: { ...latents, bias: [0, 0.5, 0.1] } }));
  expect((await hashes(other))[newest]).not.toBe((await hashes(whole))[newest]);
});

test("killed with SIGKILL and resumed, a run ends with the same bytes", async () => {
  const [whole, killed] = [join(home, "whole"), join(home, "killed")];
  await trainArm(tinyArm(whole));
  const script = fileURLToPath(new URL("killed-run.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, killed], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let complaints = "";
  child.stderr.on("data", (text) => {
    complaints += text;
  });
  child.stdout.on("data", (text) => {
    said += text;
    if (said.includes("step 5")) child.kill("SIGKILL");
  });
  const signal = await new Promise((resolve) => child.on("close", (_, name) => resolve(name)));
  expect(signal, complaints).toBe("SIGKILL");
  // What it wrote after the checkpoint of step 3 is cut off, a torn line included.
  await appendFile(join(killed, "metrics.jsonl"), '{"step":6,"lo');
  const resumed = await trainArm(tinyArm(killed, { resume: true }));
  expect(resumed).toMatchObject({ finished: true, resumedFrom: 3 });
  expect((await hashes(killed))[newest]).toBe((await hashes(whole))[newest]);
  expect(await log(killed)).toEqual(await log(whole));
});

test("what is logged and when it is saved changes no result", async () => {
  const [a, b] = [join(home, "a"), join(home, "b")];
  await trainArm(tinyArm(a));
  await trainArm(tinyArm(b, { options: { ...OPTIONS, logEvery: 5, checkpointEvery: 2 } }));
  expect((await hashes(a))[newest]).toBe((await hashes(b))[newest]);
});

test("arms share weights, batches, noise and times: the first denoising loss is the control's", async () => {
  const first = async (name: string, options: ReturnType<typeof tinyArm>) => {
    await trainArm({ ...options, folder: join(home, name), options: { ...OPTIONS, steps: 1 } });
    return (await log(join(home, name)))[0]!;
  };
  const control = await first("control", tinyControl(""));
  const mlp = await first("mlp", tinyArm(""));
  const conv = await first("conv", tinyArm("", { projector: { type: "conv", kernel: 3 } }));
  expect(control.alignment_loss).toBeUndefined();
  expect(control.loss).toBe(control.denoising_loss);
  expect(mlp.denoising_loss).toBe(control.denoising_loss);
  expect(conv.denoising_loss).toBe(control.denoising_loss);
  expect(mlp.alignment_loss).not.toBe(conv.alignment_loss);
  // Another seed is another run.
  expect((await first("seed", tinyControl("", { seed: 4 }))).denoising_loss).not.toBe(control.denoising_loss);
});

test("an existing run is neither overwritten nor resumed under other settings", async () => {
  await trainArm(tinyArm(home, stopAfter(1)));
  const before = await hashes(home);
  await expect(trainArm(tinyArm(home))).rejects.toMatchObject({
    tag: "UsageError",
    message: `${home}: there is a training run in this folder already — resume it, or choose or empty a folder for a new run`,
  });
  await expect(trainArm(tinyArm(home, { resume: true, configHash: "xyz" }))).rejects.toMatchObject({
    tag: "UsageError",
    message: expect.stringContaining("was made with other settings (hash abc, now xyz)"),
  });
  expect(await hashes(home)).toEqual(before);
});

test("a flipped bit in the newest checkpoint is found; without it the run goes on from the one before", async () => {
  const [whole, hurt] = [join(home, "whole"), join(home, "hurt")];
  await trainArm(tinyArm(whole));
  await trainArm(tinyArm(hurt, { options: { ...OPTIONS, steps: 6 } }));
  const path = join(hurt, "checkpoint-0000006.safetensors");
  const file = await open(path, "r+");
  const { size } = await file.stat();
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, size - 1000);
  await file.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, size - 1000);
  await file.close();
  await expect(trainArm(tinyArm(hurt, { resume: true }))).rejects.toMatchObject({
    tag: "DataError",
    message:
      `${path}: the checkpoint is damaged: its tensors are not those that were written — ` +
      `remove this file and resume again, to go on from step 3 (${join(hurt, "checkpoint-0000003.safetensors")})`,
  });
  await unlink(path);
  expect(await trainArm(tinyArm(hurt, { resume: true }))).toMatchObject({ resumedFrom: 3, finished: true });
  expect((await hashes(hurt))[newest]).toBe((await hashes(whole))[newest]);
  expect(await log(hurt)).toEqual(await log(whole));
});

test("a checkpoint that was cut short is named, with the way on", async () => {
  await trainArm(tinyArm(home, stopAfter(2)));
  const path = join(home, "checkpoint-0000002.safetensors");
  const file = await open(path, "r+");
  await file.truncate(1234);
  await file.close();
  await expect(trainArm(tinyArm(home, { resume: true }))).rejects.toMatchObject({
    tag: "DataError",
    message: expect.stringMatching(
      /checkpoint-0000002\.safetensors: .* — remove this file and resume again, to start from the first step$/,
    ),
  });
});

test.skipIf(whyNoWebGpu !== "")(
  `on webgpu metrics come home every logEvery steps, and a NaN is found at its own step ${whyNoWebGpu}`,
  async () => {
    const [cpu, gpu] = [join(home, "cpu"), join(home, "gpu")];
    const changes = { model: { ...MODEL, depth: 1 }, options: { ...OPTIONS, logEvery: 3, checkpointEvery: 7 } };
    await trainArm(tinyArm(cpu, changes));
    const features = featureStore();
    let reads = 0;
    const store: RowStore = {
      ...features,
      read: async (name, rows) => {
        const data = await features.read(name, rows);
        // The batch of step 5, when it is read ahead and when it is looked at again.
        if (++reads === 5 || reads > 7) data.fill(Number.NaN);
        return data;
      },
    };
    const told: { step: number; at: number }[] = [];
    const onStep = ({ step }: StepMetrics) => told.push({ step, at: performance.now() });
    const target = { store, dim: DIM, spatialNorm: 0.6, coefficient: 0.5 };
    await expect(trainArm(tinyArm(gpu, { ...changes, device: "webgpu", target, onStep }))).rejects.toThrow(
      "step 5: the loss is NaN; the first tensor that is not finite is input target/0 (NaN at 0) — mend the data",
    );
    // Steps 1 to 3 are told at once, then 4 to 6: nothing is waited for in between.
    expect(told.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    const gap = (step: number) => told[step - 1]!.at - told[step - 2]!.at;
    expect(Math.max(gap(2), gap(3))).toBeLessThan(gap(4) / 2);
    const [want, got] = [(await log(cpu))[0]!, await log(gpu)];
    expect(got.map(({ step }) => step)).toEqual([3]);
    expect(Math.abs(got[0]!.loss - want.loss)).toBeLessThan(1e-3);
    expect(Math.abs(got[0]!.grad_norm! - want.grad_norm!)).toBeLessThan(1e-3 * want.grad_norm!);
    expect(await readdir(gpu)).toEqual(["metrics.jsonl"]);
  },
);

test("a NaN in the features stops the run, names step and tensor, and leaves the files alone", async () => {
  const data = (
    await featureStore().read(
      "features",
      Array.from({ length: 2 * LENGTH }, (_, i) => i),
    )
  ).slice();
  await trainArm(tinyArm(home, stopAfter(2)));
  const before = await hashes(home);
  const store = memoryStore({ features: { shape: [TOKENS, DIM], dtype: "F32", data: data.fill(Number.NaN) } });
  const poisoned = { store, dim: DIM, coefficient: 0.5 };
  await expect(trainArm(tinyArm(home, { resume: true, target: poisoned }))).rejects.toMatchObject({
    tag: "NumericError",
    message:
      "step 3: the loss is NaN; the first tensor that is not finite is input target/0 (NaN at 0) — " +
      "mend the data and train anew; the checkpoint of step 2 is as it was",
  });
  expect(await hashes(home)).toEqual(before);
});

test("weights that explode stop the run and are named", async () => {
  const options = { ...OPTIONS, learningRate: 1e38, weightDecay: 0 };
  await expect(trainArm(tinyControl(home, { options }))).rejects.toMatchObject({
    tag: "NumericError",
    message: expect.stringMatching(
      /^step \d: the (loss|gradient norm) is .*; the first tensor that is not finite is model\/\S+ \(\S+ at \d+\) — lower the learning rate and train anew$/,
    ),
  });
  expect(await readdir(home)).toEqual(["metrics.jsonl"]);
});

test("an update that overflows in the last step is not saved", async () => {
  const options = { ...OPTIONS, learningRate: 1e38, weightDecay: 1e38, steps: 1 };
  await expect(trainArm(tinyControl(home, { options }))).rejects.toMatchObject({
    tag: "NumericError",
    message: expect.stringMatching(
      /^step 1: the update overflowed; the first tensor that is not finite is model\/\S+ /,
    ),
  });
  expect(await readdir(home)).toEqual(["metrics.jsonl"]);
});

test.each<[string, Parameters<typeof tinyArm>[1], string]>([
  [
    "the target's width",
    { target: { store: featureStore(), dim: DIM + 1, coefficient: 0.5 } },
    "cached features: the projector gives 6 channels, the features have 5 — set the target's dim to 5",
  ],
  [
    "the number of tokens",
    { model: { ...MODEL, patch: 2 } },
    "cached features: the model has 16 tokens, the features 4 — compute the target on a grid of 4×4",
  ],
  [
    "the image size",
    { model: { ...MODEL, sizePx: 16 } },
    "cached images: the model wants U8 [16,16,3], got U8 [8,8,3]",
  ],
  ["the batch", { options: { ...OPTIONS, batch: 10 } }, "batch: want at most the 9 images that there are, got 10"],
  [
    "the number of rows",
    { sourceLength: 10 },
    "cached images: want 2 variants of 10 images, got 18 rows — cache them for the same images and the same variants as the run's",
  ],
])("%s is checked before anything is written", async (_, changes, message) => {
  const folder = join(home, "new");
  await expect(trainArm(tinyArm(folder, changes))).rejects.toMatchObject({ tag: "ShapeError", message });
  await expect(readdir(folder)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a target without projector, and options out of range, are refused", async () => {
  const { projector: _, ...lame } = tinyArm(home);
  await expect(trainArm(lame)).rejects.toMatchObject({ tag: "ConfigError" });
  const options = { ...OPTIONS, betas: [0.9, 1] as const };
  await expect(trainArm(tinyArm(home, { options }))).rejects.toMatchObject({
    tag: "ConfigError",
    message: "train.betas: want two numbers of at least 0 and below 1, got 0.9,1",
  });
});
