import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { CovarianceSum } from "../../src/evaluate/covariance-sum.js";
import { frechetDistance, gaussianFrom, gaussianOf } from "../../src/evaluate/frechet-distance.js";
import { gaussianRows, rowsOf } from "./support.js";

describe("CovarianceSum", () => {
  test.each([
    ["a few", 7, 3, 0],
    ["more than a chunk, far from 0", 1300, 5, 1e4],
  ])("is the two-pass covariance, however the vectors come: %s", (_, n, dim, shift) => {
    const set = gaussianRows(n, n, dim, shift);
    const sum = new CovarianceSum(dim);
    for (let at = 0; at < n; at += 3) sum.add(set.data.subarray(at * dim, Math.min(n, at + 3) * dim));
    const { mean, covariance } = sum.result();
    const rows = rowsOf(set);
    for (let i = 0; i < dim; i++) {
      const means = rows[0]!.map((__, d) => rows.reduce((total, row) => total + row[d]!, 0) / n);
      expect(mean[i]).toBeCloseTo(means[i]!, 8);
      for (let j = 0; j <= i; j++) {
        const want = rows.reduce((total, row) => total + (row[i]! - means[i]!) * (row[j]! - means[j]!), 0) / (n - 1);
        expect(covariance[i * dim + j]).toBeCloseTo(want, 8);
      }
    }
  });

  test("with fewer vectors than channels the distance is that of the vectors themselves", () => {
    const [a, b] = [gaussianRows(1, 9, 30), gaussianRows(2, 12, 30, 0.4)];
    const [x, y] = [a, b].map((set) => {
      const sum = new CovarianceSum(30);
      sum.add(set.data);
      const { mean, covariance } = sum.result();
      return gaussianFrom(mean, covariance, set.count - 1);
    });
    const want = frechetDistance(gaussianOf(a), gaussianOf(b));
    expect(Math.abs(frechetDistance(x!, y!) - want) / want).toBeLessThan(1e-9);
  });

  test("refuses fewer than two vectors, and parts of vectors", () => {
    const sum = new CovarianceSum(3);
    sum.add(new Float64Array(3));
    expect(() => sum.result()).toThrow(ShapeError);
    expect(() => sum.add(new Float64Array(4))).toThrow(/4 numbers are no vectors of 3/);
  });
});
