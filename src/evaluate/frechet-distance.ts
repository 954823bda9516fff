/**
 * @file The Fréchet distance of two sets of features, each taken for a Gaussian ("FID" where the features are those of the
 * ImageNet Inception network):
 *
 *   ‖μ₁ − μ₂‖² + Tr Σ₁ + Tr Σ₂ − 2 Tr (Σ₁ Σ₂)^½,   covariances with n − 1, all in float64
 *
 * No square root of a matrix is taken. With any factors Σᵢ = Fᵢᵀ Fᵢ, the eigenvalues of Σ₁Σ₂ = F₁ᵀF₁F₂ᵀF₂ other than 0 are those of
 * (F₁F₂ᵀ)(F₁F₂ᵀ)ᵀ, so that Tr (Σ₁Σ₂)^½ = Tr (Σ₁^½ Σ₂ Σ₁^½)^½ is the sum of the singular values of F₁F₂ᵀ. With fewer samples than
 * channels F is the centred samples themselves, n×D, and D×D never appears; otherwise it is a pivoted Cholesky factor of Σ.
 * Rank-deficient covariances, where the general square root of Σ₁Σ₂ loses half of its digits, are thus no special case.
 *
 * @source Heusel et al. 2017, arXiv 1706.08500, equation 6; Dowson & Landau 1982, The Fréchet distance between multivariate
 * normal distributions; Higham 2002, Accuracy and Stability of Numerical Algorithms, section 10.3 (pivoted Cholesky).
 */
import { ShapeError } from "../../data/errors.js";
import { CovarianceSum } from "./covariance-sum.js";
import { checkFeatures, checkSameDim, type FeatureMatrix, visitProducts } from "./feature-matrix.js";
import { symmetricEigenvalues } from "./symmetric-eigenvalues.js";

/** A Gaussian: its mean, and its covariance as a factor. */
export interface Gaussian {
  /** [dim] */
  readonly mean: Float64Array;
  /** Trace of the covariance. */
  readonly trace: number;
  /** [k, dim] with Σ = FᵀF. */
  readonly factor: FeatureMatrix;
  /** Upper bound of the covariance's rank. */
  readonly rank: number;
}

/**
 * The Gaussian of a set of features: sample mean and covariance (n − 1).
 *
 * @param features [n, D]; n ≥ 2. With n ≤ D the covariance is never built: n·D numbers and O(n²·D) work when compared.
 * @throws {ShapeError} fewer than two vectors. @throws {NumericError} a value that is not finite.
 */
export function gaussianOf(features: FeatureMatrix, what = "features"): Gaussian {
  checkFeatures(what, features, 2);
  const { data, count, dim } = features;
  const mean = new Float64Array(dim);
  for (let i = 0, at = 0; i < count; i++) {
    for (let d = 0; d < dim; d++, at++) mean[d] = mean[d]! + data[at]!;
  }
  for (let d = 0; d < dim; d++) mean[d] = mean[d]! / count;
  if (count > dim) {
    const sum = new CovarianceSum(dim, mean);
    sum.add(data);
    return gaussianFrom(mean, sum.result().covariance);
  }
  const scale = 1 / Math.sqrt(count - 1);
  const centred = new Float64Array(count * dim);
  let trace = 0;
  for (let i = 0, at = 0; i < count; i++) {
    for (let d = 0; d < dim; d++, at++) {
      const value = (data[at]! - mean[d]!) * scale;
      centred[at] = value;
      trace += value * value;
    }
  }
  return { mean, trace, factor: { data: centred, count, dim }, rank: count - 1 };
}

/**
 * A Gaussian from a known mean and covariance, such as the published statistics of a reference set.
 *
 * @param mean [D]
 * @param covariance [D, D] row-major, symmetric positive semidefinite; the lower triangle is read.
 * @param mostRank what its rank cannot exceed, such as n − 1 of the samples that it is of. @default D
 * @throws {ShapeError} sizes that do not fit.
 */
export function gaussianFrom(mean: Float64Array, covariance: Float64Array, mostRank = mean.length): Gaussian {
  const dim = mean.length;
  if (covariance.length !== dim * dim) {
    throw new ShapeError(
      `gaussian: want a ${dim}×${dim} covariance for a mean of ${dim}, got ${covariance.length} numbers`,
    );
  }
  checkFeatures("covariance", { data: covariance, count: dim, dim }, 1);
  let trace = 0;
  for (let d = 0; d < dim; d++) trace += covariance[d * dim + d]!;
  const factor = pivotedCholesky(covariance, dim);
  return { mean, trace, factor, rank: Math.min(factor.count, mostRank) };
}

/**
 * Fréchet distance of two Gaussians.
 *
 * @returns a squared distance, ≥ 0. Rounding can leave about 1e-8 of the larger trace where the exact value is 0.
 * @throws {ShapeError} dimensions that differ.
 */
export function frechetDistance(reference: Gaussian, samples: Gaussian): number {
  checkSameDim(reference.mean.length, samples.mean.length);
  let meanTerm = 0;
  reference.mean.forEach((value, d) => {
    meanTerm += (value - samples.mean[d]!) ** 2;
  });
  return Math.max(0, meanTerm + reference.trace + samples.trace - 2 * traceOfRoot(reference, samples));
}

/** Tr (Σ₁ Σ₂)^½: the sum of the singular values of F₁F₂ᵀ, from the smaller of its two Gram matrices. */
function traceOfRoot(a: Gaussian, b: Gaussian): number {
  const [small, large] = a.factor.count <= b.factor.count ? [a.factor, b.factor] : [b.factor, a.factor];
  if (small.count === 0) return 0;
  const gram = products(rowsOf(products(small, large), small.count), undefined);
  const squares = symmetricEigenvalues(gram, small.count);
  // What lies beyond the rank is 0 but for rounding, which the root would make large.
  let sum = 0;
  for (const square of squares.subarray(0, Math.min(a.rank, b.rank))) sum += Math.sqrt(Math.max(0, square));
  return sum;
}

const rowsOf = (data: Float64Array, count: number): FeatureMatrix => ({ data, count, dim: data.length / count });

/** All inner products of two sets of rows as one matrix; of one set with itself: the lower triangle. */
function products(a: FeatureMatrix, b: FeatureMatrix | undefined): Float64Array {
  const width = (b ?? a).count;
  const matrix = new Float64Array(a.count * width);
  visitProducts(
    a,
    b ?? a,
    (block) => {
      for (let i = 0; i < block.rows; i++) {
        const row = block.values.subarray(i * block.width, i * block.width + block.columns);
        matrix.set(row, (block.rowStart + i) * width + block.columnStart);
      }
    },
    { lower: b === undefined },
  );
  return matrix;
}

/** F [rank, D] with FᵀF = A for a symmetric positive semidefinite A [D, D] of which the lower triangle is read. */
function pivotedCholesky(a: Float64Array, dim: number): FeatureMatrix {
  const rest = Float64Array.from({ length: dim }, (_, d) => a[d * dim + d]!); // diagonal of what is not yet explained
  const enough = dim * Number.EPSILON * rest.reduce((most, value) => Math.max(most, value), 0);
  const factor = new Float64Array(dim * dim);
  let rank = 0;
  for (; rank < dim; rank++) {
    let pivot = 0;
    for (let d = 1; d < dim; d++) if (rest[d]! > rest[pivot]!) pivot = d;
    if (rest[pivot]! <= enough) break;
    const row = factor.subarray(rank * dim, (rank + 1) * dim);
    for (let d = 0; d < dim; d++) row[d] = d <= pivot ? a[pivot * dim + d]! : a[d * dim + pivot]!;
    for (let k = 0; k < rank; k++) {
      const weight = factor[k * dim + pivot]!;
      if (weight === 0) continue;
      const offset = k * dim;
      for (let d = 0; d < dim; d++) row[d] = row[d]! - weight * factor[offset + d]!;
    }
    const root = Math.sqrt(rest[pivot]!);
    for (let d = 0; d < dim; d++) {
      row[d] = row[d]! / root;
      rest[d] = rest[d]! - row[d]! * row[d]!;
    }
    row[pivot] = root;
    rest[pivot] = 0;
  }
  return { data: factor.subarray(0, rank * dim), count: rank, dim };
}
