import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { correlateColumns } from "../../src/analyze/correlate.js";

interface Coefficient {
  readonly coefficient: number;
  readonly p: number;
  readonly interval: readonly [number, number];
}

/** Of SciPy and NumPy: `make_correlations.py`. */
const want = JSON.parse(readFileSync(new URL("correlations.json", import.meta.url), "utf8")) as {
  readonly x: number[];
  readonly y: number[];
  readonly pearson: Coefficient;
  readonly spearman: Coefficient;
  readonly slope: number;
  readonly intercept: number;
};
const SETTINGS = { seed: 0, resamples: 10_000 };

describe("correlating two columns", () => {
  const got = correlateColumns(want.x, want.y, SETTINGS)!;

  test.each(["pearson", "spearman"] as const)("%s: coefficient and p are SciPy's", (name) => {
    expect(got[name].coefficient).toBeCloseTo(want[name].coefficient, 12);
    expect(got[name].p / want[name].p).toBeCloseTo(1, 9);
  });

  // The ends of 10,000 resamples scatter by about 0.005; 400,000 are next to exact.
  test.each(["pearson", "spearman"] as const)("%s: the interval is NumPy's percentile bootstrap", (name) => {
    const [low, high] = want[name].interval;
    expect(Math.abs(got[name].low! - low)).toBeLessThan(0.015);
    expect(Math.abs(got[name].high! - high)).toBeLessThan(0.015);
    expect(got[name].resamples).toBe(SETTINGS.resamples);
  });

  test("the line is SciPy's linregress", () => {
    expect(got.line.slope).toBeCloseTo(want.slope, 10);
    expect(got.line.intercept).toBeCloseTo(want.intercept, 10);
  });

  test("the same seed gives the same interval, another one another", () => {
    expect(correlateColumns(want.x, want.y, SETTINGS)).toEqual(got);
    const other = correlateColumns(want.x, want.y, { ...SETTINGS, seed: 1 })!;
    expect(other.pearson.coefficient).toBe(got.pearson.coefficient);
    expect(other.pearson.low).not.toBe(got.pearson.low);
  });

  test("falls with the sign of a column", () => {
    const turned = correlateColumns(
      want.x,
      want.y.map((value) => -value),
      SETTINGS,
    )!;
    expect(turned.pearson.coefficient).toBeCloseTo(-got.pearson.coefficient, 12);
    expect(turned.pearson.high).toBeCloseTo(-got.pearson.low!, 12);
    expect(turned.line.slope).toBeCloseTo(-got.line.slope, 12);
  });

  test("few points: no interval below five, nothing below three or on constants", () => {
    const few = correlateColumns([1, 2, 3, 4], [4, 3, 2, 2], SETTINGS)!;
    expect(few.pearson).toMatchObject({ low: null, high: null, resamples: 0 });
    expect(few.pearson.coefficient).toBeLessThan(-0.9);
    expect(correlateColumns([1, 2], [2, 1], SETTINGS)).toBeNull();
    expect(correlateColumns([1, 1, 1, 1, 1], [2, 1, 3, 4, 5], SETTINGS)).toBeNull();
    // Of five points in two places some resamples draw one place only: they have no coefficient.
    const twice = correlateColumns([0, 0, 0, 0, 1], [1, 2, 1, 2, 5], SETTINGS)!;
    expect(twice.pearson.resamples).toBeLessThan(SETTINGS.resamples);
    expect(twice.pearson.high).toBeLessThanOrEqual(1);
  });
});
