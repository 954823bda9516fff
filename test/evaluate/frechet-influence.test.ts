import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import { type FeatureMatrix, selectRows } from "../../src/evaluate/feature-matrix.js";
import { frechetDistance, gaussianFrom, gaussianOf } from "../../src/evaluate/frechet-distance.js";
import { frechetInfluence } from "../../src/evaluate/frechet-influence.js";
import { gaussianRows } from "./support.js";

const influenceOf = (reference: FeatureMatrix, samples: FeatureMatrix) =>
  frechetInfluence(gaussianOf(reference), gaussianOf(samples), samples);

/** The distance with a weight on each sample; all weights equal: the distance itself. */
function weightedDistance(reference: FeatureMatrix, { data, count, dim }: FeatureMatrix, weights: number[]): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = new Float64Array(dim);
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < dim; d++) mean[d]! += (weights[i]! / total) * data[i * dim + d]!;
  }
  const covariance = new Float64Array(dim * dim);
  for (let i = 0; i < count; i++) {
    const weight = (weights[i]! / total) * (count / (count - 1));
    for (let a = 0; a < dim; a++) {
      for (let b = 0; b < dim; b++) {
        covariance[a * dim + b]! += weight * (data[i * dim + a]! - mean[a]!) * (data[i * dim + b]! - mean[b]!);
      }
    }
  }
  return frechetDistance(gaussianOf(reference), gaussianFrom(mean, covariance));
}

const deviation = (values: ArrayLike<number>) => {
  const list = Array.from(values);
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  return Math.sqrt(list.reduce((sum, value) => sum + (value - mean) ** 2, 0) / list.length);
};

describe("frechetInfluence", () => {
  const wide = gaussianRows(11, 6, 9); // a reference of fewer vectors than channels
  test.each([
    ["more samples than channels", gaussianRows(1, 40, 5), gaussianRows(2, 30, 5, 0.4)],
    ["fewer samples than channels", gaussianRows(3, 40, 9), gaussianRows(4, 6, 9, 0.4)],
    ["a reference of low rank", wide, gaussianRows(5, 30, 9, 0.2)],
    ["low rank on both sides", wide, gaussianRows(6, 7, 9, 0.2)],
  ])("is the derivative by each sample's weight: %s", (_, reference, samples) => {
    const influence = influenceOf(reference, samples);
    const n = samples.count;
    const step = 1e-4;
    const scale = deviation(influence);
    for (let i = 0; i < n; i++) {
      // (1 − ε) of all samples alike and ε of sample i
      const at = (by: number) =>
        weightedDistance(
          reference,
          samples,
          Array.from({ length: n }, (_, k) => (1 - by) / n + (k === i ? by : 0)),
        );
      const slope = (at(step) - at(-step)) / (2 * step);
      expect(Math.abs(influence[i]! - slope) / scale, `sample ${i}`).toBeLessThan(1e-4);
    }
    expect(influence.reduce((sum, value) => sum + value, 0) / n / scale).toBeCloseTo(0, 5);
  });

  test("convention: a sample farther from the reference moves the distance up", () => {
    const reference = gaussianRows(1, 50, 1);
    const samples = { data: Float64Array.of(0, 0.1, -0.1, 0.05, 9), count: 5, dim: 1 };
    const influence = influenceOf(reference, samples);
    expect(influence[4]).toBeGreaterThan(0);
    expect(Math.max(...influence.slice(0, 4))).toBeLessThan(0);
  });

  test("gives the spread of a bootstrap that computes every distance anew, and that of new samples", () => {
    const [n, dim] = [400, 6];
    const reference = gaussianRows(1, 600, dim);
    const gaussian = gaussianOf(reference);
    const samples = gaussianRows(2, n, dim, 0.25);
    const byInfluence = deviation(influenceOf(reference, samples)) / Math.sqrt(n);
    const again = Array.from({ length: 200 }, (_, r) =>
      frechetDistance(gaussian, gaussianOf(selectRows(samples, randomStream(7, "test/bootstrap", r).integers(n, n)))),
    );
    const fresh = Array.from({ length: 200 }, (_, r) =>
      frechetDistance(gaussian, gaussianOf(gaussianRows(1000 + r, n, dim, 0.25))),
    );
    // Standard deviations of 200 values are known to 5 %, that of the influences, whose tails are longer, to 5 %.
    expect(Math.abs(byInfluence / deviation(again) - 1)).toBeLessThan(0.2);
    expect(Math.abs(byInfluence / deviation(fresh) - 1)).toBeLessThan(0.2);
  });

  test("with fewer samples than channels the spread is a little too wide, never too narrow", () => {
    const [n, dim] = [24, 40];
    const reference = gaussianRows(1, 120, dim);
    const gaussian = gaussianOf(reference);
    const fresh = Array.from({ length: 150 }, (_, r) => gaussianRows(2000 + r, n, dim, 0.25));
    const spread = deviation(fresh.map((samples) => frechetDistance(gaussian, gaussianOf(samples))));
    const byInfluence = fresh.slice(0, 40).map((samples) => deviation(influenceOf(reference, samples)) / Math.sqrt(n));
    const ratio = byInfluence.reduce((sum, value) => sum + value, 0) / 40 / spread;
    // A standard deviation of 150 values is known to 6 %.
    expect(ratio).toBeGreaterThan(0.95);
    expect(ratio).toBeLessThan(1.6);
  });

  test("refuses what does not fit", () => {
    const [a, b] = [gaussianRows(1, 5, 3), gaussianRows(2, 5, 4)];
    expect(() => influenceOf(a, b)).toThrow(ShapeError);
    expect(() => frechetInfluence(gaussianOf(a), gaussianOf(a), b)).toThrow(
      /the reference has 3 channels, the samples have 4/,
    );
  });
});
