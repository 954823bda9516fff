import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { NumericError, ShapeError } from "../../data/errors.js";
import type { FeatureMatrix } from "../../src/evaluate/feature-matrix.js";
import { frechetDistance, gaussianFrom, gaussianOf } from "../../src/evaluate/frechet-distance.js";
import { symmetricEigenvalues } from "../../src/evaluate/symmetric-eigenvalues.js";
import { gaussianRows, matrix, moved, rotated } from "./support.js";

const distance = (a: FeatureMatrix, b: FeatureMatrix) => frechetDistance(gaussianOf(a), gaussianOf(b));

/** The textbook form, by ml-matrix: Tr (√Σ₁ Σ₂ √Σ₁)^½ from two eigendecompositions. */
function textbook(a: FeatureMatrix, b: FeatureMatrix): number {
  const [x, y] = [a, b].map(({ data, count, dim }) => Matrix.from1DArray(count, dim, data));
  const covariance = (m: Matrix) => {
    const centred = m.clone().subRowVector(m.mean("column"));
    return centred
      .transpose()
      .mmul(centred)
      .div(m.rows - 1);
  };
  const [s1, s2] = [covariance(x!), covariance(y!)];
  const e1 = new EigenvalueDecomposition(s1, { assumeSymmetric: true });
  const roots = Matrix.diag(e1.realEigenvalues.map((value) => Math.sqrt(Math.max(0, value))));
  const root = e1.eigenvectorMatrix.mmul(roots).mmul(e1.eigenvectorMatrix.transpose());
  const inner = new EigenvalueDecomposition(root.mmul(s2).mmul(root), { assumeSymmetric: true });
  const trace = inner.realEigenvalues.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
  const difference = Matrix.rowVector(x!.mean("column")).sub(Matrix.rowVector(y!.mean("column")));
  return difference.norm() ** 2 + s1.trace() + s2.trace() - 2 * trace;
}

describe("frechetDistance", () => {
  test("of diagonal Gaussians is Σ (μ₁−μ₂)² + (σ₁−σ₂)²", () => {
    const [means, stds] = [
      [
        [1, -2, 0.5],
        [3, 1, 0.5],
      ],
      [
        [1, 2, 3],
        [4, 0, 0.5],
      ],
    ];
    const [a, b] = [0, 1].map((i) =>
      gaussianFrom(
        Float64Array.from(means[i]!),
        Float64Array.from({ length: 9 }, (_, k) => (k % 4 === 0 ? stds[i]![k / 4]! ** 2 : 0)),
      ),
    );
    // (2² + 3² + 0) + (3² + 2² + 2.5²)
    expect(frechetDistance(a!, b!)).toBeCloseTo(32.25, 12);
  });

  test("of covariances that do not commute is the 2×2 closed form Tr √(AB) = √(Tr AB + 2 √det AB)", () => {
    const [a, b] = [Float64Array.of(2, 0.5, 0.5, 1), Float64Array.of(1, -0.7, -0.7, 3)];
    const traceProduct = 2 * 1 + 2 * 0.5 * -0.7 + 1 * 3;
    const root = Math.sqrt(traceProduct + 2 * Math.sqrt((2 - 0.25) * (3 - 0.49)));
    const mean = Float64Array.of(0, 0);
    expect(frechetDistance(gaussianFrom(mean, a), gaussianFrom(mean, b))).toBeCloseTo(3 + 4 - 2 * root, 12);
  });

  test("convention: covariances divide by n − 1", () => {
    // Points ±1 on a line: variance 2 with n − 1 (1 with n), against 0.
    expect(distance(matrix([[1], [-1]]), matrix([[0], [0]]))).toBeCloseTo(2, 12);
  });

  test.each([
    ["more samples than channels", 200, 12, 150],
    ["fewer samples than channels", 14, 40, 9],
    ["one side of each", 100, 30, 20],
    ["as many as channels", 16, 16, 17],
  ])("is the textbook form with %s", (_, n, dim, m) => {
    const [a, b] = [gaussianRows(1, n, dim), gaussianRows(2, m, dim, 0.3)];
    const want = textbook(a, b);
    expect(Math.abs(distance(a, b) - want) / want).toBeLessThan(1e-6); // the textbook's square roots of rounding
  });

  test("of a set and itself is 0, at full and at low rank, and with dead channels", () => {
    const dead = gaussianRows(4, 60, 10);
    for (let i = 0; i < 60; i++) dead.data[i * 10 + 3] = 0;
    for (const set of [gaussianRows(3, 90, 20), gaussianRows(3, 10, 50), dead]) {
      expect(distance(set, set)).toBeLessThan(1e-7 * gaussianOf(set).trace);
    }
  });

  test("of a set and its translation is the squared length of the translation", () => {
    const set = gaussianRows(5, 40, 8);
    const want = Array.from({ length: 8 }, (_, d) => (0.1 * d) ** 2).reduce((x, y) => x + y);
    expect(
      distance(
        set,
        moved(set, (d) => 0.1 * d),
      ),
    ).toBeCloseTo(want, 8);
  });

  test("does not change under a rotation of both, nor with the order", () => {
    const [a, b] = [gaussianRows(6, 50, 7), gaussianRows(7, 40, 7, 0.5)];
    const want = distance(a, b);
    expect(distance(rotated(a, 1), rotated(b, 1))).toBeCloseTo(want, 9);
    expect(distance(rotated(a, 1), b)).not.toBeCloseTo(want, 2);
    expect(distance(b, a)).toBeCloseTo(want, 9);
  });

  test("takes float32 features", () => {
    const [a, b] = [gaussianRows(6, 50, 7), gaussianRows(7, 40, 7, 0.5)];
    const float = (set: FeatureMatrix) => ({ ...set, data: Float32Array.from(set.data) });
    expect(distance(float(a), float(b))).toBeCloseTo(distance(a, b), 5);
  });

  test("refuses what has no covariance, other dimensions and values that are not finite", () => {
    expect(() => gaussianOf(matrix([[1, 2]]))).toThrow(ShapeError);
    expect(() => gaussianOf(matrix([[1, 2]]))).toThrow(/at least 2 feature vectors, got 1/);
    expect(() => distance(gaussianRows(1, 5, 3), gaussianRows(1, 5, 4))).toThrow(
      /reference has 3 channels, the samples have 4/,
    );
    const set = gaussianRows(1, 5, 3);
    set.data[7] = Number.NaN;
    expect(() => gaussianOf(set, "samples")).toThrow(NumericError);
    expect(() => gaussianOf(set, "samples")).toThrow(
      /samples: features must be finite, got NaN at vector 2, channel 1/,
    );
    expect(() => gaussianFrom(Float64Array.of(1, 2), Float64Array.of(1, 2, 3))).toThrow(/2×2 covariance/);
  });
});

test("covariances whose variances span 300 powers of ten: the distance of diagonal Gaussians in closed form", () => {
  const dim = 150;
  const gaussian = (fade: number) => {
    const covariance = new Float64Array(dim * dim);
    for (let d = 0; d < dim; d++) covariance[d * dim + d] = fade ** d;
    return gaussianFrom(new Float64Array(dim), covariance);
  };
  let want = 0;
  for (let d = 0; d < dim; d++) want += (0.01 ** (d / 2) - 0.02 ** (d / 2)) ** 2;
  expect(Math.abs(frechetDistance(gaussian(0.01), gaussian(0.02)) / want - 1)).toBeLessThan(1e-7);
});

describe("symmetricEigenvalues", () => {
  test.each([1, 2, 3, 17, 64])("are those of ml-matrix at size %i", (size) => {
    const rows = Matrix.from1DArray(size, size, gaussianRows(size, size, size).data);
    const symmetric = rows.clone().add(rows.transpose());
    const want = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true }).realEigenvalues.sort(
      (x, y) => y - x,
    );
    const got = symmetricEigenvalues(Float64Array.from(symmetric.to1DArray()), size);
    const largest = Math.max(...want.map(Math.abs));
    got.forEach((value, i) => {
      expect(Math.abs(value - want[i]!)).toBeLessThan(1e-13 * size * largest);
    });
  });

  test("of the chain with 2 on and −1 beside the diagonal are 2 − 2 cos(kπ/(n+1))", () => {
    const size = 30;
    const chain = Float64Array.from({ length: size * size }, (_, i) => {
      const apart = Math.abs((i % size) - Math.floor(i / size));
      return apart === 0 ? 2 : apart === 1 ? -1 : 0;
    });
    symmetricEigenvalues(chain, size).forEach((value, i) => {
      expect(value).toBeCloseTo(2 - 2 * Math.cos(((size - i) * Math.PI) / (size + 1)), 12);
    });
  });

  // Channels that hardly vary beside others, as those of a network that is narrower inside than at its end.
  test.each([0.8, 0.5])("rows that fade by %f each, down to nothing", (fade) => {
    const size = 200;
    const rows = Matrix.from1DArray(size, size, gaussianRows(7, size, size).data);
    const faded = Matrix.diag(Array.from({ length: size }, (_, i) => fade ** i)).mmul(rows);
    const gram = faded.mmul(faded.transpose());
    const want = new EigenvalueDecomposition(gram, { assumeSymmetric: true }).realEigenvalues.sort((x, y) => y - x);
    const got = symmetricEigenvalues(Float64Array.from(gram.to1DArray()), size);
    got.forEach((value, i) => {
      expect(Math.abs(value - want[i]!)).toBeLessThan(size * 2 ** -52 * want[0]!);
    });
  });

  test("refuses a matrix that is not finite", () => {
    expect(() => symmetricEigenvalues(Float64Array.of(1, 0, Number.NaN, 1), 2)).toThrow(NumericError);
  });
});
