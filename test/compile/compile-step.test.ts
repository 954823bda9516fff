import tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { compileFunction, type Tensors } from "../../src/compile/compile.js";
import { compileStep, type Device } from "../../src/compile/compile-step.js";
import { whyNoWebGpu } from "./webgpu.js";

const vector = (...values: number[]) => ({ data: Float32Array.from(values), shape: [values.length] });

/** Gradient descent on the squared distance to a target, with a counter and a frozen scale. */
const descent = (state: Tensors, inputs: Tensors) => {
  const loss = (w: tf.Tensor) => tf.sum(tf.mul(state["scale"]!, tf.squaredDifference(w, inputs["target"]!)));
  const { value, grad } = tf.valueAndGrad(loss)(state["w"]!);
  return {
    state: {
      w: tf.sub(state["w"]!, tf.mul(grad, 0.25)),
      count: tf.add(state["count"]!, 1),
      scale: state["scale"]!,
    },
    outputs: { loss: value },
  };
};
const signature = {
  state: { w: { shape: [3] }, count: { shape: [] }, scale: { shape: [3] } },
  inputs: { target: { shape: [3] } },
};
const start = () => ({ w: vector(0, 0, 0), count: { data: new Float32Array(1), shape: [] }, scale: vector(1, 1, 1) });

const DEVICES: Device[] = whyNoWebGpu === "" ? ["cpu", "tfjs-cpu", "webgpu"] : ["cpu", "tfjs-cpu"];
if (whyNoWebGpu !== "") test.skip(`on webgpu: ${whyNoWebGpu}`, () => {});

describe.each<Device>(DEVICES)("a compiled step on %s", (device) => {
  const compile = () => compileStep(descent, signature, { name: "descent", device });

  test("carries its state from run to run", async () => {
    const step = await compile();
    step.setState(start());
    // w ← w − 0.25·2·(w − target) halves the distance each time; the loss is that of the state before.
    for (const expected of [3, 0.75, 0.1875]) {
      const { loss } = await step.run({ target: vector(1, 1, 1) });
      expect(loss!.data[0]).toBe(expected);
    }
    const { w, count, scale } = await step.readState();
    expect([...w!.data]).toEqual([0.875, 0.875, 0.875]);
    expect([...count!.data]).toEqual([3]);
    expect([...scale!.data]).toEqual([1, 1, 1]);
    await step.dispose();
  });

  test("can be started ahead: outputs are those of their own step, in any order, and read once", async () => {
    const step = await compile();
    step.setState(start());
    const started = [];
    for (let i = 0; i < 3; i++) started.push(await step.start({ target: vector(1, 1, 1) }));
    const [first, second, third] = started;
    for (const [outputs, expected] of [
      [third!, 0.1875],
      [first!, 3],
    ] as const) {
      // biome-ignore format: one line
      expect((await outputs.read())["loss"]!.data[0]).toBe(expected);
    }
    expect([...(await step.readState(["w"]))["w"]!.data]).toEqual([0.875, 0.875, 0.875]);
    if (step.isAhead) await expect(third!.read()).rejects.toThrow("descent: outputs were read twice");
    expect(step.isAhead).toBe(device === "webgpu");
    await step.dispose(); // with the second one unread
    if (step.isAhead) await expect(second!.read()).rejects.toThrow("used after dispose()");
  });

  test("is a pure function of state and inputs: the same bits when it is set back", async () => {
    const step = await compile();
    const run = async () => {
      step.setState(start());
      const losses = [];
      for (let i = 0; i < 5; i++) losses.push((await step.run({ target: vector(0.1, -2, 1e-3) }))["loss"]!.data[0]);
      return { losses, state: await step.readState() };
    };
    expect(await run()).toEqual(await run());
    await step.dispose();
  });

  test("what it returned and what it was given stay the caller's", async () => {
    const step = await compile();
    const given = start();
    step.setState(given);
    const read = await step.readState(["w"]);
    const first = await step.run({ target: vector(1, 1, 1) });
    await step.run({ target: vector(5, 5, 5) });
    expect([...given.w.data]).toEqual([0, 0, 0]);
    expect([...read["w"]!.data]).toEqual([0, 0, 0]);
    expect(first["loss"]!.data[0]).toBe(3);
    await step.dispose();
  });

  test("refuses what does not fit, before anything runs or changes", async () => {
    const step = await compile();
    step.setState(start());
    await expect(step.run({})).rejects.toThrow('descent: input "target" is missing');
    await expect(step.run({ target: vector(1, 2) })).rejects.toThrow("wants shape [3], got [2]");
    await expect(step.run({ target: vector(1, 2, 3), other: vector(1) })).rejects.toThrow('"other" is unknown');
    await expect(step.run({ target: { data: Int32Array.of(1, 2, 3), shape: [3] } })).rejects.toThrow("Float32Array");
    expect(() => step.setState({ w: vector(9, 9, 9), v: vector(1) })).toThrow('there is no state "v"');
    expect([...(await step.readState(["w"]))["w"]!.data]).toEqual([0, 0, 0]);
    await step.dispose();
  });

  test("a next state of another shape is an error of compilation", async () => {
    const wrong = compileStep(({ w }) => ({ state: { w: tf.sum(w!) }, outputs: {} }), { state: { w: { shape: [2] } }, inputs: {} }, { name: "wrong", device }); // biome-ignore format: one line
    await expect(wrong).rejects.toThrow('wrong: next state "w" is float32[], the state float32[2]');
  });
});

describe("a compiled step", () => {
  test("does not run twice at once, nor after dispose", async () => {
    const step = await compileStep(descent, signature, { name: "descent" });
    const first = step.run({ target: vector(1, 1, 1) });
    await expect(step.run({ target: vector(1, 1, 1) })).rejects.toThrow("await it first");
    await first;
    await step.dispose();
    await expect(step.run({ target: vector(1, 1, 1) })).rejects.toThrow("used after dispose()");
  });

  test("state may change places, and an output may be an input or a constant", async () => {
    const step = await compileStep(
      ({ a, b }, { x }) => ({ state: { a: b!, b: a! }, outputs: { x: x!, again: x!, one: tf.ones([2]) } }),
      { state: { a: { shape: [1] }, b: { shape: [1] } }, inputs: { x: { shape: [1] } } },
      { name: "swap" },
    );
    step.setState({ a: vector(1), b: vector(2) });
    const { x, again, one } = await step.run({ x: vector(7) });
    expect([...x!.data, ...again!.data, ...one!.data]).toEqual([7, 7, 1, 1]);
    const { a, b } = await step.readState();
    expect([...a!.data, ...b!.data]).toEqual([2, 1]);
    await step.dispose();
  });

  test("an unknown device is named", async () => {
    const options = { name: "x", device: "abacus" as Device };
    await expect(compileStep(descent, signature, options)).rejects.toThrow('unknown device "abacus"; there are: cpu');
  });
});

describe("what cannot be compiled says so in one line", () => {
  const x = { x: { shape: [2, 2] } };
  const compiled = (fn: (x: tf.Tensor) => tf.Tensor) => compileFunction(({ x }) => ({ y: fn(x!) }), x, { name: "f" });

  test("a kernel that is not supported, with those that are", async () => {
    const error = compiled((x) => tf.linalg.bandPart(tf.spectral.fft(tf.complex(x, x)) as tf.Tensor, 1, 1));
    await expect(error).rejects.toThrow(/^f: .*(Complex|FFT)/);
    await expect(
      compiled((x) => tf.dilation2d(tf.reshape(x, [1, 2, 2, 1]) as tf.Tensor4D, tf.zeros([1, 1, 1]), 1, "same")),
    ).rejects.toThrow(/^f: the TensorFlow.js kernel Dilation2D cannot be compiled; supported: .*BatchMatMul.*Softmax/);
  });

  test("reading values", async () => {
    await expect(compiled((x) => tf.mul(x, x.dataSync()[0]!))).rejects.toThrow(
      "the values of a tensor were read while tracing",
    );
  });

  test("a tensor from outside", async () => {
    tf.setBackend("cpu");
    const outside = tf.ones([2, 2]);
    await expect(compiled((x) => tf.add(x, outside))).rejects.toThrow("made outside the traced function");
  });

  test("a constant of more than a megabyte", async () => {
    const large = new Float32Array(600 * 600).map((_, i) => i);
    await expect(compiled((x) => tf.add(tf.sum(x), tf.tensor2d(large, [600, 600])))).rejects.toThrow(
      "pass it as an input",
    );
  });

  test("but one number, however often", async () => {
    const fine = await compiled((x) => tf.add(tf.sum(x), tf.sum(tf.zeros([1000, 1000]))));
    expect((await fine.run({ x: { data: new Float32Array(4).fill(1), shape: [2, 2] } }))["y"]!.data[0]).toBe(4);
    await fine.dispose();
  });

  test("a later compilation is not disturbed", async () => {
    await expect(compiled(() => tf.tensor1d(new Float32Array(1).map(() => { throw new Error("stop"); })))).rejects.toThrow("stop"); // biome-ignore format: one line
    const fine = await compiled((x) => tf.add(x, 1));
    expect([...(await fine.run({ x: { data: new Float32Array(4), shape: [2, 2] } }))["y"]!.data]).toEqual([1, 1, 1, 1]);
    await fine.dispose();
  });
});
