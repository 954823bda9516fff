import tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { gelu, layerNorm, linear } from "../../src/models/layers.js";
import { patchify, unpatchify } from "../../src/models/patches.js";
import { positionEmbedding } from "../../src/models/position-embedding.js";
import { timeFeatures } from "../../src/models/time-embedding.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

const close = (got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): void => {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) expect(Math.abs(got[i]! - want[i]!), `at ${i}`).toBeLessThanOrEqual(tolerance);
};

describe("closed forms", () => {
  test("convention: the position embedding has the column first", () => {
    const pe = positionEmbedding(2, 8);
    const first = [0.84147098, 0.00999983, 0.54030231, 0.99995];
    close(pe.subarray(8, 16), [...first, 0, 0, 1, 1], 1e-7); // row 0, column 1
    close(pe.subarray(16, 24), [0, 0, 1, 1, ...first], 1e-7); // row 1, column 0
  });

  test("convention: the time embedding has cosines first and t as it is", () => {
    const got = timeFeatures(tf.tensor1d([0.5]), 8).dataSync();
    close(got, [0.87758256, 0.99875026, 0.9999875, 0.99999988, 0.47942554, 0.04997917, 0.005, 0.0005], 1e-7);
  });

  test("GELU is the tanh form, not the exact one", () => {
    const xs = [-6, -3, -1, -0.1, 0, 0.5, 2, 5];
    const want = xs.map((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))));
    close(gelu(tf.tensor1d(xs)).dataSync(), want, 1e-6);
    expect(Math.abs(gelu(tf.tensor1d([2])).dataSync()[0]! - 1.954499736)).toBeGreaterThan(5e-5);
  });

  test("layer normalization divides by n and adds its epsilon inside the root", () => {
    const row = [1e-3, 2e-3, 4e-3, -3e-3]; // so small that the epsilon matters
    const mean = row.reduce((a, b) => a + b) / 4;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 4;
    const want = row.map((x) => (x - mean) / Math.sqrt(variance + 1e-6));
    close(layerNorm(tf.tensor2d(row, [1, 4])).dataSync(), want, 1e-5);
  });

  test("linear takes [out,in] weights and flattens further axes", () => {
    const params = { "a.weight": tf.tensor([1, 2, 3, 4, 5, 6], [2, 3, 1]), "a.bias": tf.tensor1d([10, 20]) };
    const y = linear(tf.tensor([1, 0, -1, 2, 2, 2], [1, 2, 3]), params, "a");
    expect(y.shape).toEqual([1, 2, 2]);
    close(y.dataSync(), [8, 18, 22, 50], 0);
    expect(() => linear(tf.zeros([1, 3]), params, "b")).toThrow(/parameter b.weight is missing/);
  });
});

describe("written-out gradients equal those of a plain version", () => {
  const plain = {
    gelu: (x: tf.Tensor) => {
      const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
      return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
    },
    layerNorm: (x: tf.Tensor) => {
      const centred = tf.sub(x, tf.mean(x, -1, true));
      return tf.div(centred, tf.sqrt(tf.add(tf.mean(tf.square(centred), -1, true), 1e-6)));
    },
  };
  test.each([
    ["gelu", gelu, plain.gelu],
    ["layerNorm", layerNorm, plain.layerNorm],
  ] as const)("%s", (_, ours, reference) => {
    const x = tf.randomNormal([2, 3, 8], 0.3, 1.5, "float32", 11);
    const weights = tf.randomNormal([2, 3, 8], 0, 1, "float32", 12);
    const gradient = (f: (x: tf.Tensor) => tf.Tensor) =>
      tf
        .grad((input: tf.Tensor) => tf.sum(tf.mul(f(input), weights)))(x)
        .dataSync();
    close(ours(x).dataSync(), reference(x).dataSync(), 2e-6);
    close(gradient(ours), gradient(reference), 5e-6);
    expect(Math.max(...gradient(ours))).toBeGreaterThan(0.1);
  });
});

describe("patches", () => {
  test("convention: channel-slowest on the way in, channel-fastest on the way out, tokens row-major", () => {
    // Value = 100·channel + 10·row + column, 2 channels of 4×4.
    const image = tf.tensor4d(
      Array.from({ length: 32 }, (_, i) => 100 * Math.floor(i / 16) + 10 * (Math.floor(i / 4) % 4) + (i % 4)),
      [1, 2, 4, 4],
    );
    const tokens = patchify(image, 2);
    expect(tokens.shape).toEqual([4, 8]);
    close(tokens.dataSync().subarray(8, 16), [2, 3, 12, 13, 102, 103, 112, 113], 0); // token 1: row 0, column 1
    const back = unpatchify(tf.tensor2d([...Array(32).keys()], [4, 8]), 2, 2, 2);
    expect(back.shape).toEqual([1, 2, 4, 4]);
    // Token 0 holds (row, column, channel): channel 0 gets the even entries.
    close(back.dataSync().subarray(0, 8), [0, 2, 8, 10, 4, 6, 12, 14], 0);
    close(back.dataSync().subarray(16, 20), [1, 3, 9, 11], 0);
  });
});
