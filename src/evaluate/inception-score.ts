/**
 * Inception score: exp of the mean Kullback–Leibler divergence of each sample's class probabilities from their mean, per group
 * of consecutive samples.
 *
 *   exp( mean_x Σ_y p(y|x) (ln p(y|x) − ln p̄(y)) ),  p̄ = mean_x p(·|x),  with 0 · ln 0 = 0
 *
 * @param probabilities [n, classes]: rows ≥ 0 that sum to 1 (within 1e-3). Samples should be in random order: group i is rows
 * ⌊i·n/splits⌋ up to ⌊(i+1)·n/splits⌋, and rows sorted by class would score 1.
 * @param splits number of groups; n ≥ splits. @default 10
 * @returns mean and population standard deviation over the groups, 1 ≤ mean ≤ classes.
 * @throws {ShapeError} fewer samples than groups. @throws {NumericError} rows that are not probabilities.
 * @source Salimans et al. 2016, Improved Techniques for Training GANs, arXiv 1606.03498, section 4.
 */
import { NumericError, ShapeError } from "../../data/errors.js";
import { checkFeatures, type FeatureMatrix } from "./feature-matrix.js";

export interface InceptionScore {
  readonly mean: number;
  readonly std: number;
  readonly splits: number;
}

export function inceptionScore(probabilities: FeatureMatrix, splits = 10): InceptionScore {
  if (!Number.isInteger(splits) || splits < 1) {
    throw new ShapeError(`inception score: splits must be a whole number from 1, got ${splits}`);
  }
  checkFeatures("inception score", probabilities, splits);
  checkProbabilities(probabilities);
  const { count } = probabilities;
  const scores = Array.from({ length: splits }, (_, i) =>
    scoreOf(probabilities, Math.floor((i * count) / splits), Math.floor(((i + 1) * count) / splits)),
  );
  const mean = scores.reduce((sum, score) => sum + score, 0) / splits;
  const std = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / splits);
  return { mean, std, splits };
}

function checkProbabilities({ data, count, dim }: FeatureMatrix): void {
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let c = 0; c < dim; c++) {
      const p = data[i * dim + c]!;
      if (p < 0) throw new NumericError(`inception score: row ${i} has the probability ${p} for class ${c}`);
      sum += p;
    }
    if (Math.abs(sum - 1) > 1e-3) {
      throw new NumericError(`inception score: probabilities of row ${i} sum to ${sum}`, { hint: "are these logits?" });
    }
  }
}

function scoreOf({ data, dim }: FeatureMatrix, start: number, end: number): number {
  const mean = new Float64Array(dim);
  let negativeEntropy = 0;
  for (let i = start; i < end; i++) {
    for (let c = 0; c < dim; c++) {
      const p = data[i * dim + c]!;
      if (p === 0) continue;
      mean[c] = mean[c]! + p;
      negativeEntropy += p * Math.log(p);
    }
  }
  const count = end - start;
  let meanNegativeEntropy = 0; // Σ_y p̄ ln p̄, which is what the second term of the divergence averages to
  for (const sum of mean) if (sum > 0) meanNegativeEntropy += (sum / count) * Math.log(sum / count);
  return Math.exp(negativeEntropy / count - meanNegativeEntropy);
}
