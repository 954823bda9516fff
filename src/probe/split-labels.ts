import { UsageError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";

/** Which images a classifier learns from, and which it is judged by: rising indices. */
export interface Split {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * A seeded, stratified split: of each class the same share is kept for validation, rounded, but one image at least and never all of
 * them. The only image of a class is learnt from and never asked for.
 *
 * @param labels [N] class indices.
 * @param share  of the images that are kept for validation, between 0 and 1.
 * @throws {UsageError} fewer than two classes, or none with two images.
 */
export function splitLabels(labels: Int32Array, share: number, seed: number): Split {
  const byClass = new Map<number, number[]>();
  for (const index of randomStream(seed, "probe/split", 0).permutation(labels.length)) {
    const label = labels[index]!;
    const members = byClass.get(label) ?? [];
    members.push(index);
    byClass.set(label, members);
  }
  if (byClass.size < 2) {
    throw new UsageError(`probe: wanted images of two classes or more, got ${labels.length} of ${byClass.size}`, {
      hint: "a linear probe tells classes apart: take data with labels, or more of it",
    });
  }
  const train: number[] = [];
  const validation: number[] = [];
  for (const members of byClass.values()) {
    const kept =
      members.length === 1 ? 0 : Math.min(members.length - 1, Math.max(1, Math.round(share * members.length)));
    validation.push(...members.slice(0, kept));
    train.push(...members.slice(kept));
  }
  if (validation.length === 0) {
    throw new UsageError(`probe: every class of these ${labels.length} images has one image only`, {
      hint: "more images are needed: --count",
    });
  }
  return { train: Uint32Array.from(train).sort(), validation: Uint32Array.from(validation).sort() };
}
