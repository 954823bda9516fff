/** @file The fixed sine-cosine embedding of a token's place in the grid. */
import { ModelError } from "./errors.js";

/**
 * For the token at (row r, column q), ω_k = 10000^(−k/(D/4)), k = 0..D/4−1: [sin(q·ω), cos(q·ω), sin(r·ω), cos(r·ω)]. The
 * **column** comes first, as in the reference. Computed in float64, rounded once to float32.
 *
 * @param grid G: rows and columns.
 * @param width D, a multiple of 4.
 * @returns [G·G, D], row-major tokens.
 * @throws {ModelError} D is not a multiple of 4.
 * @source MAE, arXiv 2111.06377; the order of column and row is that of its code, which DiT, SiT and REPA share.
 */
export function positionEmbedding(grid: number, width: number): Float32Array {
  const quarter = width / 4;
  if (!Number.isInteger(quarter)) {
    throw new ModelError("ConfigError", `position embedding: the width must be a multiple of 4, got ${width}`);
  }
  const out = new Float32Array(grid * grid * width);
  let at = 0;
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      for (let k = 0; k < quarter; k++) {
        const frequency = 10_000 ** (-k / quarter);
        out[at + k] = Math.sin(column * frequency);
        out[at + quarter + k] = Math.cos(column * frequency);
        out[at + 2 * quarter + k] = Math.sin(row * frequency);
        out[at + 3 * quarter + k] = Math.cos(row * frequency);
      }
      at += width;
    }
  }
  return out;
}
