import { describe, expect, test } from "vitest";
import { NumericError, ShapeError } from "../../data/errors.js";
import type { FeatureMatrix } from "../../src/evaluate/feature-matrix.js";
import { precisionRecall } from "../../src/evaluate/precision-recall.js";
import { gaussianRows, matrix, moved, rotated, rowsOf } from "./support.js";

/** The definition, with sorted lists of distances. */
function naive(x: FeatureMatrix, y: FeatureMatrix, k: number) {
  const distance = (u: number[], v: number[]) => Math.hypot(...u.map((value, d) => value - v[d]!));
  const covers = (centres: number[][], points: number[][]) => {
    const radii = centres.map((c) => centres.map((other) => distance(c, other)).sort((p, q) => p - q)[k]!); // [0] is itself
    return points.filter((p) => centres.some((c, i) => distance(p, c) <= radii[i]!)).length / points.length;
  };
  const [a, b] = [rowsOf(x), rowsOf(y)];
  return { precision: covers(a, b), recall: covers(b, a) };
}

describe("precisionRecall", () => {
  test.each([
    [40, 30, 5, 3],
    [30, 40, 2, 1],
    [300, 280, 3, 3], // more than one block of products
    [20, 60, 4, 7],
  ])("is the naive form for %i and %i vectors of %i, k = %i", (n, m, dim, k) => {
    const [a, b] = [gaussianRows(1, n, dim), gaussianRows(2, m, dim, 0.8)];
    const want = naive(a, b, k);
    expect(want.precision).toBeGreaterThan(0.05);
    expect(want.precision).toBeLessThan(1);
    expect(want.recall).not.toBe(want.precision);
    expect(precisionRecall(a, b, k)).toEqual(want);
  });

  test("convention: a point is not its own neighbour, k = 3 by default", () => {
    const line = matrix([[0], [1], [2], [3], [4]]); // radii with k = 3: 3, 2, 2, 2, 3
    const at = (x: number) => precisionRecall(line, matrix([[x], [100], [101], [102]])).precision;
    expect(at(-3)).toBe(0.25); // reached from 0 by 3; counting itself the radius is 2, and from 1 it is 4 away
    expect(at(-3.01)).toBe(0);
  });

  test("of a set and itself is 1 and 1, far from the origin too", () => {
    const set = gaussianRows(3, 60, 8);
    expect(precisionRecall(set, set)).toEqual({ precision: 1, recall: 1 });
    const far = moved(set, () => 1e6);
    expect(precisionRecall(far, far)).toEqual({ precision: 1, recall: 1 });
    const same = matrix(Array.from({ length: 6 }, () => [0.1, 0.2, 0.3]));
    expect(precisionRecall(same, same)).toEqual({ precision: 1, recall: 1 });
  });

  test("far from the origin is what it is at the origin", () => {
    const [a, b] = [gaussianRows(1, 40, 5), gaussianRows(2, 30, 5, 0.8)];
    const by = () => 2 ** 20; // with float64 the rows keep 32 bits behind the point
    expect(precisionRecall(moved(a, by), moved(b, by))).toEqual(naive(a, b, 3));
  });

  test("of sets far apart is 0 and 0; of one mode of two: precise, not covering", () => {
    const [a, b] = [gaussianRows(1, 40, 5), gaussianRows(2, 40, 5)];
    const away = moved(b, () => 1000);
    expect(precisionRecall(a, away)).toEqual({ precision: 0, recall: 0 });
    const both = { data: Float64Array.from([...a.data, ...away.data]), count: 80, dim: 5 };
    const one = precisionRecall(both, b);
    expect(one.precision).toBeGreaterThan(0.6);
    expect(one.recall).toBeLessThanOrEqual(0.5);
  });

  test("does not change under a rotation of both", () => {
    const [a, b] = [gaussianRows(1, 50, 6), gaussianRows(2, 50, 6, 0.5)];
    expect(precisionRecall(rotated(a, 2), rotated(b, 2))).toEqual(precisionRecall(a, b));
  });

  test("refuses too few vectors and values that are not finite", () => {
    const three = gaussianRows(1, 3, 2);
    expect(() => precisionRecall(three, three)).toThrow(ShapeError);
    expect(() => precisionRecall(three, three)).toThrow(/at least 4 feature vectors, got 3/);
    expect(() => precisionRecall(three, three, 0)).toThrow(/whole number from 1, got 0/);
    const bad = gaussianRows(1, 5, 2);
    bad.data[4] = Number.POSITIVE_INFINITY;
    expect(() => precisionRecall(gaussianRows(1, 5, 2), bad)).toThrow(NumericError);
  });
});
