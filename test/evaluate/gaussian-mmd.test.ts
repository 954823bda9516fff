import { describe, expect, test } from "vitest";
import { NumericError } from "../../data/errors.js";
import { gaussianMmd } from "../../src/evaluate/gaussian-mmd.js";
import { gaussianRows, matrix, rowsOf } from "./support.js";

/** By its definition: all pairs, σ = 10, times 1000. */
function naive(a: number[][], b: number[][]): number {
  const unit = (rows: number[][]) => rows.map((row) => row.map((value) => value / Math.hypot(...row)));
  const [x, y] = [unit(a), unit(b)];
  const mean = (p: number[][], q: number[][]) => {
    let sum = 0;
    for (const u of p)
      for (const v of q) sum += Math.exp(-(Math.hypot(...u.map((value, d) => value - v[d]!)) ** 2) / 200);
    return sum / (p.length * q.length);
  };
  return 1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y));
}

describe("gaussianMmd", () => {
  test("is the definition, over several blocks", () => {
    const [a, b] = [gaussianRows(1, 300, 6, 0.5), gaussianRows(2, 270, 6, 0.1)];
    const want = naive(rowsOf(a), rowsOf(b));
    expect(want).toBeGreaterThan(0.1);
    expect(Math.abs(gaussianMmd(a, b) - want) / want).toBeLessThan(1e-5); // directions are float32
  });

  test("of opposite directions is 1000 · 2 (1 − exp(−4/200)), of equal ones 0, whatever the lengths", () => {
    expect(gaussianMmd(matrix([[3, 0]]), matrix([[-5, 0]]))).toBeCloseTo(2000 * (1 - Math.exp(-0.02)), 9);
    expect(gaussianMmd(matrix([[3, 4]]), matrix([[6, 8]]))).toBeCloseTo(0, 3);
  });

  test("refuses features without a direction", () => {
    expect(() => gaussianMmd(matrix([[1, 0]]), matrix([[0, 0]]))).toThrow(NumericError);
    expect(() => gaussianMmd(matrix([[1, 0]]), matrix([[0, 0]]))).toThrow(/samples: the features of image 0 are all 0/);
  });
});
