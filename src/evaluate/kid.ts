/**
 * @file Kernel Inception Distance: the squared maximum mean discrepancy of two sets of features under the cubic kernel
 * k(x, y) = (xᵀy / D + 1)³. Its estimator is unbiased, so sets of different sizes can be compared, and values may be below 0.
 *
 * @source Bińkowski et al. 2018, Demystifying MMD GANs, arXiv 1801.01401, section 4; the estimator is equation 3 of Gretton et
 * al. 2012, A Kernel Two-Sample Test.
 */
import { ShapeError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import { checkPair, type FeatureMatrix, selectRows, visitProducts } from "./feature-matrix.js";

export interface KernelDistance {
  /** Unbiased estimate from all vectors. */
  readonly kid: number;
  /** Mean over the subsets. */
  readonly subsetMean: number;
  /** Population standard deviation over the subsets: the spread of an estimate from `subsetSize` vectors. */
  readonly subsetStd: number;
  readonly subsets: number;
  readonly subsetSize: number;
}

export interface KernelDistanceOptions {
  /** Of the draws of the subsets. */
  readonly seed: number;
  /** Default {@link KID_SUBSETS}. */
  readonly subsets?: number;
  /** Vectors of each set in a subset, drawn without replacement. Default {@link kidSubsetSize}. */
  readonly subsetSize?: number;
}

/** Subsets by default. */
export const KID_SUBSETS = 50;

/** Vectors in a subset by default: 100, or half of the smaller set, because subsets that are nearly the whole do not differ. */
export const kidSubsetSize = (reference: number, samples: number): number =>
  Math.min(100, Math.floor(Math.min(reference, samples) / 2));

/**
 * KID of samples against a reference.
 *
 * @param reference [n, D]; n ≥ 4.
 * @param samples [m, D]; m ≥ 4.
 * @throws {ShapeError} fewer than 4 vectors, dimensions that differ, or subsets larger than a set.
 * @throws {NumericError} features that are not finite.
 */
export function kernelDistance(
  reference: FeatureMatrix,
  samples: FeatureMatrix,
  options: KernelDistanceOptions,
): KernelDistance {
  checkPair(reference, samples, 4);
  const subsets = options.subsets ?? KID_SUBSETS;
  const subsetSize = options.subsetSize ?? kidSubsetSize(reference.count, samples.count);
  const most = Math.min(reference.count, samples.count);
  if (subsets < 1 || subsetSize < 2 || subsetSize > most) {
    throw new ShapeError(`KID: want subsets of 2 to ${most} vectors, got ${subsets} of ${subsetSize}`);
  }
  const values = Array.from({ length: subsets }, (_, subset) => {
    const stream = randomStream(options.seed, "evaluate/kid", subset);
    const draw = (from: FeatureMatrix) => selectRows(from, stream.permutation(from.count).subarray(0, subsetSize));
    return maximumMeanDiscrepancy(draw(reference), draw(samples));
  });
  const subsetMean = values.reduce((sum, value) => sum + value, 0) / subsets;
  const subsetStd = Math.sqrt(values.reduce((sum, value) => sum + (value - subsetMean) ** 2, 0) / subsets);
  return { kid: maximumMeanDiscrepancy(reference, samples), subsetMean, subsetStd, subsets, subsetSize };
}

/**
 * Unbiased squared MMD: mean of k over pairs of different vectors within each set, minus twice its mean across the sets.
 *
 * @param reference [n, D]; n ≥ 2. @param samples [m, D]; m ≥ 2. @param degree of the polynomial kernel. @default 3
 * @throws {ShapeError | NumericError} as {@link kernelDistance}, from two vectors on.
 */
export function maximumMeanDiscrepancy(reference: FeatureMatrix, samples: FeatureMatrix, degree = 3): number {
  checkPair(reference, samples, 2);
  return (
    meanWithin(reference, degree) +
    meanWithin(samples, degree) -
    (2 * kernelSum(reference, samples, degree, false)) / (reference.count * samples.count)
  );
}

const meanWithin = (set: FeatureMatrix, degree: number): number =>
  (2 * kernelSum(set, set, degree, true)) / (set.count * (set.count - 1));

/** Sum of k over all pairs; `below`: over those with row > column only. */
function kernelSum(a: FeatureMatrix, b: FeatureMatrix, degree: number, below: boolean): number {
  let total = 0;
  visitProducts(
    a,
    b,
    ({ values, width, rowStart, rows, columnStart, columns }) => {
      let sum = 0; // per block, so that long sums keep their digits
      for (let i = 0; i < rows; i++) {
        const end = below ? Math.min(columns, rowStart + i - columnStart) : columns;
        for (let j = 0; j < end; j++) sum += (values[i * width + j]! / a.dim + 1) ** degree;
      }
      total += sum;
    },
    { lower: below },
  );
  return total;
}
