import { describe, expect, test } from "vitest";
import { NumericError, ShapeError } from "../../data/errors.js";
import type { FeatureMatrix } from "../../src/evaluate/feature-matrix.js";
import { kernelDistance, kidSubsetSize, maximumMeanDiscrepancy } from "../../src/evaluate/kid.js";
import { gaussianRows, matrix, rotated, rowsOf } from "./support.js";

/** The definition: three double loops. */
function naive(x: FeatureMatrix, y: FeatureMatrix): number {
  const kernel = (u: number[], v: number[]) =>
    (u.reduce((sum, value, d) => sum + value * v[d]!, 0) / u.length + 1) ** 3;
  const mean = (a: number[][], b: number[][], same: boolean) => {
    let [sum, pairs] = [0, 0];
    for (const [i, u] of a.entries()) {
      for (const [j, v] of b.entries()) {
        if (same && i === j) continue;
        sum += kernel(u, v);
        pairs++;
      }
    }
    return sum / pairs;
  };
  const [a, b] = [rowsOf(x), rowsOf(y)];
  return mean(a, a, true) + mean(b, b, true) - 2 * mean(a, b, false);
}

describe("maximumMeanDiscrepancy", () => {
  test.each([
    [2, 2, 1],
    [13, 7, 5],
    [300, 270, 3], // more than one block of products
  ])("is the naive double loop for %i and %i vectors of %i", (n, m, dim) => {
    const [a, b] = [gaussianRows(1, n, dim), gaussianRows(2, m, dim, 0.4)];
    const want = naive(a, b);
    expect(Math.abs(maximumMeanDiscrepancy(a, b) - want)).toBeLessThan(1e-11 * Math.max(1, Math.abs(want)));
  });

  test("has a hand-computed value", () => {
    // k(1,3) = 64, k(0,2) = 1; across: k(1,0) = 1, k(1,2) = 27, k(3,0) = 1, k(3,2) = 343.
    expect(maximumMeanDiscrepancy(matrix([[1], [3]]), matrix([[0], [2]]))).toBe(64 + 1 - (2 * (1 + 27 + 1 + 343)) / 4);
  });

  test("is unbiased: its mean over splits of one set is near 0, and negative about half of the time", () => {
    const values = Array.from({ length: 40 }, (_, i) =>
      maximumMeanDiscrepancy(gaussianRows(100 + i, 30, 4), gaussianRows(500 + i, 30, 4)),
    );
    const mean = values.reduce((x, y) => x + y) / values.length;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(Math.abs(mean)).toBeLessThan((3 * spread) / Math.sqrt(values.length));
    expect(values.filter((value) => value < 0).length).toBeGreaterThan(8);
  });

  test("does not change under a rotation of both", () => {
    const [a, b] = [gaussianRows(6, 50, 7), gaussianRows(7, 40, 7, 0.5)];
    expect(maximumMeanDiscrepancy(rotated(a, 1), rotated(b, 1))).toBeCloseTo(maximumMeanDiscrepancy(a, b), 10);
  });
});

describe("kernelDistance", () => {
  const [a, b] = [gaussianRows(1, 120, 6), gaussianRows(2, 90, 6, 0.3)];

  test("influences are what leaving out a sample takes away, of the order of one part in the samples", () => {
    const [many, some] = [gaussianRows(1, 280, 6), gaussianRows(2, 270, 6, 0.3)]; // more than one block of products
    const { influence } = kernelDistance(many, some, { seed: 1, subsets: 1 });
    const whole = naive(many, some);
    const rows = rowsOf(some);
    const spread = Math.sqrt(influence.reduce((sum, value) => sum + value * value, 0) / 270);
    for (const i of [0, 1, 100, 255, 256, 269]) {
      const without = naive(many, matrix(rows.filter((_, k) => k !== i)));
      expect(Math.abs(influence[i]! - 269 * (whole - without)) / spread, `sample ${i}`).toBeLessThan(0.05);
    }
    expect(influence.reduce((sum, value) => sum + value, 0) / 270 / spread).toBeCloseTo(0, 4);
  });

  test("subsets scatter about the value of all, repeatably", () => {
    const result = kernelDistance(a, b, { seed: 1, subsets: 60, subsetSize: 40 });
    expect(result.kid).toBe(maximumMeanDiscrepancy(a, b));
    expect(Math.abs(result.subsetMean - result.kid)).toBeLessThan((4 * result.subsetStd) / Math.sqrt(60));
    expect(result.subsetStd).toBeGreaterThan(0);
    expect(kernelDistance(a, b, { seed: 1, subsets: 60, subsetSize: 40 })).toEqual(result);
    expect(kernelDistance(a, b, { seed: 2, subsets: 60, subsetSize: 40 }).subsetMean).not.toBe(result.subsetMean);
  });

  test("subsets are drawn without replacement: those of everything are everything", () => {
    const same = { ...a, data: a.data.subarray(0, 90 * 6), count: 90 };
    const result = kernelDistance(same, b, { seed: 1, subsets: 3, subsetSize: 90 });
    expect(result.subsetMean).toBeCloseTo(result.kid, 10);
    expect(result.subsetStd).toBeLessThan(1e-10);
  });

  test("takes 50 subsets of 100, or of half of the smaller set, unless told otherwise", () => {
    expect(kernelDistance(a, b, { seed: 0 })).toMatchObject({ subsets: 50, subsetSize: 45 });
    expect(kidSubsetSize(1000, 500)).toBe(100);
  });

  test("refuses too few vectors, subsets that do not fit and values that are not finite", () => {
    expect(() => kernelDistance(gaussianRows(1, 3, 2), b, { seed: 0 })).toThrow(ShapeError);
    expect(() => kernelDistance(a, b, { seed: 0, subsetSize: 91 })).toThrow(/subsets of 2 to 90 vectors, got 50 of 91/);
    expect(() => maximumMeanDiscrepancy(matrix([[1], [Number.NaN]]), matrix([[1], [2]]))).toThrow(NumericError);
  });
});
