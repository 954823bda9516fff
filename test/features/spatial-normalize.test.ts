import tf from "@tensorflow/tfjs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { spatialNormalize } from "../../features/spatial-normalize.js";

beforeEach(async () => {
  await tf.setBackend("cpu");
  tf.engine().startScope();
});
afterEach(() => tf.engine().endScope());

const closeTo = (got: tf.Tensor, want: readonly number[], digits = 6): void => {
  for (const [i, value] of got.dataSync().entries()) expect(value).toBeCloseTo(want[i]!, digits);
};

describe("spatialNormalize", () => {
  test("the worked example: alpha 0.6 on three tokens", () => {
    const x = tf.tensor3d([1, 2, 3, 2.5, 5, 6], [1, 3, 2]);
    closeTo(spatialNormalize(x, { alpha: 0.6 }), [-0.3999998, -0.04588313, 0.5999997, 0.1835325, 1.5999992, 1.7894419]);
  });

  test("alpha 1: mean 0 and unbiased deviation 1 of every channel of every image; alpha 0 keeps the mean", () => {
    const x = tf.add(
      tf.mul(tf.randomNormal([3, 10, 4], 0, 1, "float32", 5), tf.tensor1d([1, 5, 0.1, 2])),
      7,
    ) as tf.Tensor3D;
    const y = spatialNormalize(x, { alpha: 1 });
    closeTo(tf.mean(y, 1), new Array(12).fill(0), 4);
    closeTo(tf.div(tf.sum(tf.square(y), 1), 9), new Array(12).fill(1), 3);
    const kept = spatialNormalize(x, { alpha: 0 });
    const ratio = tf.div(tf.mean(kept, 1), tf.mean(x, 1));
    const deviation = tf.sqrt(tf.div(tf.sum(tf.square(tf.sub(x, tf.mean(x, 1, true))), 1), 9));
    closeTo(tf.mul(ratio, deviation), new Array(12).fill(1), 3);
  });

  test("images do not see each other", () => {
    const a = tf.randomNormal<tf.Rank.R3>([1, 6, 3], 0, 1, "float32", 1);
    const b = tf.randomNormal<tf.Rank.R3>([1, 6, 3], 9, 4, "float32", 2);
    const both = spatialNormalize(tf.concat([a, b], 0), { alpha: 0.6 });
    closeTo(both.slice(0, 1), Array.from(spatialNormalize(a, { alpha: 0.6 }).dataSync()));
  });

  test("a channel that is constant over space stays finite, by eps on the deviation", () => {
    const x = tf.fill([1, 4, 1], 3) as tf.Tensor3D;
    closeTo(spatialNormalize(x, { alpha: 0.5 }), new Array(4).fill(1.5e6), -1);
    closeTo(spatialNormalize(x, { alpha: 1 }), new Array(4).fill(0));
  });

  test("leaves no tensors behind and its input alone", () => {
    const x = tf.randomNormal<tf.Rank.R3>([1, 5, 2]);
    const before = tf.memory().numTensors;
    const y = spatialNormalize(x, { alpha: 0.6 });
    expect(tf.memory().numTensors).toBe(before + 1);
    y.dispose();
    expect(x.isDisposed).toBe(false);
  });

  test("refuses one token, another rank and numbers that are none", () => {
    expect(() => spatialNormalize(tf.zeros([1, 1, 4]), { alpha: 1 })).toThrow(ShapeError);
    expect(() => spatialNormalize(tf.zeros([4, 4]) as unknown as tf.Tensor3D, { alpha: 1 })).toThrow(ShapeError);
    expect(() => spatialNormalize(tf.zeros([1, 4, 4]), { alpha: Number.NaN })).toThrow(/finite/);
  });
});
