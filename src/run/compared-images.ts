import { referenceOrder } from "../evaluate/reference-pool.js";
import { alongCount } from "./along-training.js";
import type { Experiment } from "./schema.js";

/**
 * The images of a data set whose pixels the evaluation may ask for: the reference, and as many more as there are samples, which are
 * measured in their place. In latent space no others are cached; of a million images at 256 pixels all would be 250 GB.
 *
 * @returns indices, ascending.
 */
export function comparedImages(experiment: Experiment, length: number): Uint32Array {
  const { evaluate, sample, seed } = experiment;
  const reference = evaluate.reference === null ? (evaluate.referenceCount ?? length) : 0;
  return imagesOfRows(reference + Math.max(sample.count, alongCount(experiment)), length, seed);
}

/**
 * Which images the first rows of a run's cached pixels are, however many of the compared ones were cached.
 *
 * @param rows of the store; where all images are there, they come first, and other variants of them may follow.
 * @returns indices, ascending: row i is image `[i]`.
 */
export function imagesOfRows(rows: number, length: number, seed: number): Uint32Array {
  if (rows >= length) return Uint32Array.from({ length }, (_, i) => i);
  return referenceOrder(length, seed).slice(0, rows).sort();
}
