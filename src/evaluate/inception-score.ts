/**
 * @file Inception score: exp of the mean Kullback–Leibler divergence of each sample's class probabilities from their mean, per group
 * of consecutive samples.
 *
 *   exp( mean_x Σ_y p(y|x) (ln p(y|x) − ln p̄(y)) ),  p̄ = mean_x p(·|x),  with 0 · ln 0 = 0
 *
 * Samples should be in random order: those sorted by class would score 1.
 *
 * @source Salimans et al. 2016, Improved Techniques for Training GANs, arXiv 1606.03498, section 4.
 */
import { NumericError, ShapeError } from "../../data/errors.js";
import { checkFeatures, type FeatureMatrix } from "./feature-matrix.js";

export interface InceptionScore {
  /** Over the groups, 1 ≤ mean ≤ classes. */
  readonly mean: number;
  /** Population standard deviation over the groups. */
  readonly std: number;
  readonly splits: number;
}

/** Groups of equal size, as far as that goes: group i ends before sample ⌊(i+1)·n/splits⌋. @throws {ShapeError} fewer samples than groups. */
export function equalGroups(count: number, splits: number): number[] {
  if (!Number.isInteger(splits) || splits < 1) {
    throw new ShapeError(`inception score: splits must be a whole number from 1, got ${splits}`);
  }
  if (count < splits) throw new ShapeError(`inception score: want at least ${splits} samples, got ${count}`);
  return Array.from({ length: splits }, (_, i) => Math.floor(((i + 1) * count) / splits));
}

/** Samples of a group in the ADM evaluation suite; its last group has what is left. */
const ADM_GROUP = 5000;

/** The groups of the ADM evaluation suite, as {@link equalGroups}. */
export const admGroups = (count: number): number[] =>
  Array.from({ length: Math.ceil(count / ADM_GROUP) }, (_, i) => Math.min(count, (i + 1) * ADM_GROUP));

/** The score of samples that come one after the other: two numbers a class and group are kept, not the probabilities. */
export class InceptionScoreSum {
  #done = 0;
  #mean: Float64Array | undefined;
  #negativeEntropy = 0;
  readonly #scores: number[] = [];

  /** @param ends of the groups, ascending: the last is the number of all samples. */
  constructor(private readonly ends: readonly number[]) {}

  /**
   * @param probabilities [n, classes] of the next samples: rows ≥ 0 that sum to 1 (within 1e-3).
   * @throws {NumericError} rows that are not probabilities.
   */
  add({ data, count, dim }: FeatureMatrix): void {
    for (let i = 0; i < count; i++) {
      this.#mean ??= new Float64Array(dim);
      const mean = this.#mean;
      let sum = 0;
      for (let c = 0; c < dim; c++) {
        const p = data[i * dim + c]!;
        if (!(p >= 0)) {
          throw new NumericError(`inception score: row ${this.#done} has the probability ${p} for class ${c}`);
        }
        sum += p;
        if (p === 0) continue;
        mean[c] = mean[c]! + p;
        this.#negativeEntropy += p * Math.log(p);
      }
      if (!(Math.abs(sum - 1) <= 1e-3)) {
        throw new NumericError(`inception score: probabilities of row ${this.#done} sum to ${sum}`, {
          hint: "are these logits?",
        });
      }
      if (++this.#done === this.ends[this.#scores.length]) this.#closeGroup();
    }
  }

  /** @throws {ShapeError} other than all samples were added. */
  result(): InceptionScore {
    const scores = this.#scores;
    if (scores.length !== this.ends.length || this.#done !== this.ends.at(-1)) {
      throw new ShapeError(`inception score: want ${this.ends.at(-1)} samples, got ${this.#done}`);
    }
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    const std = Math.sqrt(scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length);
    return { mean, std, splits: scores.length };
  }

  #closeGroup(): void {
    const count = this.#done - (this.ends[this.#scores.length - 1] ?? 0);
    let meanNegativeEntropy = 0; // Σ_y p̄ ln p̄, which is what the second term of the divergence averages to
    for (const sum of this.#mean!) if (sum > 0) meanNegativeEntropy += (sum / count) * Math.log(sum / count);
    this.#scores.push(Math.exp(this.#negativeEntropy / count - meanNegativeEntropy));
    this.#mean!.fill(0);
    this.#negativeEntropy = 0;
  }
}

/**
 * The score of a set in equal groups.
 *
 * @param probabilities [n, classes]; n ≥ splits. @param splits number of groups. @default 10
 * @throws {ShapeError} as {@link equalGroups}. @throws {NumericError} rows that are not probabilities.
 */
export function inceptionScore(probabilities: FeatureMatrix, splits = 10): InceptionScore {
  const sum = new InceptionScoreSum(equalGroups(probabilities.count, splits));
  checkFeatures("inception score", probabilities, 1);
  sum.add(probabilities);
  return sum.result();
}
