import { describe, expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { bootstrapMean } from "../../src/rank/bootstrap-mean.js";

const OPTIONS = { seed: 0, resamples: 2000 };

describe("bootstrap interval of a mean", () => {
  test("is that of the normal distribution for many normal values", () => {
    const values = Array.from(randomStream(1, "values", 0).normal(400), (value) => 5 + 2 * value);
    const { mean, low, high, images } = bootstrapMean(values, OPTIONS);
    const average = values.reduce((a, b) => a + b) / 400;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - average) ** 2, 0) / 399);
    expect(mean).toBeCloseTo(average, 12);
    expect(images).toBe(400);
    // The ends of 2000 resamples are themselves random by about 4 % of the half width.
    const half = (1.96 * deviation) / Math.sqrt(400);
    expect(average - low!).toBeGreaterThan(0.88 * half);
    expect(average - low!).toBeLessThan(1.12 * half);
    expect(high! - average).toBeGreaterThan(0.88 * half);
    expect(high! - average).toBeLessThan(1.12 * half);
  });

  test("a shift of all values shifts it, for values of the same number are resampled alike", () => {
    const values = [0.5, 1, 4, 2.25, -3];
    const [a, b] = [values, values.map((value) => value + 8)].map((all) => bootstrapMean(all, OPTIONS));
    expect(b!.low! - a!.low!).toBeCloseTo(8, 12);
    expect(b!.high! - a!.high!).toBeCloseTo(8, 12);
    expect(bootstrapMean(values, OPTIONS)).toEqual(a);
    expect(bootstrapMean(values, { ...OPTIONS, seed: 1 })).not.toEqual(a);
  });

  test("images without a value are left out and counted", () => {
    expect(bootstrapMean([3, Number.NaN, 3], OPTIONS)).toEqual({ mean: 3, low: 3, high: 3, images: 2 });
    expect(bootstrapMean([Number.NaN], OPTIONS)).toEqual({ mean: null, low: null, high: null, images: 0 });
  });
});
