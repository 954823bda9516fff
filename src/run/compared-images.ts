import { referenceOrder } from "../evaluate/reference-pool.js";
import type { Experiment } from "./schema.js";

/**
 * The images of a data set whose pixels the evaluation may ask for: the reference, and as many more as there are samples, which are
 * measured in their place. In latent space no others are cached; of a million images at 256 pixels all would be 250 GB.
 *
 * @returns indices, ascending.
 */
export function comparedImages({ evaluate, sample, seed }: Experiment, length: number): Uint32Array {
  const reference = evaluate.reference == null ? (evaluate.referenceCount ?? length) : 0;
  const wanted = Math.min(length, reference + sample.count);
  return referenceOrder(length, seed).slice(0, wanted).sort();
}
