import type { BandedMatrix } from "./banded-product.js";

/**
 * A filter of a line of pixels as a matrix; the line is mirrored at its ends, without repeating the last pixel.
 *
 * @param taps an odd number of weights: y[i] = Σ taps[k] · x[i + k - (taps.length - 1) / 2].
 * @returns    [size,size].
 */
export function lineFilter(size: number, taps: readonly number[]): BandedMatrix {
  const reach = (taps.length - 1) / 2;
  const values = new Float32Array(size * size);
  for (let i = 0; i < size; i++) {
    for (const [k, weight] of taps.entries()) values[i * size + mirrored(i + k - reach, size)]! += weight;
  }
  return { rows: size, cols: size, values };
}

/** The pixel of a line that position i shows, if the line goes on mirrored for ever. */
export function mirrored(i: number, size: number): number {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const folded = ((i % period) + period) % period;
  return folded < size ? folded : period - folded;
}
