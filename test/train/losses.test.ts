import tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { alignmentLoss } from "../../src/train/alignment-loss.js";
import { sitLoss } from "../../src/train/sit-loss.js";
import { eagerly, relativeError, spread } from "./tensors.js";

const [B, T, Z] = [2, 3, 5];
const shape: [number, number, number] = [B, T, Z];

/** The definition, in float64: normalize each vector, then take inner products. */
function slowAlignment(projected: ArrayLike<number>, target: ArrayLike<number>): number {
  let sum = 0;
  for (let token = 0; token < B * T; token++) {
    const unit = (values: ArrayLike<number>): number[] => {
      const v = Array.from({ length: Z }, (_, d) => values[token * Z + d]!);
      const norm = Math.max(Math.hypot(...v), 1e-12);
      return v.map((x) => x / norm);
    };
    const [p, z] = [unit(projected), unit(target)];
    sum += p.reduce((total, x, d) => total + x * z[d]!, 0);
  }
  return -sum / (B * T);
}

const loss = async (projected: Float32Array, target: Float32Array): Promise<number> =>
  (await eagerly(() => alignmentLoss(tf.tensor(projected, shape), tf.tensor(target, shape))))[0]![0]!;

const gradient = async (projected: Float32Array, target: Float32Array): Promise<Float32Array> => {
  const [result] = await eagerly(() => {
    const z = tf.tensor(target, shape);
    return tf.grad((p) => alignmentLoss(p, z))(tf.tensor(projected, shape));
  });
  return result!;
};

test("alignment loss is the definition", async () => {
  const [p, z] = [spread(B * T * Z, 3), spread(B * T * Z, 4)];
  expect(await loss(p, z)).toBeCloseTo(slowAlignment(p, z), 6);
});

test("alignment loss is −1 for equal directions, +1 for opposite ones, whatever the lengths", async () => {
  const p = spread(B * T * Z, 3);
  expect(
    await loss(
      p,
      p.map((x) => 300 * x),
    ),
  ).toBeCloseTo(-1, 6);
  expect(
    await loss(
      p,
      p.map((x) => -1e-3 * x),
    ),
  ).toBeCloseTo(1, 6);
});

test("alignment loss's gradient is that of central differences in float64", async () => {
  const [p, z] = [spread(B * T * Z, 3), spread(B * T * Z, 4)];
  const h = 1e-5;
  const numeric = Float64Array.from(p, (_, i) => {
    const moved = (by: number) =>
      slowAlignment(
        Array.from(p, (x, j) => (j === i ? x + by : x)),
        z,
      );
    return (moved(h) - moved(-h)) / (2 * h);
  });
  expect(relativeError(await gradient(p, z), numeric)).toBeLessThan(1e-5);
});

test.each([
  ["projection", true, false],
  ["target", false, true],
  ["projection and target", true, true],
])("a zero token in %s counts 0 and leaves all gradients finite", async (_, inProjected, inTarget) => {
  const [p, z] = [spread(B * T * Z, 3), spread(B * T * Z, 4)];
  if (inProjected) p.fill(0, Z, 2 * Z);
  if (inTarget) z.fill(0, Z, 2 * Z);
  expect(await loss(p, z)).toBeCloseTo(slowAlignment(p, z), 6);
  const result = await gradient(p, z);
  expect(result.every(Number.isFinite)).toBe(true);
  // The other tokens' gradients are as without the zero token.
  const whole = await gradient(spread(B * T * Z, 3), spread(B * T * Z, 4));
  expect(relativeError(result.slice(2 * Z), whole.slice(2 * Z))).toBeLessThan(1e-6);
});

test("a target of another width is refused", async () => {
  const run = eagerly(() => alignmentLoss(tf.zeros([2, 3, 5]), tf.zeros([2, 3, 6])));
  await expect(run).rejects.toMatchObject({
    tag: "ShapeError",
    message: "alignment loss: projected tokens are [2,3,5] and their targets [2,3,6]; want equal [B,T,Z]",
  });
});

test("the total is denoising + coefficient × mean over targets; a control has no alignment", async () => {
  const [v, w] = [spread(24, 5), spread(24, 6)];
  const [p, z, q] = [spread(B * T * Z, 3), spread(B * T * Z, 4), spread(B * T * Z, 7)];
  const mse = v.reduce((sum, x, i) => sum + (x - w[i]!) ** 2, 0) / 24;
  const images = () => ({ predicted: tf.tensor(v, [2, 1, 3, 4]), velocity: tf.tensor(w, [2, 1, 3, 4]) });
  const [total, denoising, alignment] = await eagerly(() => {
    const target = tf.tensor(z, shape);
    const result = sitLoss({
      ...images(),
      alignments: [
        { projected: tf.tensor(p, shape), target },
        { projected: tf.tensor(q, shape), target },
      ],
      coefficient: 0.3,
    });
    return [result.loss, result.denoising, result.alignment!];
  });
  const want = (slowAlignment(p, z) + slowAlignment(q, z)) / 2;
  expect(denoising![0]).toBeCloseTo(mse, 6);
  expect(alignment![0]).toBeCloseTo(want, 6);
  expect(total![0]).toBeCloseTo(mse + 0.3 * want, 6);
  await eagerly(() => {
    const control = sitLoss({ ...images(), alignments: [], coefficient: 0.3 });
    expect(control.alignment).toBeUndefined();
    expect(control.loss.dataSync()[0]).toBeCloseTo(mse, 6);
    return control.loss;
  });
});
