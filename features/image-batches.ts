import type { ImageSource } from "../data/image-source.js";
import { type Variants, variantOf } from "../data/variants.js";

/** Images decoded and described at a time. Shards begin at multiples of it, so that an image is always in the same batch. */
export const BATCH = 16;

/** A data set with all variants of its images: row = variant · length + index. */
export interface ImageRows extends Variants {
  readonly source: ImageSource;
}

/** Some rows. */
export interface ImageBatch {
  /** [rows.length, sizePx, sizePx, 3]. */
  readonly images: Uint8Array;
  readonly rows: readonly number[];
}

/**
 * Decode rows `start` to `end` (exclusive), {@link BATCH} of them at most.
 *
 * @param into memory for {@link BATCH} images. @default new
 * @throws {DataError} one that cannot be decoded.
 */
export async function loadBatch(
  data: ImageRows,
  sizePx: number,
  start: number,
  end: number,
  into?: Uint8Array,
): Promise<ImageBatch> {
  const { source } = data;
  const rows = Array.from({ length: Math.min(BATCH, end - start) }, (_, i) => start + i);
  const bytes = rows.length * sizePx ** 2 * 3;
  const images = into === undefined ? new Uint8Array(bytes) : into.subarray(0, bytes);
  await Promise.all(
    rows.map(async (row, i) => {
      const { index, variant } = variantOf(row, source.length, data);
      images.set(await source.load(index, sizePx, variant), i * sizePx ** 2 * 3);
    }),
  );
  return { images, rows };
}

/** Images of the rows `start` to `end` (exclusive), BATCH at a time; the next batch is decoded while the caller works on one. */
export const imageBatches = (data: ImageRows, sizePx: number, start: number, end: number): AsyncGenerator<ImageBatch> =>
  batchesAhead(start, end, 1, (first) => loadBatch(data, sizePx, first, end));

/**
 * The values of `make` for `start`, `start` + BATCH, …, in order, some of them made ahead while the caller works on one.
 *
 * @param ahead how many.
 */
export async function* batchesAhead<T>(
  start: number,
  end: number,
  ahead: number,
  make: (start: number) => Promise<T>,
): AsyncGenerator<T> {
  const coming: Promise<T>[] = [];
  let next = start;
  for (let at = start; at < end; at += BATCH) {
    for (; next < end && coming.length <= ahead; next += BATCH) {
      const made = make(next);
      made.catch(() => {}); // its failure is reported when it is awaited, not before
      coming.push(made);
    }
    yield await coming.shift()!;
  }
}
