import tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { compileFunction, type Device } from "../../src/compile/compile.js";
import { gelu, layerNorm } from "../../src/models/layers.js";

const functions: Record<string, (x: tf.Tensor) => tf.Tensor> = {
  tanh: (x) => tf.tanh(x),
  sigmoid: (x) => tf.sigmoid(x),
  exp: (x) => tf.exp(tf.mul(x, 0.5)),
  elu: (x) => tf.elu(x),
  pow: (x) => tf.pow(tf.add(tf.square(x), 1), 1.5),
  softmax: (x) => tf.softmax(tf.reshape(x, [2, 3])),
  softplus: (x) => tf.softplus(x),
  sqrt: (x) => tf.sqrt(tf.add(tf.square(x), 1)),
  rsqrt: (x) => tf.rsqrt(tf.add(tf.square(x), 1)),
  division: (x) => tf.div(1, tf.add(tf.square(x), 1)),
  sine: (x) => tf.mul(tf.sin(x), tf.cos(x)),
  logSigmoid: (x) => tf.logSigmoid(x),
  logSumExp: (x) => tf.logSumExp(tf.reshape(x, [2, 3]), 1),
  selu: (x) => tf.selu(x),
  erf: (x) => tf.erf(x),
  maximum: (x) => tf.square(tf.maximum(x, tf.mul(x, 0.5))),
  clip: (x) => tf.exp(tf.clipByValue(x, -0.5, 1)),
  relu6: (x) => tf.square(tf.relu6(x)),
  where: (x) => tf.where(tf.logicalOr(tf.less(x, 0), tf.notEqual(x, x)), tf.exp(x), tf.square(x)),
  cumsum: (x) => tf.square(tf.cumsum(tf.reshape(x, [2, 3]), 0)),
  gather: (x) => tf.square(tf.gather(x, tf.tensor1d([1, 1, 4], "int32"))),
  batchNorm: (x) => {
    const rows = tf.reshape(x, [2, 3]);
    const row = (...values: number[]) => tf.tensor1d(values);
    return tf.square(tf.batchNorm(rows, tf.mean(rows, 0), row(1, 2, 3), row(0, 1, 2), row(3, 2, 1)));
  },
  sigmoidCrossEntropy: (x) =>
    tf.mul(tf.losses.sigmoidCrossEntropy(tf.tensor1d([1, 0, 0, 0, 1, 0]), x, 1, 0, tf.Reduction.SUM), 2),
  gelu,
  layerNorm: (x) => layerNorm(tf.reshape(x, [2, 3])),
  matMul: (x) => tf.matMul(tf.reshape(x, [2, 3]), tf.reshape(tf.square(x), [3, 2])),
};

/** The directional derivative of ∇f along v, by a second reverse pass, against a central difference of ∇f. */
test.each(
  Object.keys(functions).flatMap((name) =>
    (["cpu", "tfjs-cpu"] as const).map((device): [string, Device] => [name, device]),
  ),
)("second derivative of %s on %s", async (name, device) => {
  const f = functions[name]!;
  const scalar = (x: tf.Tensor) => tf.sum(tf.mul(f(x), tf.reshape(tf.range(1, 1 + f(x).size), f(x).shape)));
  const compiled = await compileFunction(
    ({ x, v }) => ({
      first: tf.grad(scalar)(x!),
      second: tf.grad((at: tf.Tensor) => tf.sum(tf.mul(tf.grad(scalar)(at), v!)))(x!),
    }),
    { x: { shape: [6] }, v: { shape: [6] } },
    { name, device },
  );
  const x = [-1.2, -0.4, 0.3, 0.7, 1.1, 1.9];
  const v = [0.5, -1, 0.25, 1, -0.5, 0.75];
  const at = (step: number) => ({
    x: { data: Float32Array.from(x, (value, i) => value + step * v[i]!), shape: [6] },
    v: { data: Float32Array.from(v), shape: [6] },
  });
  const step = 1e-2;
  const { second } = await compiled.run(at(0));
  const { first: after } = await compiled.run(at(step));
  const { first: before } = await compiled.run(at(-step));
  const expected = Array.from(after!.data, (value, i) => (value - before!.data[i]!) / (2 * step));
  const scale = Math.max(...expected.map(Math.abs));
  expect(scale).toBeGreaterThan(0.1);
  for (const [i, value] of expected.entries()) expect(Math.abs(second!.data[i]! - value) / scale).toBeLessThan(2e-3);
  await compiled.dispose();
});
