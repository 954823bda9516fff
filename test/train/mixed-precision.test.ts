import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readSafetensors } from "../../data/safetensors.js";
import type { HostTensors } from "../../src/compile/compile.js";
import { type CompiledStep, compileStep, type Device } from "../../src/compile/compile-step.js";
import { readBatch } from "../../src/train/batch-reader.js";
import { FIRST_LOSS_SCALE, GOOD_STEPS } from "../../src/train/loss-scale.js";
import type { StepMetrics } from "../../src/train/metrics-log.js";
import type { PrecisionName, TrainStepConfig } from "../../src/train/options.js";
import { trainArm } from "../../src/train/train-arm.js";
import { initialState } from "../../src/train/train-state.js";
import { trainStep } from "../../src/train/train-step.js";
import { whyNoHalf } from "../compile/webgpu.js";
import { relativeError, scalar } from "./tensors.js";
import { DIM, featureStore, imageStore, LENGTH, MODEL, OPTIONS, tinyArm } from "./tiny-run.js";

const configOf = (precision: PrecisionName): TrainStepConfig => ({
  ...OPTIONS,
  model: MODEL,
  alignDepth: 1,
  targets: [{ dim: DIM, projector: { type: "mlp", width: 8 }, spatialNorm: 0.6 }],
  coefficient: 0.5,
  precision,
});

async function open(precision: PrecisionName, device: Device = "cpu"): Promise<CompiledStep> {
  const config = configOf(precision);
  const { signature, step } = trainStep(config);
  const products = precision === "mixed" ? "float16" : "float32";
  const compiled = await compileStep(step, signature, { name: "test", device, threads: 1, products });
  compiled.setState(initialState(config, 5));
  return compiled;
}

const batch = (precision: PrecisionName, step: number): Promise<HostTensors> =>
  readBatch(
    {
      images: imageStore(),
      features: featureStore(),
      dim: DIM,
      sourceLength: LENGTH,
      variants: 2,
      seed: 3,
      model: MODEL,
      options: { ...OPTIONS, precision },
    },
    step,
  );

const setScaler = (step: CompiledStep, name: string, value: number): void =>
  step.setState({ [`scaler/${name}`]: { data: Float32Array.of(value), shape: [] } });

async function scaler(step: CompiledStep): Promise<{ scale: number; goodSteps: number }> {
  const state = await step.readState(["scaler/scale", "scaler/good_steps"]);
  return { scale: scalar(state, "scaler/scale"), goodSteps: scalar(state, "scaler/good_steps") };
}

const part = (state: HostTensors, prefix: string): HostTensors =>
  Object.fromEntries(Object.entries(state).filter(([key]) => key.startsWith(prefix)));

describe("mixed precision", () => {
  test("follows the losses of float32, and is not float32", async () => {
    const [single, mixed] = [await open("float32"), await open("mixed")];
    let [largest, last] = [0, 0];
    for (let i = 0; i < 60; i++) {
      const [a, b] = [await single.run(await batch("float32", i)), await mixed.run(await batch("mixed", i))];
      // The norm of a gradient is rougher than a loss: it is compared while the weights are the same.
      for (const name of ["denoising_loss", "alignment_loss", ...(i === 0 ? ["grad_norm"] : [])]) {
        const difference = Math.abs(scalar(b, name) - scalar(a, name));
        // Rounding errors of 2^-11 a product, through two blocks, sixty updates apart.
        expect(difference, `step ${i + 1}: ${name}`).toBeLessThan(0.02 * Math.max(1, Math.abs(scalar(a, name))));
        largest = Math.max(largest, difference);
      }
      last = scalar(a, "denoising_loss");
    }
    expect(largest).toBeGreaterThan(1e-6);
    expect(last).toBeLessThan(1.5); // it has learnt something, from about 2
    await single.dispose();
    await mixed.dispose();
  });

  test("the loss scale changes nothing else: same norm, same update, whatever it is", async () => {
    const states: HostTensors[] = [];
    for (const scale of [2 ** 6, 2 ** 13]) {
      const step = await open("mixed");
      setScaler(step, "scale", scale);
      const outputs = await step.run(await batch("mixed", 0));
      expect(scalar(outputs, "loss_scale")).toBe(scale);
      states.push({ ...outputs, ...(await step.readState()) });
      await step.dispose();
    }
    const [low, high] = states as [HostTensors, HostTensors];
    expect(scalar(low, "grad_norm")).toBeCloseTo(scalar(high, "grad_norm"), 3);
    for (const [name, { data }] of Object.entries({ ...part(low, "opt/"), ...part(low, "model/") })) {
      expect(relativeError(high[name]!.data, data), name).toBeLessThan(0.02);
    }
  });

  test("an overflow halves the scale and skips the update, to the bit; the average goes on", async () => {
    const step = await open("mixed");
    await step.run(await batch("mixed", 0));
    setScaler(step, "scale", 2 ** 100);
    const before = await step.readState();
    const outputs = await step.run(await batch("mixed", 1));
    const after = await step.readState();
    expect(Number.isFinite(scalar(outputs, "grad_norm"))).toBe(false);
    expect(Number.isFinite(scalar(outputs, "loss"))).toBe(true);
    for (const prefix of ["model/", "opt/", "scaler/correction"]) {
      expect(Object.keys(part(before, prefix)).length).toBeGreaterThan(0);
      expect(part(after, prefix)).toEqual(part(before, prefix));
    }
    const [average, value] = [
      before["ema/blocks.0.mlp.fc1.weight"]!.data,
      before["model/blocks.0.mlp.fc1.weight"]!.data,
    ];
    const moved = average.map((x, i) => 0.9 * x + 0.1 * value[i]!);
    expect(relativeError(after["ema/blocks.0.mlp.fc1.weight"]!.data, moved)).toBeLessThan(1e-6);
    expect(await scaler(step)).toEqual({ scale: 2 ** 99, goodSteps: 0 });
    await step.dispose();
  });

  test("a skipped update does not count: what comes after it is what would have come first", async () => {
    const late = await open("mixed");
    setScaler(late, "scale", 2 ** 40);
    let skipped = 0;
    while (!Number.isFinite(scalar(await late.run(await batch("mixed", 0)), "grad_norm"))) skipped++;
    expect(skipped).toBeGreaterThan(3);
    const first = await open("mixed");
    setScaler(first, "scale", (await scaler(late)).scale);
    await first.run(await batch("mixed", 0));
    const [a, b] = [await late.readState(), await first.readState()];
    for (const prefix of ["model/", "opt/", "scaler/"]) expect(part(a, prefix)).toEqual(part(b, prefix));
    // After one update the corrections are 1 − β.
    expect(scalar(a, "scaler/correction1")).toBeCloseTo(0.1, 7);
    expect(scalar(a, "scaler/correction2")).toBeCloseTo(0.001, 9);
    await late.dispose();
    await first.dispose();
  });

  test(`the scale doubles after ${GOOD_STEPS} good steps in a row`, async () => {
    const step = await open("mixed");
    setScaler(step, "scale", 64);
    setScaler(step, "good_steps", GOOD_STEPS - 2);
    await step.run(await batch("mixed", 0));
    expect(await scaler(step)).toEqual({ scale: 64, goodSteps: GOOD_STEPS - 1 });
    await step.run(await batch("mixed", 1));
    expect(await scaler(step)).toEqual({ scale: 128, goodSteps: 0 });
    await step.run(await batch("mixed", 2));
    expect(await scaler(step)).toEqual({ scale: 128, goodSteps: 1 });
    await step.dispose();
  });

  test.skipIf(whyNoHalf !== "")(`on webgpu it is what the CPU emulates, overflows included ${whyNoHalf}`, async () => {
    const [cpu, gpu] = [await open("mixed"), await open("mixed", "webgpu")];
    setScaler(cpu, "scale", 2 ** 26);
    setScaler(gpu, "scale", 2 ** 26);
    for (let i = 0; i < 15; i++) {
      const inputs = await batch("mixed", i);
      const [a, b] = [await cpu.run(inputs), await gpu.run(inputs)];
      for (const name of ["loss", "denoising_loss", "alignment_loss"]) {
        expect(Math.abs(scalar(b, name) - scalar(a, name)), `step ${i + 1}: ${name}`).toBeLessThan(0.02);
      }
    }
    // A norm at the border of overflow may fall on either side.
    const ratio = (await scaler(gpu)).scale / (await scaler(cpu)).scale;
    expect([0.5, 1, 2]).toContain(ratio);
    await cpu.dispose();
    await gpu.dispose();
  });
});

describe("a run with mixed precision", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "descry-mixed-"));
  });
  afterEach(async () => {
    await rm(home, { recursive: true, force: true });
  });
  const log = async (folder: string): Promise<StepMetrics[]> =>
    (await readFile(join(folder, "metrics.jsonl"), "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as StepMetrics);
  /** Gradients so large that the first scale is too high. */
  const arm = (folder: string, coefficient = 50) => {
    const target = { store: featureStore(), dim: DIM, coefficient };
    return tinyArm(folder, { target, options: { ...OPTIONS, precision: "mixed" } });
  };

  test("logs its scale, skips what overflows, and resumes to the bit", async () => {
    const [whole, parts] = [join(home, "whole"), join(home, "parts")];
    await trainArm(arm(whole));
    const controller = new AbortController();
    const onStep = ({ step }: StepMetrics) => step === 4 && controller.abort();
    await trainArm({ ...arm(parts), signal: controller.signal, onStep });
    await trainArm({ ...arm(parts), resume: true });

    const lines = await log(whole);
    expect(lines[0]!.loss_scale).toBe(FIRST_LOSS_SCALE);
    expect(lines[0]!.grad_norm).toBeUndefined();
    expect(lines.at(-1)!.loss_scale).toBeLessThan(FIRST_LOSS_SCALE);
    expect(lines.at(-1)!.grad_norm).toBeGreaterThan(0);
    const timeless = (all: StepMetrics[]) => all.map(({ seconds: _, ...line }) => line);
    expect(timeless(await log(parts))).toEqual(timeless(lines));
    const name = (await readdir(whole)).filter((file) => file.startsWith("checkpoint")).at(-1)!;
    const [a, b] = await Promise.all([whole, parts].map((folder) => readSafetensors(join(folder, name))));
    expect(a!.tensors["scaler/scale"]!.data[0]).toBeLessThan(FIRST_LOSS_SCALE);
    expect(b!.tensors).toEqual(a!.tensors);
  });

  test("says so when gradients are beyond float16 at any scale", async () => {
    const hopeless = trainArm({
      ...arm(join(home, "run"), 1e12),
      options: { ...OPTIONS, precision: "mixed", steps: 40 },
    });
    await expect(hopeless).rejects.toThrow(
      /^step \d+: the gradient norm is beyond float16, though the loss is scaled by 0\.5; .*set train\.precision: float32/,
    );
  });
});
