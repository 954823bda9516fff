import tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { compileFunction, type HostTensor, type HostTensors } from "../../src/compile/compile.js";
import { compileStep, type Device } from "../../src/compile/compile-step.js";
import { biasCorrections } from "../../src/train/adamw.js";
import { lossGradients } from "../../src/train/loss-gradients.js";
import type { TrainStepConfig } from "../../src/train/options.js";
import { initialState, parameterShapes, stateFromParameters, trainedNames } from "../../src/train/train-state.js";
import { trainStep } from "../../src/train/train-step.js";
import { whyNoWebGpu } from "../compile/webgpu.js";
import { relativeError, scalar, spread } from "./tensors.js";
import { DIM, MODEL, OPTIONS, TOKENS } from "./tiny-run.js";

const B = 3;

const CONFIG: TrainStepConfig = {
  ...OPTIONS,
  model: MODEL,
  batch: B,
  alignDepth: 1,
  targets: [{ dim: DIM, projector: { type: "conv", kernel: 3 }, spatialNorm: 0.6 }],
  coefficient: 0.5,
};

const value = (data: HostTensor["data"], shape: readonly number[]): HostTensor => ({ data, shape: [...shape] });

/** Parameters that carry signal through every path: none is zero, as some of the initial ones are. */
function parameters(config: TrainStepConfig): Record<string, HostTensor> {
  return Object.fromEntries(
    Object.entries(parameterShapes(config)).map(([name, shape], i) => {
      const size = shape.reduce((product, side) => product * side, 1);
      return [
        name,
        value(
          spread(size, i).map((x) => 0.3 * x),
          shape,
        ),
      ];
    }),
  );
}

function inputs(config: TrainStepConfig, step = 0): HostTensors {
  const { channels: C, sizePx: S, classes } = config.model;
  const sample = (seed: number) => value(spread(B * C * S * S, seed), [B, C, S, S]);
  const [c1, c2] = biasCorrections(config.betas, step + 1);
  return {
    x: sample(91),
    noise: sample(92),
    y: value(Int32Array.of(0, classes, 2), [B]),
    t: value(Float32Array.of(0.2, 0.55, 0.9), [B]),
    learningRate: value(Float32Array.of(3e-3), []),
    biasCorrection1: value(Float32Array.of(c1), []),
    biasCorrection2: value(Float32Array.of(c2), []),
    ...Object.fromEntries(
      config.targets.map(({ dim }, i) => [`target/${i}`, value(spread(B * TOKENS * dim, 93 + i), [B, TOKENS, dim])]),
    ),
  };
}

async function open(config: TrainStepConfig, device: Device = "cpu") {
  const { signature, step } = trainStep(config);
  const compiled = await compileStep(step, signature, { name: "test", device, threads: 1 });
  compiled.setState(stateFromParameters(parameters(config)));
  return compiled;
}

test("every parameter's gradient is that of central differences of the loss", async () => {
  const given = parameters(CONFIG);
  const batch = inputs(CONFIG);
  const { signature } = trainStep(CONFIG);
  const compiled = await compileFunction(
    ({ x, y, noise, t, ["target/0"]: target, ...params }) => {
      const { loss, gradients } = lossGradients(
        params,
        { x: x!, y: y!, noise: noise!, t: t!, targets: [target!] },
        CONFIG,
      );
      return { loss, ...gradients };
    },
    { ...signature.inputs, ...Object.fromEntries(Object.entries(given).map(([name, { shape }]) => [name, { shape }])) },
    { name: "loss", threads: 1 },
  );
  const gradients = await compiled.run({ ...batch, ...given });
  for (const [i, name] of trainedNames(CONFIG).entries()) {
    const { data, shape } = given[name]!;
    const gradient = gradients[name]!.data as Float32Array;
    const norm = Math.hypot(...gradient);
    expect(norm, name).toBeGreaterThan(0);
    // Along the gradient itself, plus something else, so that the derivative is not small against rounding.
    const other = spread(gradient.length, i);
    const scale = 0.7 / Math.hypot(...other);
    const direction = gradient.map((g, k) => g / norm + other[k]! * scale);
    const lossAt = async (by: number) => {
      const moved = value(
        Float32Array.from(data, (p, k) => p + by * direction[k]!),
        shape,
      );
      return scalar(await compiled.run({ ...batch, ...given, [name]: moved }), "loss");
    };
    const h = 2e-2; // rounding: 1e-7·loss/h ≈ 1e-5 absolute; truncation: h²/6 of the third derivative
    const numeric = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
    const analytic = gradient.reduce((sum, g, k) => sum + g * direction[k]!, 0);
    expect(Math.abs(numeric - analytic), `${name}: ${numeric} and ${analytic}`).toBeLessThan(5e-5 + 5e-3 * norm);
  }
  await compiled.dispose();
});

test("compiled, a step is what TensorFlow.js computes eagerly", async () => {
  const [native, eager] = [await open(CONFIG), await open(CONFIG, "tfjs-cpu")];
  const before = tf.memory().numTensors;
  for (let i = 0; i < 2; i++) {
    const [a, b] = [await native.run(inputs(CONFIG, i)), await eager.run(inputs(CONFIG, i))];
    for (const name of Object.keys(b)) expect(relativeError(a[name]!.data, b[name]!.data), name).toBeLessThan(1e-5);
  }
  expect(tf.memory().numTensors).toBe(before); // the losses kept out of the gradient's scope are let go
  const [a, b] = [await native.readState(), await eager.readState()];
  // A gradient that is 0 but for rounding moves its parameter by up to a learning rate.
  for (const name of Object.keys(b)) expect(relativeError(a[name]!.data, b[name]!.data), name).toBeLessThan(3e-3);
  await native.dispose();
  await eager.dispose();
});

test.skipIf(whyNoWebGpu !== "")(`webgpu: state on the device, steps equal the CPU's ${whyNoWebGpu}`, async () => {
  const [cpu, gpu] = [await open(CONFIG), await open(CONFIG, "webgpu")];
  for (let i = 0; i < 3; i++) {
    const [a, b] = [await cpu.run(inputs(CONFIG, i)), await gpu.run(inputs(CONFIG, i))];
    for (const name of Object.keys(a)) expect(relativeError(b[name]!.data, a[name]!.data), name).toBeLessThan(1e-3);
  }
  const [a, b] = [await cpu.readState(), await gpu.readState()];
  // The gradient of a key's bias is 0 but for rounding, and moves it by up to a learning rate.
  for (const name of Object.keys(a)) {
    const tolerance = name.endsWith("qkv.bias") ? 1e-2 : 1e-3;
    expect(relativeError(b[name]!.data, a[name]!.data), name).toBeLessThan(tolerance);
  }
  await cpu.dispose();
  await gpu.dispose();
});

test("one step moves everything but the frozen position embedding, and leaves it out of the optimizer", async () => {
  const step = await open(CONFIG);
  await step.run(inputs(CONFIG));
  const state = await step.readState();
  const start = parameters(CONFIG);
  for (const name of Object.keys(start)) {
    const moved = relativeError(state[`model/${name}`]!.data, start[name]!.data);
    if (name === "pos_embed") expect(moved).toBe(0);
    else expect(moved, name).toBeGreaterThan(1e-4);
    // The average has moved a tenth of the way.
    const average = start[name]!.data.map((x, i) => 0.9 * x + 0.1 * state[`model/${name}`]!.data[i]!);
    expect(relativeError(state[`ema/${name}`]!.data, average), name).toBeLessThan(1e-6);
  }
  expect(Object.keys(state).filter((key) => key.endsWith("/pos_embed"))).toEqual(["model/pos_embed", "ema/pos_embed"]);
  await step.dispose();
});

test("the untrained model returns 0, so that the first denoising loss is the mean square of the velocity", async () => {
  const step = await open(CONFIG);
  step.setState(initialState(CONFIG, 5));
  const given = inputs(CONFIG);
  const outputs = await step.run(given);
  const [x, noise] = [given["x"]!.data as Float32Array, given["noise"]!.data as Float32Array];
  const want = noise.reduce((sum, n, i) => sum + (n - x[i]!) ** 2, 0) / x.length;
  expect(scalar(outputs, "denoising_loss")).toBeCloseTo(want, 5);
  await step.dispose();
});

test("on one batch the loss falls, and so does each part of it", async () => {
  const config = { ...CONFIG, clip: 10 };
  const step = await open(config);
  step.setState(initialState(config, 5));
  const losses: HostTensors[] = [];
  for (let i = 0; i < 150; i++)
    losses.push(await step.run({ ...inputs(config, i), learningRate: value(Float32Array.of(1e-2), []) }));
  const [first, last] = [losses[0]!, losses.at(-1)!];
  expect(scalar(last, "denoising_loss")).toBeLessThan(0.5 * scalar(first, "denoising_loss"));
  expect(scalar(last, "alignment_loss")).toBeLessThan(-0.8);
  expect(scalar(last, "alignment_loss")).toBeGreaterThanOrEqual(-1.00001);
  await step.dispose();
});

test("the target reaches the loss normalized over space", async () => {
  const plain = { ...CONFIG, targets: [{ dim: DIM, projector: CONFIG.targets[0]!.projector }] };
  const [normalized, raw] = [await open(CONFIG), await open(plain)];
  const target = spread(B * TOKENS * DIM, 93);
  // (x − 0.6·mean)/(std + 1e-6) over the tokens, n − 1, by hand.
  const byHand = target.map((x, i) => {
    const [b, d] = [Math.floor(i / (TOKENS * DIM)), i % DIM];
    const column = Array.from({ length: TOKENS }, (_, token) => target[(b * TOKENS + token) * DIM + d]!);
    const mean = column.reduce((sum, y) => sum + y, 0) / TOKENS;
    const variance = column.reduce((sum, y) => sum + (y - mean) ** 2, 0) / (TOKENS - 1);
    return (x - 0.6 * mean) / (Math.sqrt(variance) + 1e-6);
  });
  const want = await raw.run({ ...inputs(plain), "target/0": value(byHand, [B, TOKENS, DIM]) });
  const got = await normalized.run(inputs(CONFIG));
  expect(scalar(got, "alignment_loss")).toBeCloseTo(scalar(want, "alignment_loss"), 5);
  expect(scalar(await raw.run(inputs(plain, 1)), "alignment_loss")).not.toBeCloseTo(scalar(got, "alignment_loss"), 3);
  await normalized.dispose();
  await raw.dispose();
});

test("two targets have a projector each and share the coefficient", async () => {
  const two: TrainStepConfig = { ...CONFIG, targets: [...CONFIG.targets, { dim: 7, projector: { type: "linear" } }] };
  const step = await open(two);
  expect(Object.keys(step.signature.state)).toContain("ema/projectors.1.projection_layer.weight");
  const outputs = await step.run(inputs(two));
  const sum = scalar(outputs, "denoising_loss") + 0.5 * scalar(outputs, "alignment_loss");
  expect(scalar(outputs, "loss")).toBeCloseTo(sum, 5);
  await step.dispose();
});
