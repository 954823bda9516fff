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
import { remembered } from "./remembered.js";

export interface KernelDistance {
  /** Unbiased estimate from all vectors. */
  readonly kid: number;
  /** Mean over the subsets. */
  readonly subsetMean: number;
  /** Population standard deviation over the subsets: the spread of an estimate from `subsetSize` vectors. */
  readonly subsetStd: number;
  readonly subsets: number;
  readonly subsetSize: number;
  /**
   * [m]: how far each sample moves the estimate, mean 0: the first-order projection of the U-statistic,
   * 2 (mean over other samples of k − mean over the reference of k). Where the two sets have one distribution, and the projection
   * is 0, its own noise makes intervals wide, not narrow.
   */
  readonly influence: Float32Array;
}

export interface KernelDistanceOptions {
  /** Of the draws of the subsets. */
  readonly seed: number;
  /** Default {@link KID_SUBSETS}. */
  readonly subsets?: number;
  /** Vectors of each set in a subset, drawn without replacement. Default {@link kidSubsetSize}. */
  readonly subsetSize?: number;
}

/** Of the polynomial kernel. */
const DEGREE = 3;

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
  const { value: kid, influence } = discrepancy(reference, samples, DEGREE, cubicMean(reference));
  return { kid, subsetMean, subsetStd, subsets, subsetSize, influence };
}

/**
 * Unbiased squared MMD: mean of k over pairs of different vectors within each set, minus twice its mean across the sets.
 *
 * @param reference [n, D]; n ≥ 2. @param samples [m, D]; m ≥ 2. @param degree of the polynomial kernel. @default 3
 * @throws {ShapeError | NumericError} as {@link kernelDistance}, from two vectors on.
 */
export function maximumMeanDiscrepancy(reference: FeatureMatrix, samples: FeatureMatrix, degree = DEGREE): number {
  checkPair(reference, samples, 2);
  return discrepancy(reference, samples, degree, meanWithin(reference, degree)).value;
}

/** Mean of k over pairs of different vectors. @param ofColumns gets the sum of each with all others added. */
function meanWithin(set: FeatureMatrix, degree: number, ofColumns?: Float64Array): number {
  const options = { below: true, ...(ofColumns === undefined ? {} : { ofColumns }) };
  return (2 * kernelSum(set, set, degree, options)) / (set.count * (set.count - 1));
}

const cubicMean = remembered((reference) => meanWithin(reference, DEGREE));

function discrepancy(reference: FeatureMatrix, samples: FeatureMatrix, degree: number, ofReference: number) {
  const [n, m] = [reference.count, samples.count];
  const [within, across] = [new Float64Array(m), new Float64Array(m)]; // sums of k for each sample
  const ofSamples = meanWithin(samples, degree, within);
  const between = (2 * kernelSum(reference, samples, degree, { ofColumns: across })) / (n * m);
  // The means of both terms are those of the estimate: what is left has the mean 0.
  const influence = Float32Array.from(
    within,
    (sum, i) => (2 * sum) / (m - 1) - (2 * across[i]!) / n - 2 * ofSamples + between,
  );
  return { value: ofReference + ofSamples - between, influence };
}

interface KernelSumOptions {
  /** Only pairs with row > column, each for both of its vectors. */
  readonly below?: boolean;
  /** Gets the sum of each column (below: of each vector with all others) added. */
  readonly ofColumns?: Float64Array;
}

/** Sum of k over all pairs. */
function kernelSum(a: FeatureMatrix, b: FeatureMatrix, degree: number, options: KernelSumOptions): number {
  const { below = false, ofColumns = new Float64Array(b.count) } = options;
  let total = 0;
  visitProducts(
    a,
    b,
    ({ values, width, rowStart, rows, columnStart, columns }) => {
      let sum = 0; // per block, so that long sums keep their digits
      for (let i = 0; i < rows; i++) {
        const end = below ? Math.min(columns, rowStart + i - columnStart) : columns;
        let ofRow = 0;
        for (let j = 0; j < end; j++) {
          const kernel = (values[i * width + j]! / a.dim + 1) ** degree;
          ofRow += kernel;
          ofColumns[columnStart + j]! += kernel;
        }
        if (below) ofColumns[rowStart + i]! += ofRow;
        sum += ofRow;
      }
      total += sum;
    },
    { lower: below },
  );
  return total;
}
