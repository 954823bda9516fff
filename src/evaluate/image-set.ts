/** @file A set of images of one size that is read batch by batch, from memory, a data set or a file: never whole. */
import { DataError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { openNpzRows } from "../../data/npz-rows.js";

/** [count, size, size, 3] uint8 RGB. */
export interface ImageBatch {
  readonly images: Uint8Array;
  readonly count: number;
  readonly size: number;
}

export interface ImageSet {
  readonly count: number;
  readonly sizePx: number;
  /** From the first image on, in order; a batch is valid until the next one is asked for. */
  batches(): AsyncIterable<ImageBatch>;
}

/** A multiple of what networks take at once; 64 images of 256 pixels are 13 MB. */
const BATCH = 64;

/** Of images in memory. */
export const imagesInMemory = ({ images, count, size }: ImageBatch): ImageSet => ({
  count,
  sizePx: size,
  async *batches() {
    const bytes = size * size * 3;
    for (let start = 0; start < count; start += BATCH) {
      const here = Math.min(BATCH, count - start);
      yield { images: images.subarray(start * bytes, (start + here) * bytes), count: here, size };
    }
  },
});

/** Of some images of a data set, in the order of `rows`. */
export const imagesOfSource = (source: ImageSource, rows: ArrayLike<number>, sizePx: number): ImageSet => ({
  count: rows.length,
  sizePx,
  async *batches() {
    const bytes = sizePx * sizePx * 3;
    const images = new Uint8Array(Math.min(BATCH, rows.length) * bytes);
    for (let start = 0; start < rows.length; start += BATCH) {
      const here = Math.min(BATCH, rows.length - start);
      for (let i = 0; i < here; i++) images.set(await source.load(rows[start + i]!, sizePx), i * bytes);
      yield { images: images.subarray(0, here * bytes), count: here, size: sizePx };
    }
  },
});

/**
 * Of `arr_0` in an npz file, as samples and reference batches are: uint8 [n, size, size, 3].
 *
 * @returns undefined where the file has no such array.
 * @throws {DataError} no npz file, or an array of another type or shape.
 */
export async function imagesOfNpz(path: string): Promise<ImageSet | undefined> {
  const rows = await openNpzRows(path, "arr_0");
  if (rows === undefined) return undefined;
  const { dtype, shape } = rows;
  const [count, height, width, channels] = shape;
  if (dtype !== "|u1" || shape.length !== 4 || height !== width || channels !== 3 || count === 0) {
    throw new DataError(`${path}: arr_0 should be uint8 [n, size, size, 3], it is ${dtype} [${shape.join(", ")}]`);
  }
  const size = height!;
  return {
    count: count!,
    sizePx: size,
    async *batches() {
      for await (const images of rows.batches(BATCH)) yield { images, count: images.length / (size * size * 3), size };
    },
  };
}
