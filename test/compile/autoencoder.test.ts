import tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import type { Tensors } from "../../src/compile/compile.js";
import { compileStep, type Device } from "../../src/compile/compile-step.js";
import { randomValues } from "./against-tfjs.js";

const state = {
  conv: { shape: [3, 3, 3, 8] },
  bias: { shape: [8] },
  depthwise: { shape: [3, 3, 8, 1] },
  pointwise: { shape: [1, 1, 8, 6] },
  transposed: { shape: [3, 3, 5, 6] },
  scale: { shape: [5] },
  offset: { shape: [5] },
  last: { shape: [3, 3, 5, 3] },
};
// One image: TensorFlow.js's gradient of nearest resizing mistakes the second for the first.
const inputs = { x: { shape: [1, 16, 12, 3] } };

/** Every kind of layer that a convolutional autoencoder has, there and back. */
function reconstruct(p: Tensors, x: tf.Tensor4D): tf.Tensor4D {
  const w = p as Record<string, tf.Tensor4D>;
  let h = tf.elu(tf.add(tf.conv2d(x, w["conv"]!, 2, "same"), p["bias"]!)) as tf.Tensor4D;
  h = tf.conv2d(tf.depthwiseConv2d(h, w["depthwise"]!, 1, "same"), w["pointwise"]!, 1, "same");
  h = tf.concat([tf.maxPool(h, 2, 2, "same"), tf.avgPool(h, 2, 2, "valid")], 0);
  h = tf.leakyRelu(tf.add(...(tf.split(h, 2, 0) as [tf.Tensor4D, tf.Tensor4D])));
  h = tf.conv2dTranspose(h, w["transposed"]!, [1, 8, 6, 5], 2, "same");
  const { mean, variance } = tf.moments(h, [0, 1, 2]);
  h = tf.relu(
    tf.batchNorm(
      h,
      mean as tf.Tensor1D,
      variance as tf.Tensor1D,
      p["offset"] as tf.Tensor1D,
      p["scale"] as tf.Tensor1D,
      1e-3,
    ),
  );
  h = tf.image.resizeNearestNeighbor(h, [16, 12]);
  return tf.sigmoid(tf.conv2d(tf.mirrorPad(h, [[0, 0], [1, 1], [1, 1], [0, 0]], "reflect"), w["last"]!, 1, "valid")); // biome-ignore format: one line
}

function train(parameters: Tensors, { x }: Tensors) {
  const names = Object.keys(parameters);
  const loss = (...values: tf.Tensor[]) =>
    tf.losses.meanSquaredError(
      x!,
      reconstruct(Object.fromEntries(names.map((name, i) => [name, values[i]!])), x as tf.Tensor4D),
    ) as tf.Scalar;
  const { value, grads } = tf.valueAndGrads(loss)(Object.values(parameters));
  const next = names.map((name, i) => [name, tf.sub(parameters[name]!, tf.mul(grads[i]!, 0.5))] as const);
  return { state: Object.fromEntries(next), outputs: { loss: value } };
}

/** Losses of a few steps, and the parameters after them. */
async function run(device: Device) {
  const step = await compileStep(train, { state, inputs }, { name: "autoencoder", device });
  step.setState(randomValues(state, "unit"));
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) losses.push((await step.run(randomValues(inputs, "positive")))["loss"]!.data[0]!);
  const parameters = await step.readState();
  await step.dispose();
  return { losses, parameters };
}

test("a convolutional autoencoder learns the same compiled as in TensorFlow.js", async () => {
  const [compiled, eager] = [await run("cpu"), await run("tfjs-cpu")];
  expect(compiled.losses[4]).toBeLessThan(compiled.losses[0]!);
  for (const [i, loss] of eager.losses.entries()) expect(compiled.losses[i]).toBeCloseTo(loss, 5);
  for (const [name, { data }] of Object.entries(eager.parameters)) {
    for (const [i, value] of data.entries()) expect(compiled.parameters[name]!.data[i]).toBeCloseTo(value, 3);
  }
});
