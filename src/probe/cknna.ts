/**
 * @file CKNNA, centred kernel nearest-neighbour alignment: whether two representations of the same images agree about which images are
 * alike, looking only at pairs that are among the k nearest of each other's first in both. 0 for unrelated ones, 1 for equal ones.
 *
 * Kernels are cosines: rows are scaled to unit length, as the released code's callers do (its clipping of outliers is left out).
 * Two variants are in use and named:
 *
 * - `code`, as released: unbiased HSIC (Song et al., JMLR 13, 2012, eq. 5) of both kernels with all but the common neighbours set to 0.
 *   Those are not symmetric, so that the order of the two matters in the third digit.
 * - `paper`, its formula: Σ over common neighbours of the products of the kernels less their rows' means.
 *
 * Both are divided by the root of the product of each with itself.
 *
 * @source Huh et al., The Platonic Representation Hypothesis, arXiv 2405.07987, appendix A; its `metrics.py` @ 07ef02a. REPA (arXiv
 * 2410.06940) reports it with k = 10 of features averaged over patches.
 */
import { UsageError } from "../../data/errors.js";

/** One representation of N images: who is near whom. */
export interface Neighbourhoods {
  /** N */
  readonly count: number;
  /** [N,N] float64 cosines. */
  readonly kernel: Float64Array;
  /** For each image its k nearest others; of equally near ones the first. */
  readonly nearest: readonly ReadonlySet<number>[];
  /** Of each row of the kernel, itself included. */
  readonly rowMeans: Float64Array;
  /** All images are the same: nobody is nearer than another. */
  readonly isFlat: boolean;
}

export interface Cknna {
  readonly code: number;
  readonly paper: number;
}

/** Cosines that differ by less are equal but for rounding of float32. */
const FLAT = 1e-6;

/**
 * Find the neighbours of all images, for {@link cknna}.
 *
 * @param features [N,D].
 * @throws {UsageError} k below 2, or fewer than k + 2 images.
 */
export function findNeighbours(features: Float32Array, count: number, k: number): Neighbourhoods {
  if (!Number.isInteger(k) || k < 2) throw new UsageError(`CKNNA: wanted k of 2 or more neighbours, got ${k}`);
  if (count < Math.max(k + 2, 4)) {
    throw new UsageError(`CKNNA: wanted at least ${Math.max(k + 2, 4)} images for ${k} neighbours, got ${count}`);
  }
  const dim = features.length / count;
  const unit = Float64Array.from(features);
  for (let i = 0; i < count; i++) {
    const row = unit.subarray(i * dim, (i + 1) * dim);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (length > 0) for (let d = 0; d < dim; d++) row[d]! /= length;
  }
  const kernel = new Float64Array(count * count);
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let product = 0;
      for (let d = 0; d < dim; d++) product += unit[i * dim + d]! * unit[j * dim + d]!;
      kernel[i * count + j] = product;
      kernel[j * count + i] = product;
      if (i !== j) [least, most] = [Math.min(least, product), Math.max(most, product)];
    }
  }
  const rowMeans = new Float64Array(count);
  const nearest: Set<number>[] = [];
  for (let i = 0; i < count; i++) {
    const row = kernel.subarray(i * count, (i + 1) * count);
    rowMeans[i] = row.reduce((sum, value) => sum + value, 0) / count;
    const others = Array.from(row.keys()).filter((j) => j !== i);
    others.sort((a, b) => row[b]! - row[a]! || a - b);
    nearest.push(new Set(others.slice(0, k)));
  }
  return { count, kernel, nearest, rowMeans, isFlat: !(most - least > FLAT) };
}

/**
 * CKNNA of two representations of the same images.
 *
 * @returns NaN where one of them is the same for all images.
 */
export function cknna(a: Neighbourhoods, b: Neighbourhoods): Cknna {
  if (a.isFlat || b.isFlat) return { code: Number.NaN, paper: Number.NaN };
  const [ab, aa, bb] = [agreement(a, b), agreement(a, a), agreement(b, b)];
  // The small number is the released code's.
  return { code: ab.code / (Math.sqrt(aa.code * bb.code) + 1e-6), paper: ab.paper / Math.sqrt(aa.paper * bb.paper) };
}

/** Both variants before they are divided by those of each with itself. */
function agreement(a: Neighbourhoods, b: Neighbourhoods): Cknna {
  const { count: n } = a;
  const rowsOfB = new Float64Array(n); // sums of the rows of B and of the columns of A, both with zeros for all but common neighbours
  const columnsOfA = new Float64Array(n);
  let [trace, sumA, sumB, centred] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    for (const j of a.nearest[i]!) {
      if (!b.nearest[i]!.has(j)) continue;
      const [inA, inB] = [a.kernel[i * n + j]!, b.kernel[i * n + j]!];
      if (a.nearest[j]!.has(i) && b.nearest[j]!.has(i)) trace += inA * inB;
      sumA += inA;
      sumB += inB;
      columnsOfA[j]! += inA;
      rowsOfB[i]! += inB;
      centred += (inA - a.rowMeans[i]!) * (inB - b.rowMeans[i]!);
    }
  }
  const products = columnsOfA.reduce((sum, column, j) => sum + column * rowsOfB[j]!, 0);
  const hsic = trace + (sumA * sumB) / ((n - 1) * (n - 2)) - (2 * products) / (n - 2);
  return { code: hsic / (n * (n - 3)), paper: centred };
}
