import tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { compileFunction } from "../../src/compile/compile.js";
import { UnsupportedOpError } from "../../src/compile/errors.js";
import { type Case, expectSameAsTfjs, randomValues } from "./against-tfjs.js";

const x = { shape: [3, 4, 5] };
const pair = { a: { shape: [3, 4, 5] }, b: { shape: [4, 1] } };
const one = (name: string, fn: (x: tf.Tensor) => tf.Tensor | tf.Tensor[], rest: Partial<Case> = {}): Case => ({
  name,
  inputs: { x },
  fn: ({ x }) => fn(x!),
  ...rest,
});
const two = (name: string, fn: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, rest: Partial<Case> = {}): Case => ({
  name,
  inputs: pair,
  fn: ({ a, b }) => fn(a!, b!),
  ...rest,
});
const integers = { a: { shape: [3, 4], dtype: "int32" as const }, b: { shape: [4], dtype: "int32" as const } };
const flags = { a: { shape: [3, 4], dtype: "bool" as const }, b: { shape: [3, 4], dtype: "bool" as const } };

// Kernels one by one are in kernel-properties.test.ts; here they meet each other, constants and other types.
const elementwise: Case[] = [
  two("floorDiv", (a, b) => tf.floorDiv(a, b)),
  two("where", (a, b) => tf.where(tf.greater(a, b), a, tf.mul(a, b))),
  two("where of a row", (a, b) => tf.where(tf.tensor1d([true, false, true, true, false]), a, b)),
  two("addN", (a, b) => tf.addN([a, tf.mul(a, b), a])),
  one("pow 2", (a) => tf.pow(a, 2)),
  one("pow 1", (a) => tf.pow(a, 1)),
  one("round", (a) => tf.round(tf.mul(a, 3))),
  one("relu6", (a) => tf.relu6(tf.mul(a, 5))),
  one("prelu", (a) => tf.prelu(a, tf.scalar(0.3))),
  one("cast", (a) => tf.cast(tf.mul(a, 3), "int32")),
  one("cast bool", (a) => tf.cast(tf.relu(a), "bool")),
  one("zerosLike, onesLike", (a) => [tf.zerosLike(a), tf.onesLike(a)]),
  one("constants", (a) => tf.add(tf.mul(a, 1), tf.add(tf.fill([4, 5], 2), tf.tensor1d([1, 2, 3, 4, 5])))),
  one("nothing", (a) => {
    const none = tf.slice(a, [0, 0, 0], [3, 0, 5]);
    return [tf.expandDims(tf.exp(none), 1), tf.concat([none, a, none], 1), tf.sum(none, 1), tf.concat([none, none], 2)];
  }),
  { name: "integers", inputs: integers, fn: ({ a, b }) => [tf.add(a!, b!), tf.sub(a!, b!), tf.mul(a!, b!)] },
  {
    name: "integer order",
    inputs: integers,
    fn: ({ a, b }) => [tf.maximum(a!, b!), tf.less(a!, b!), tf.equal(a!, b!)],
  },
  { name: "integer functions", inputs: integers, fn: ({ a }) => [tf.abs(a!), tf.neg(a!), tf.relu(a!)] },
  { name: "and, or", inputs: flags, fn: ({ a, b }) => [tf.logicalAnd(a!, b!), tf.logicalOr(a!, b!)] },
  {
    name: "not, xor",
    inputs: flags,
    fn: ({ a, b }) => [tf.logicalNot(a!), tf.logicalXor(a!, b!), tf.notEqual(a!, b!)],
  },
];

const shapes: Case[] = [
  one("reshape", (a) => tf.reshape(tf.reshape(a, [12, 5]), [5, -1])),
  one("transpose", (a) => tf.transpose(tf.transpose(a, [2, 0, 1]), [0, 2, 1])),
  one("expandDims, squeeze", (a) => tf.squeeze(tf.expandDims(tf.slice(a, [1], [1]), 2))),
  one("slice", (a) => tf.slice(a, [1, 0, 2], [2, -1, 2])),
  one("stridedSlice", (a) => tf.stridedSlice(a, [0, 3, 4], [3, 0, 0], [2, -1, -2])),
  one("concat", (a) => tf.concat([a, tf.mul(a, 2), a], 1)),
  one("stack, unstack", (a) => tf.stack(tf.unstack(a, 1).reverse(), -1)),
  one("split", (a) => tf.split(a, [1, 3], 1)),
  one("pad", (a) => tf.pad(a, [[1, 0], [0, 2], [1, 1]], 0.5)), // biome-ignore format: one line
  one("mirrorPad", (a) => [
    tf.mirrorPad(a, [[1, 1], [0, 2], [1, 0]], "reflect"), // biome-ignore format: one line
    tf.mirrorPad(a, [[1, 1], [0, 2], [1, 0]], "symmetric"), // biome-ignore format: one line
  ]),
  one("tile", (a) => tf.tile(a, [1, 2, 3])),
  one("broadcastTo", (a) => tf.broadcastTo(tf.slice(a, [0, 0, 0], [3, 1, 5]), [2, 3, 4, 5])),
  one("reverse", (a) => tf.reverse(a, [0, 2])),
  one("gather", (a) => tf.gather(a, tf.tensor1d([2, 0, 0], "int32"), 1)),
  one("gatherND", (a) => tf.gatherND(a, tf.tensor2d([[0, 1], [2, 3]], [2, 2], "int32"))), // biome-ignore format: one line
  { name: "oneHot", inputs: { i: { shape: [6], dtype: "int32" } }, fn: ({ i }) => tf.oneHot(tf.cast(i!, "int32"), 4) },
  one("linspace, range", (a) =>
    tf.add(tf.slice(a, [0, 0, 0], [1, 1, 5]), tf.add(tf.linspace(0, 1, 5), tf.range(0, 5))),
  ),
  { name: "resizeBilinear", inputs: { x: { shape: [2, 5, 7, 3] } }, fn: ({ x }) => [
    tf.image.resizeBilinear(x as tf.Tensor4D, [9, 4]),
    tf.image.resizeBilinear(x as tf.Tensor4D, [3, 14], true),
    tf.image.resizeBilinear(x as tf.Tensor4D, [3, 3], false, true),
  ] }, // biome-ignore format: table
];

const reductions: Case[] = [
  one("sum", (a) => [tf.sum(a), tf.sum(a, 1), tf.sum(a, [0, 2], true), tf.sum(tf.greater(a, 0))]),
  one("mean", (a) => [tf.mean(a), tf.mean(a, -1), tf.mean(a, [0, 1], true)]),
  one("max, min, prod", (a) => [tf.max(a, 1), tf.min(a, [0, 2]), tf.prod(a, 2)]),
  one("all, any", (a) => [tf.all(tf.greater(a, -1), 2), tf.any(tf.greater(a, 1), 0)]),
  one("argMax, argMin", (a) => [tf.argMax(a, 1), tf.argMin(a, -1)]),
  one("softmax, logSoftmax", (a) => [tf.softmax(a), tf.logSoftmax(a)]),
  one("logSumExp", (a) => tf.logSumExp(a, 1)),
  one("cumsum", (a) => [tf.cumsum(a, 1), tf.cumsum(a, 2, true, true)]),
  one("topk", (a) => { const { values, indices } = tf.topk(a, 3); return [values, indices]; }), // biome-ignore format: table
  one("moments", (a) => { const { mean, variance } = tf.moments(a, 1); return [mean, variance]; }), // biome-ignore format: table
  {
    name: "unsortedSegmentSum",
    inputs: { x: { shape: [6, 5] } },
    fn: ({ x }) => tf.unsortedSegmentSum(x as tf.Tensor2D, tf.tensor1d([0, 2, 2, 0, 3, 1], "int32"), 5),
  },
];

const products: Case[] = [false, true].flatMap((tA) =>
  [false, true].flatMap((tB) =>
    [
      [[], []],
      [[3], [3]],
      [[3], [1]],
      [
        [2, 3],
        [2, 3],
      ],
      [[1], [3]],
    ].map(([batchA, batchB]): Case => {
      const a = { shape: [...batchA!, ...(tA ? [5, 4] : [4, 5])] };
      const b = { shape: [...batchB!, ...(tB ? [6, 5] : [5, 6])] };
      return {
        name: `matMul [${batchA}]${tA ? "ᵀ" : ""} [${batchB}]${tB ? "ᵀ" : ""}`,
        inputs: { a, b },
        fn: ({ a, b }) => tf.matMul(a!, b!, tA, tB),
      };
    }),
  ),
);
products.push(
  {
    name: "matMul of transposes",
    inputs: { a: { shape: [2, 5, 4] }, b: { shape: [2, 6, 5] } },
    fn: ({ a, b }) => tf.matMul(tf.transpose(a!, [0, 2, 1]), tf.transpose(b!, [0, 2, 1])),
  },
  {
    name: "linear with bias, twice used",
    inputs: { x: { shape: [2, 3, 4] }, w: { shape: [5, 4] }, b: { shape: [5] } },
    fn: ({ x, w, b }) => {
      const y = tf.reshape(tf.matMul(tf.reshape(x!, [6, 4]), w!, false, true), [2, 3, 5]);
      return [tf.add(y, b!), y, tf.add(b!, y)];
    },
  },
  {
    name: "fused matMul",
    inputs: { a: { shape: [3, 4] }, b: { shape: [4, 5] }, c: { shape: [5] } },
    fn: ({ a, b, c }) => tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias: c!, activation: "relu" }),
  },
  {
    name: "einsum",
    inputs: { a: { shape: [2, 3, 4] }, b: { shape: [4, 2, 5] } },
    fn: ({ a, b }) => tf.einsum("bij,jbk->bik", a!, b!),
  },
);

type Conv = readonly [
  input: number[],
  filter: number[],
  stride: number,
  pad: "same" | "valid" | number,
  dilation: number,
];
const convolutions: Conv[] = [
  [[2, 5, 6, 3], [3, 3, 3, 4], 1, "same", 1],
  [[2, 5, 6, 3], [3, 2, 3, 4], 1, "valid", 1],
  [[2, 7, 6, 3], [3, 3, 3, 4], 2, "same", 1],
  [[1, 8, 7, 2], [2, 3, 2, 3], 3, "valid", 1],
  [[1, 8, 7, 2], [3, 3, 2, 3], 1, "same", 2],
  [[2, 4, 4, 3], [1, 1, 3, 5], 1, "same", 1],
  [[1, 5, 5, 2], [5, 5, 2, 2], 1, 2, 1],
  // So large that it is not a product of patches.
  [[1, 40, 40, 64], [5, 9, 64, 1], 1, "same", 1],
];
const spatial: Case[] = convolutions.flatMap(([input, filter, stride, pad, dilation]): Case[] => {
  const label = `[${input}] [${filter}] stride ${stride} ${pad} dilation ${dilation}`;
  const inputs = { x: { shape: input }, w: { shape: filter } };
  const conv = (x: tf.Tensor, w: tf.Tensor) =>
    tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, pad, "NHWC", dilation);
  const cases: Case[] = [{ name: `conv2d ${label}`, inputs, fn: ({ x, w }) => conv(x!, w!) }];
  if (dilation === 1) {
    cases.push({
      name: `conv2d gradients ${label}`,
      inputs,
      fn: ({ x, w }) => tf.grads((x, w) => tf.sum(tf.sin(conv(x, w))))([x!, w!]),
      tolerance: 1e-4,
    });
  }
  return cases;
});
const depthwise = (x: tf.Tensor, w: tf.Tensor, stride: number) =>
  tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, "same");
for (const [multiplier, stride] of [
  [1, 1],
  [2, 1],
  [1, 2],
  [3, 2],
] as const) {
  const inputs = { x: { shape: [2, 5, 6, 3] }, w: { shape: [3, 3, 3, multiplier] } };
  spatial.push(
    { name: `depthwise ×${multiplier}/${stride}`, inputs, fn: ({ x, w }) => depthwise(x!, w!, stride) },
    {
      name: `depthwise gradients ×${multiplier}/${stride}`,
      inputs,
      fn: ({ x, w }) => tf.grads((x, w) => tf.sum(tf.sin(depthwise(x, w, stride))))([x!, w!]),
    },
  );
}
for (const [size, stride, pad] of [
  [2, 2, "valid"],
  [3, 2, "same"],
  [3, 1, "same"],
  [2, 3, "valid"],
] as const) {
  const inputs = { x: { shape: [2, 7, 8, 3] } };
  const label = `${size}/${stride} ${pad}`;
  const max = (x: tf.Tensor) => tf.maxPool(x as tf.Tensor4D, size, stride, pad);
  const mean = (x: tf.Tensor) => tf.avgPool(x as tf.Tensor4D, size, stride, pad);
  spatial.push(
    { name: `maxPool ${label}`, inputs, fn: ({ x }) => max(x!) },
    { name: `avgPool ${label}`, inputs, fn: ({ x }) => mean(x!) },
    { name: `maxPool gradient ${label}`, inputs, fn: ({ x }) => tf.grad((x) => tf.sum(tf.sin(max(x))))(x!) },
    {
      name: `maxPool gradient of ties ${label}`,
      inputs,
      fn: ({ x }) => tf.grad((x) => tf.sum(tf.exp(max(x))))(tf.round(x!)),
    },
  );
  // TensorFlow.js divides the gradient of the border's means by the whole window; see the central differences below.
  if (pad === "valid") {
    spatial.push({
      name: `avgPool gradient ${label}`,
      inputs,
      fn: ({ x }) => tf.grad((x) => tf.sum(tf.sin(mean(x))))(x!),
    });
  }
}
spatial.push(
  {
    name: "conv2dTranspose",
    inputs: { x: { shape: [2, 4, 5, 3] }, w: { shape: [3, 3, 2, 3] } },
    fn: ({ x, w }) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [2, 8, 10, 2], 2, "same"),
  },
  {
    name: "fused conv2d",
    inputs: { x: { shape: [2, 4, 5, 3] }, w: { shape: [3, 3, 3, 4] }, b: { shape: [4] } },
    fn: ({ x, w, b }) =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: w as tf.Tensor4D,
        strides: 1,
        pad: "same",
        bias: b!,
        activation: "relu",
      }),
  },
);

// TensorFlow.js's own gradients of resizeBilinear, other than of squares, are wrong: the oracle serves only where it is right.
const gradients: Case[] = [
  one("gather gradient", (a) => tf.grad((a) => tf.sum(tf.sin(tf.gather(a, tf.tensor1d([1, 1, 0], "int32")))))(a)),
  one("gather gradient, axis 1", (a) =>
    tf.grad((a) => tf.sum(tf.sin(tf.gather(a, tf.tensor1d([3, 3, 0], "int32"), 1))))(a),
  ),
  one("cumsum gradient", (a) => tf.grad((a) => tf.sum(tf.sin(tf.cumsum(a, 2, true))))(a)),
  one("softmax gradient", (a) => tf.grad((a) => tf.sum(tf.sin(tf.softmax(a))))(a)),
  one("max gradient", (a) => tf.grad((a) => tf.sum(tf.sin(tf.max(a, 1))))(a)),
  one("norm gradient", (a) => tf.grad((a) => tf.sum(tf.norm(a, 2, -1)))(a)),
  one("second order", (a) => tf.grad((a) => tf.sum(tf.square(tf.grad((b) => tf.sum(tf.exp(tf.sin(b))))(a))))(a), {
    tolerance: 1e-4,
  }),
  {
    name: "resizeBilinear gradient",
    inputs: { x: { shape: [2, 6, 6, 3] } },
    fn: ({ x }) => tf.grad((x) => tf.sum(tf.sin(tf.image.resizeBilinear(x as tf.Tensor4D, [8, 4]))))(x!),
  },
];

describe.each([
  ["elementwise", elementwise],
  ["shapes", shapes],
  ["reductions", reductions],
  ["products", products],
  ["convolutions and pooling", spatial],
  ["gradients", gradients],
])("compiled %s equal TensorFlow.js", (_, cases) => {
  test.each(cases)("$name", expectSameAsTfjs);
});

/** Where TensorFlow.js's gradient is wrong, or ours is another on purpose. */
const differences: Record<string, { shape: number[]; value: (x: tf.Tensor) => tf.Tensor }> = {
  "a mean pool with a border": { shape: [1, 5, 5, 1], value: (x) => tf.avgPool(x as tf.Tensor4D, 3, 2, "same") },
  "a cumulative sum along the first axis": { shape: [3, 4], value: (x) => tf.cumsum(x, 0, true, true) },
  "half-pixel resizing, other in height and width": {
    shape: [2, 3, 4, 1],
    value: (x) => tf.image.resizeBilinear(x as tf.Tensor4D, [5, 2], false, true),
  },
};

test.each(Object.keys(differences))("the gradient of %s equals central differences", async (name) => {
  const { shape, value: body } = differences[name]!;
  const value = (x: tf.Tensor) => tf.sum(tf.sin(body(x)));
  const both = await compileFunction(
    ({ x }) => ({ value: value(x!), gradient: tf.grad(value)(x!) }),
    { x: { shape } },
    { name },
  );
  const { x } = randomValues({ x: { shape } });
  const gradient = (await both.run({ x: x! }))["gradient"]!.data;
  const step = 1e-2;
  for (const i of gradient.keys()) {
    const at = async (delta: number) => {
      const data = Float32Array.from(x!.data);
      data[i]! += delta;
      return (await both.run({ x: { data, shape } }))["value"]!.data[0]!;
    };
    expect(gradient[i]!).toBeCloseTo(((await at(step)) - (await at(-step))) / (2 * step), 3);
  }
  await both.dispose();
});

test("an op that cannot be compiled is named, with those that can", async () => {
  const unique = compileFunction(({ x }) => ({ y: tf.unique(x!).values }), { x: { shape: [4] } }, { name: "letters" });
  await expect(unique).rejects.toThrow(UnsupportedOpError);
  await expect(unique).rejects.toThrow(
    /^letters: the TensorFlow.js kernel Unique cannot be compiled; supported: Abs, .*_FusedMatMul$/,
  );
  const text = compileFunction(({ x }) => ({ y: tf.fill(x!.shape, "a") }), { x: { shape: [4] } }, { name: "letters" });
  await expect(text).rejects.toThrow(UnsupportedOpError);
  await expect(text).rejects.toThrow(
    /^letters: Fill: dtype "string" cannot be compiled; supported: float32, int32, bool$/,
  );
});
