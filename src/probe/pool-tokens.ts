import type { RowStore } from "../../data/row-store.js";

/** Rows that are read at once. */
const ROWS_AT_ONCE = 64;

/**
 * The mean over the tokens of each image's features: one vector an image, as REPA probes and compares representations.
 *
 * @param store column `features` [T,D].
 * @returns [rows,D] float32, the caller's.
 * @throws {CacheError} rows that cannot be read. @throws the signal's reason when it is aborted.
 */
export async function poolStoredTokens(
  store: RowStore,
  rows: readonly number[],
  { signal }: { signal?: AbortSignal } = {},
): Promise<Float32Array> {
  const [tokens, dim] = store.header.columns["features"]!.shape as [number, number];
  const pooled = new Float32Array(rows.length * dim);
  for (let first = 0; first < rows.length; first += ROWS_AT_ONCE) {
    signal?.throwIfAborted();
    const part = rows.slice(first, first + ROWS_AT_ONCE);
    const features = (await store.read("features", part)) as Float32Array;
    pooled.set(meanTokens(features, part.length, tokens, dim), first * dim);
  }
  return pooled;
}

/** [count,T,D] → [count,D]: means over tokens, summed in float64. */
export function meanTokens(features: ArrayLike<number>, count: number, tokens: number, dim: number): Float32Array {
  const pooled = new Float32Array(count * dim);
  const sums = new Float64Array(dim);
  for (let image = 0; image < count; image++) {
    sums.fill(0);
    for (let t = 0; t < tokens; t++) {
      const from = (image * tokens + t) * dim;
      for (let d = 0; d < dim; d++) sums[d]! += features[from + d]!;
    }
    for (let d = 0; d < dim; d++) pooled[image * dim + d] = sums[d]! / tokens;
  }
  return pooled;
}
