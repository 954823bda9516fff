import { f16round } from "@petamoriken/float16";
import tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { compileFunction, type Device, type HostTensors, type Tensors } from "../../src/compile/compile.js";
import { encodeOnnx } from "../../src/compile/encode-onnx.js";
import type { GraphValue } from "../../src/compile/graph.js";
import { halfProducts } from "../../src/compile/half-products.js";
import type { Rule } from "../../src/compile/rewrite.js";
import { openModel } from "../../src/compile/session.js";
import { traceStep } from "../../src/compile/trace-step.js";
import { webgpuForms } from "../../src/compile/webgpu-forms.js";
import { randomValues } from "./against-tfjs.js";
import { whyNoHalf, whyNoWebGpu } from "./webgpu.js";

type Fn = (inputs: Tensors) => Tensors;

/** A product and both of its gradients. */
const withGradients =
  (fn: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Fn =>
  ({ a, b, dy }) => {
    const { value, grads } = tf.valueAndGrads((x, y) => fn(x!, y!))([a!, b!], dy);
    return { y: value, da: grads[0]!, db: grads[1]! };
  };

const matMul = (transposeA: boolean, transposeB: boolean) => (a: tf.Tensor, b: tf.Tensor) =>
  tf.matMul(a, b, transposeA, transposeB);

/** Inner sides that a limit of 4 terms splits evenly, with zeros, and not at all; batches; every transpose; convolutions. */
const CASES: readonly { name: string; fn: Fn; a: number[]; b: number[]; y: number[] }[] = [
  { name: "matrices", fn: withGradients(matMul(false, false)), a: [5, 12], b: [12, 7], y: [5, 7] },
  { name: "matrices, a transposed", fn: withGradients(matMul(true, false)), a: [11, 5], b: [11, 7], y: [5, 7] },
  { name: "matrices, b transposed", fn: withGradients(matMul(false, true)), a: [5, 13], b: [7, 13], y: [5, 7] },
  { name: "batches", fn: withGradients(matMul(false, true)), a: [2, 3, 5, 9], b: [2, 3, 7, 9], y: [2, 3, 5, 7] },
  {
    name: "rows of a batch",
    fn: withGradients((a, b) => tf.reshape(tf.matMul(tf.reshape(a, [10, 6]), b as tf.Tensor2D), [2, 5, 7])),
    a: [2, 5, 6],
    b: [6, 7],
    y: [2, 5, 7],
  },
  {
    name: "a convolution",
    fn: withGradients((a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 2, "same")),
    a: [2, 6, 5, 3],
    b: [3, 3, 3, 4],
    y: [2, 3, 3, 4],
  },
  {
    name: "a depthwise convolution",
    fn: withGradients((a, b) => tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, "same")),
    a: [2, 6, 5, 3],
    b: [3, 3, 3, 2],
    y: [2, 6, 5, 6],
  },
];

const signatureOf = ({ a, b, y }: (typeof CASES)[number]) => ({ a: { shape: a }, b: { shape: b }, dy: { shape: y } });

/** Trace, apply rules and run on the CPU, whose float16 kernels are float32 ones between casts. */
async function runWithRules(one: (typeof CASES)[number], rules: readonly Rule[], values: HostTensors) {
  const inputs = signatureOf(one);
  const { graph, outputs } = traceStep((_, given) => ({ state: {}, outputs: one.fn(given) }), { state: {}, inputs }, one.name, rules); // biome-ignore format: one line
  const wanted = Object.entries(outputs).map(([name, value]) => ({ name, value }));
  const model = await openModel(encodeOnnx(graph, wanted, one.name).model);
  const given = Object.fromEntries(Object.entries(values).map(([name, value]) => [`in/${name}`, value]));
  const results = await model.run(given);
  await model.dispose();
  return { results, ops: graph.reachable(Object.values(outputs)) };
}

const compile = (fn: Fn, inputs: HostTensors, device: Device = "cpu") =>
  compileFunction(fn, Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, { shape }])), {
    name: "half",
    device,
    products: "float16",
  });

/** Largest difference, relative to the largest magnitude. */
function difference(got: ArrayLike<number>, want: ArrayLike<number>): number {
  const scale = Array.from(want).reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  return Array.from(want).reduce((max, x, i) => Math.max(max, Math.abs(got[i]! - x)), 0) / scale;
}

const roundAll = (values: HostTensors): HostTensors =>
  Object.fromEntries(
    Object.entries(values).map(([name, { data, shape }]) => [name, { data: Float32Array.from(data, f16round), shape }]),
  );

describe("float16 products", () => {
  test("are those of operands rounded to float16, and are rounded themselves: by hand", async () => {
    const values = randomValues({ a: { shape: [5, 12] }, b: { shape: [12, 7] } });
    const [a, b] = [values["a"]!.data, values["b"]!.data];
    const program = await compile(({ a, b }) => ({ y: tf.matMul(a!, b!) }), values);
    const { y } = await program.run(values);
    await program.dispose();
    for (let row = 0; row < 5; row++) {
      for (let column = 0; column < 7; column++) {
        let sum = 0;
        for (let k = 0; k < 12; k++) sum += f16round(a[row * 12 + k]!) * f16round(b[k * 7 + column]!);
        const got = y!.data[row * 7 + column]!;
        expect(got).toBe(f16round(got));
        // A sum in float32 may fall on the other side of a rounding boundary: one unit in the last place of float16.
        expect(Math.abs(got - sum)).toBeLessThanOrEqual(2 ** -10 * Math.abs(sum));
      }
    }
    expect(difference(y!.data, y!.data.map(f16round))).toBe(0);
  });

  test.each(CASES)("$name, with both gradients: emulated, and in float16 with any length of sum", async (one) => {
    const values = roundAll(randomValues(signatureOf(one)));
    const exact = await compileFunction(one.fn, signatureOf(one), { name: one.name, device: "tfjs-cpu" });
    const want = await exact.run(values);
    const forms: Record<string, readonly Rule[]> = {
      emulated: [halfProducts({ isEmulated: true })],
      float16: [halfProducts({})],
      "float16 in short sums": [halfProducts({ longestSum: 4 }), webgpuForms],
    };
    for (const [form, rules] of Object.entries(forms)) {
      const { results, ops } = await runWithRules(one, rules, values);
      // A convolution's sum is not split: one that is too long stays float32.
      const isLeftAlone = form === "float16 in short sums" && one.name === "a depthwise convolution";
      expect(
        ops.some(({ op }) => op === "Cast"),
        form,
      ).toBe(!isLeftAlone);
      for (const [name, { data }] of Object.entries(want)) {
        // Operands are float16 already: what is left is one rounding of the result, or of the parts of its sum.
        const error = difference(results[name]!.data, data);
        expect(error, `${form}: ${name}`).toBeLessThan(2 ** -10);
      }
    }
    await exact.dispose();
  });

  test("split sums add no more than so many terms in float16", async () => {
    const rules = [halfProducts({ longestSum: 4 }), webgpuForms];
    for (const one of CASES.slice(0, 5)) {
      const { ops } = await runWithRules(one, rules, randomValues(signatureOf(one)));
      const products = ops.filter(({ op }) => op === "MatMul" || op === "Gemm" || op === "FusedMatMul");
      expect(products.length, one.name).toBeGreaterThan(0);
      for (const { op, inputs, attributes } of products) {
        expect(inputs[0]!.type, one.name).toBe("float16");
        const axis = op === "Gemm" && attributes["transA"] === 1 ? -2 : -1;
        expect(inputs[0]!.shape.at(axis), one.name).toBeLessThanOrEqual(4);
      }
    }
  });

  test("beyond 65504 they are infinite; what is no product stays float32", async () => {
    const values = { a: { data: Float32Array.of(300, 300), shape: [1, 2] } };
    const program = await compile(
      ({ a }) => ({
        product: tf.matMul(a!, a!, false, true),
        sum: tf.sum(tf.square(a!)),
        norm: tf.sqrt(tf.sum(tf.square(a!), -1)),
        filtered: tf.matMul(a!, tf.tensor2d([1.0001, 0, 0, 1.0001], [2, 2])),
      }),
      values,
    );
    const { product, sum, norm, filtered } = await program.run(values);
    expect(product!.data[0]).toBe(Number.POSITIVE_INFINITY);
    expect(sum!.data[0]).toBe(180000);
    expect(norm!.data[0]).toBeCloseTo(300 * Math.SQRT2, 3);
    expect(filtered!.data[0]).toBeCloseTo(300.03, 4); // a constant matrix: a filter, not a layer
    await program.dispose();
  });

  test("a weight is cast once for all that reads it, and what moves from product to product stays float16", () => {
    const inputs = { x: { shape: [4, 6] }, w: { shape: [6, 6] } };
    const { graph, outputs } = traceStep(
      (_, { x, w }) => {
        const h = tf.matMul(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), w as tf.Tensor2D);
        const heads = tf.transpose(tf.reshape(h, [4, 2, 3]), [1, 0, 2]);
        return { state: {}, outputs: { y: tf.matMul(heads, heads, false, true) } };
      },
      { state: {}, inputs },
      "cast once",
      [halfProducts({})],
    );
    const nodes = graph.reachable(Object.values(outputs));
    const cast = (type: GraphValue["type"]) =>
      nodes.filter(({ op, outputs: [value] }) => op === "Cast" && value!.type === type).map(({ inputs: [x] }) => x!);
    expect(cast("float16").map(({ name }) => name)).toEqual(["in/x", "in/w"]);
    expect(cast("float32")).toHaveLength(1);
    expect(nodes.find(({ op }) => op === "Transpose")!.inputs[0]!.type).toBe("float16");
  });

  test.each<Device>(["tfjs-cpu", "tfjs-gpu"])("%s has none and says so", async (device) => {
    const values = randomValues({ a: { shape: [2, 2] } });
    const program = compile(({ a }) => ({ y: tf.matMul(a!, a!) }), values, device);
    await expect(program).rejects.toThrow(`half: device "${device}" has no float16 products: use float32`);
  });

  test.skipIf(whyNoWebGpu !== "" || whyNoHalf === "")("a card without float16 says so when it is opened", async () => {
    const values = randomValues({ a: { shape: [2, 2] } });
    const program = compile(({ a }) => ({ y: tf.matMul(a!, a!) }), values, "webgpu");
    await expect(program).rejects.toThrow(
      /^half: float16 products: the graphics card .* has no float16 .*: use float32$/,
    );
  });

  test.skipIf(whyNoHalf !== "").each(CASES)(`on webgpu they are the CPU's: $name ${whyNoHalf}`, async (one) => {
    const values = randomValues(signatureOf(one));
    const [cpu, gpu] = [await compile(one.fn, values), await compile(one.fn, values, "webgpu")];
    const [want, got] = [await cpu.run(values), await gpu.run(values)];
    for (const [name, { data }] of Object.entries(want)) {
      expect(difference(got[name]!.data, data), name).toBeLessThan(4e-3); // up to 256 additions in float16
    }
    await cpu.dispose();
    await gpu.dispose();
  });
});
