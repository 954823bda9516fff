import { UsageError } from "./errors.js";
import { randomStream } from "./random.js";

/** The order of `length` images in an epoch (from 0): a pure function of its arguments. */
export function epochOrder(length: number, seed: number, epoch: number): Uint32Array {
  return randomStream(seed, "data/order", epoch).permutation(length);
}

/**
 * The images of a training step (from 0). Each epoch is a new order of all images; the last, incomplete batch of an epoch is
 * dropped.
 *
 * @returns `batch` indices in 0 … length−1, all different. A pure function of its arguments.
 * @throws {UsageError} a batch larger than the data set.
 */
export function batchIndices(length: number, batch: number, seed: number, step: number): Uint32Array {
  if (batch > length) {
    throw new UsageError(`batch ${batch} is larger than the data set of ${length} images`, {
      hint: "make train.batch smaller or data.count larger",
    });
  }
  const perEpoch = Math.floor(length / batch);
  const start = (step % perEpoch) * batch;
  return epochOrder(length, seed, Math.floor(step / perEpoch)).slice(start, start + batch);
}
