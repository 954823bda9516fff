/**
 * @file One axis of upright square patches, one around the centre of each cell, sampled as Kornia's `extract_patches_from_pyramid`
 * does on level 0.
 */
import { type BandedMatrix, bandedMatrix } from "./banded-product.js";

export interface PatchAxis {
  /** Pixels of the image on this axis. */
  readonly sizePx: number;
  readonly cells: number;
  /** Half a patch, in pixels: the scale of its frame. */
  readonly scalePx: number;
  /** Samples a patch. */
  readonly samples: number;
}

/** Where sample `k` of a patch lies in its frame, -1..1. */
export const patchCoordinate = (k: number, samples: number): number => (2 * k + 1) / samples - 1;

/**
 * Kornia maps pixel p to p · N/(N-1) - 0.5 before it samples: it normalizes coordinates with corners aligned, and reads them without.
 * A patch is so shifted by about half a pixel and stretched a little.
 */
export const samplingPosition = (pixel: number, sizePx: number): number => (pixel * sizePx) / (sizePx - 1) - 0.5;

/** Samples of all patches of an axis: [cells · samples, sizePx]. With `taps`, each a weighted mean of its neighbours in the patch. */
export function patchSamples(axis: PatchAxis, taps: readonly number[] = [1]): BandedMatrix {
  const reach = (taps.length - 1) / 2;
  return patchMatrix(axis, axis.sizePx, (add, at, k) => {
    for (const [tap, weight] of taps.entries()) {
      const position = at(k + tap - reach);
      const low = Math.min(Math.floor(position), axis.sizePx - 2);
      add(low, weight * (low + 1 - position));
      add(low + 1, weight * (position - low));
    }
  });
}

/**
 * Half the differences between the neighbours of each sample, as a map of the differences between pixels: [cells · samples, sizePx - 1].
 *
 * Where the picture is flat it gives 0 and not the rounding error of a subtraction, whose direction would count.
 */
export function patchDifferences(axis: PatchAxis): BandedMatrix {
  return patchMatrix(axis, axis.sizePx - 1, (add, at, k) => {
    const [from, to] = [at(k - 1), at(k + 1)];
    for (let pixel = Math.floor(from); pixel < to; pixel++) {
      add(pixel, 0.5 * (Math.min(to, pixel + 1) - Math.max(from, pixel)));
    }
  });
}

/** @param fill adds the weights of sample k; `at` is where a sample of the same patch lies, both borders repeated. */
function patchMatrix(
  { sizePx, cells, scalePx, samples }: PatchAxis,
  inputs: number,
  fill: (add: (input: number, weight: number) => void, at: (k: number) => number, k: number) => void,
): BandedMatrix {
  const values = new Float64Array(cells * samples * inputs);
  for (let row = 0; row < cells * samples; row++) {
    const centre = ((Math.floor(row / samples) + 0.5) * sizePx) / cells;
    const at = (k: number): number => {
      const inside = Math.min(Math.max(k, 0), samples - 1);
      const position = samplingPosition(centre + scalePx * patchCoordinate(inside, samples), sizePx);
      return Math.min(Math.max(position, 0), sizePx - 1);
    };
    const add = (input: number, weight: number): void => {
      if (weight !== 0) values[row * inputs + input]! += weight;
    };
    fill(add, at, row % samples);
  }
  return bandedMatrix(cells * samples, inputs, (row, col) => values[row * inputs + col]!);
}
