/** @file The real images of an evaluation: those that samples are compared with, and others that take the place of samples. */
import { DataError, ShapeError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { randomStream } from "../../data/random.js";

/** [count, size, size, 3] uint8 RGB. */
export interface ImageBatch {
  readonly images: Uint8Array;
  readonly count: number;
  readonly size: number;
}

/**
 * The real images: given, or drawn without replacement from a source (all of it where `count` is absent).
 * A `floor` set, or what the source has left, is measured as if it were samples: what a perfect model would score.
 */
export type Reference =
  | (ImageBatch & { readonly floor?: ImageBatch })
  | { readonly source: ImageSource; readonly sizePx: number; readonly count?: number };

/** Where the real images come from. */
export interface ReferencePool {
  readonly name: string | null;
  readonly sizePx: number;
  /** How many real images there are besides the reference. */
  readonly spare: number;
  reference(): Promise<ImageBatch>;
  /** Images that are not in the reference; `count` ≤ `spare`. */
  others(count: number): Promise<ImageBatch>;
}

/** @throws {ShapeError} images that do not fit their count and size. @throws {DataError} a source with too few images. */
export function openReference(reference: Reference, seed: number): ReferencePool {
  if ("source" in reference) return sourcePool(reference, seed);
  const { floor } = reference;
  checkBatch("reference", reference);
  if (floor !== undefined) {
    checkBatch("floor", floor);
    if (floor.size !== reference.size) {
      throw new ShapeError(`floor: images are ${floor.size} px, the reference is ${reference.size} px`);
    }
  }
  return {
    name: null,
    sizePx: reference.size,
    spare: floor?.count ?? 0,
    reference: async () => reference,
    others: async (count) => ({
      images: floor!.images.subarray(0, count * floor!.size ** 2 * 3),
      count,
      size: floor!.size,
    }),
  };
}

/** The images of a source in the order in which they are taken: first the reference, then those that are measured like samples. */
export const referenceOrder = (length: number, seed: number): Uint32Array =>
  randomStream(seed, "evaluate/reference", 0).permutation(length);

function sourcePool({ source, sizePx, count = source.length }: Extract<Reference, { source: unknown }>, seed: number) {
  if (count < 2 || count > source.length) {
    throw new DataError(`reference: wants ${count} images, ${source.name} has ${source.length}`, {
      hint: count < 2 ? "a reference needs at least 2" : "lower evaluate.referenceCount",
    });
  }
  const order = referenceOrder(source.length, seed);
  const load = async (what: string, rows: Uint32Array): Promise<ImageBatch> => {
    const bytes = sizePx * sizePx * 3;
    const images = new Uint8Array(rows.length * bytes);
    for (const [i, row] of rows.entries()) images.set(await source.load(row, sizePx), i * bytes);
    return checkBatch(what, { images, count: rows.length, size: sizePx });
  };
  return {
    name: source.name,
    sizePx,
    spare: source.length - count,
    reference: () => load("reference", order.subarray(0, count)),
    others: (wanted: number) => load("floor", order.subarray(count, count + wanted)),
  };
}

function checkBatch(what: string, batch: ImageBatch): ImageBatch {
  const { images, count, size } = batch;
  if (images.length !== count * size * size * 3 || count < 1) {
    throw new ShapeError(`${what}: want ${count}×${size}×${size}×3 bytes, got ${images.length}`);
  }
  return batch;
}
