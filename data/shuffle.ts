import { UsageError } from "./errors.js";
import { randomStream } from "./random.js";

/** The order of `length` images in an epoch (from 0): a pure function of its arguments. The array is the caller's. */
export function epochOrder(length: number, seed: number, epoch: number): Uint32Array {
  return randomStream(seed, "data/order", epoch).permutation(length);
}

/** The order asked for last: the steps of an epoch follow each other, and shuffling a million images takes longer than a step. */
let latest: { readonly key: string; readonly order: Uint32Array } | undefined;

function rememberedOrder(length: number, seed: number, epoch: number): Uint32Array {
  const key = `${length} ${seed} ${epoch}`;
  if (latest?.key !== key) latest = { key, order: epochOrder(length, seed, epoch) };
  return latest.order;
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
  return rememberedOrder(length, seed, Math.floor(step / perEpoch)).slice(start, start + batch);
}
