/**
 * @file The squared maximum mean discrepancy under a Gaussian kernel, of features scaled to unit length: CMMD, where they are those of the
 * CLIP encoder of its paper.
 *
 *   1000 · ( mean k(x, x') + mean k(y, y') − 2 mean k(x, y) ),   k(u, v) = exp(−‖u − v‖² / (2 · 10²))
 *
 * Means are over all pairs, those of a vector with itself included, as in the published code: the estimate is biased, by about
 * 1000 · (1/n + 1/m) · (1 − mean k), and never below 0 but for rounding.
 *
 * @source Jayasumana et al. 2024, Rethinking FID: Towards a Better Evaluation Metric for Image Generation, arXiv 2401.09603, equation 4
 *   and section 4; github.com/google-research/google-research, cmmd/distance.py.
 */
import { NumericError } from "../../data/errors.js";
import { checkPair, type FeatureMatrix, visitProducts } from "./feature-matrix.js";
import { remembered } from "./remembered.js";

const SIGMA = 10;
const SCALE = 1000;

/**
 * @param reference [n, D]. @param samples [m, D]. Read only; scaled to unit length here.
 * @throws {ShapeError} no vectors, or dimensions that differ. @throws {NumericError} features that are not finite, or all 0.
 */
export function gaussianMmd(reference: FeatureMatrix, samples: FeatureMatrix): number {
  checkPair(reference, samples, 1);
  const [x, y] = [unit("reference", reference), unit("samples", samples)];
  // What is added is 1 − k: with this σ all k are near 1, and their differences are what counts.
  return SCALE * (2 * meanGap(x, y) - gapOfReference(reference) - meanGap(y, y));
}

const gapOfReference = remembered((reference) => {
  const x = unit("reference", reference);
  return meanGap(x, x);
});

function unit(what: string, { data, count, dim }: FeatureMatrix): FeatureMatrix {
  const scaled = Float32Array.from(data);
  for (let i = 0; i < count; i++) {
    let square = 0;
    for (let at = i * dim; at < (i + 1) * dim; at++) square += data[at]! * data[at]!;
    if (square === 0) throw new NumericError(`${what}: the features of image ${i} are all 0 and have no direction`);
    const scale = 1 / Math.sqrt(square);
    for (let at = i * dim; at < (i + 1) * dim; at++) scaled[at] = data[at]! * scale;
  }
  return { data: scaled, count, dim };
}

/** Mean of 1 − k over all pairs; ‖u − v‖² = 2 − 2⟨u, v⟩. */
function meanGap(a: FeatureMatrix, b: FeatureMatrix): number {
  let total = 0;
  visitProducts(a, b, ({ values, width, rows, columns }) => {
    let sum = 0; // per block, so that long sums keep their digits
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) sum -= Math.expm1((values[i * width + j]! - 1) / SIGMA ** 2);
    }
    total += sum;
  });
  return total / (a.count * b.count);
}
