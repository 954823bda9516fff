/**
 * @file Cosine coefficients of the cells, as a tensor program. Owns the target strings `dct[:OPTIONS]`.
 *
 * Ahmed, Natarajan & Rao, "Discrete cosine transform", IEEE Transactions on Computers 1974: the orthonormal DCT-II of each cell, of
 * which the first coefficients in the zig-zag order of JPEG (ITU-T T.81, figure A.6) are kept.
 */
import tf from "@tensorflow/tfjs";
import { UsageError } from "../data/errors.js";
import { cellPatches, checkCells } from "./cells.js";
import { joinPlanes, levelPlanes } from "./colour-planes.js";
import type { DescriptorFamily, ProgramDescriptor } from "./descriptor.js";
import { OFF, readOptions, wholeNumber } from "./option-table.js";

const OPTIONS = { keep: wholeNumber(64, 1, 1024), size: wholeNumber(16, 1, 64), colour: OFF } as const;

interface DctOptions {
  /** Coefficients of a channel. */
  readonly keep: number;
  /** Side of the patch that a cell is brought to, in pixels. */
  readonly size: number;
  /** Red, green and blue, and not gray. */
  readonly colour: boolean;
}

/**
 * @returns a descriptor of the coefficients of gray levels 0..1, or of those of red, then green, then blue. The transform is
 *   orthonormal: the first coefficient is size · mean, and with keep = size² distances are those of the patches.
 * @throws {UsageError} more coefficients than pixels.
 */
function dct(name: string, { keep, size, colour }: DctOptions): ProgramDescriptor {
  if (keep > size * size) {
    throw new UsageError(`target "${name}": keep=${keep} is more than the ${size}·${size} coefficients of a patch`, {
      hint: `keep=${size * size} keeps all`,
    });
  }
  const channels = colour ? 3 : 1;
  return {
    name,
    dim: keep * channels,
    version: 1,
    summary: `the first ${keep} cosine coefficients of ${size} × ${size} pixels${colour ? " of each colour" : ""}`,
    program: (images, grid) =>
      tf.tidy(() => {
        checkCells(name, images.shape, grid);
        const patches = cellPatches(levelPlanes(images, colour), grid, size);
        const tokens = grid[0] * grid[1];
        const basis = tf.tensor3d(cosineBasis(size), [1, size, size]);
        const across = tf.matMul(tf.reshape(patches, [-1, size, size]), basis, false, true);
        const both = tf.reshape(tf.matMul(basis, across), [-1, tokens, size * size]);
        const kept = tf.gather(both, tf.tensor1d(zigZag(size).slice(0, keep), "int32"), 2);
        return joinPlanes(kept as tf.Tensor3D, channels);
      }),
  };
}

/** [N,N]: row u is the wave of frequency u, of length 1. */
function cosineBasis(size: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => {
    const [u, x] = [Math.floor(i / size), i % size];
    const scale = Math.sqrt((u === 0 ? 1 : 2) / size);
    return scale * Math.cos((Math.PI * u * (2 * x + 1)) / (2 * size));
  });
}

/** Positions row · size + column, diagonal after diagonal; the first step is to the right. */
export function zigZag(size: number): number[] {
  const diagonal = (i: number): number => Math.floor(i / size) + (i % size);
  // Odd diagonals run downwards, even ones upwards.
  const along = (i: number): number => (diagonal(i) % 2 === 1 ? Math.floor(i / size) : i % size);
  return Array.from({ length: size * size }, (_, i) => i).sort(
    (a, b) => diagonal(a) - diagonal(b) || along(a) - along(b),
  );
}

export const dctFamily: DescriptorFamily = {
  name: "dct",
  targets: [
    { pattern: "dct", summary: "the first 64 cosine coefficients of 16 × 16 gray levels, in zig-zag order", dim: "64" },
    { pattern: "dct:keep=K,size=N", summary: "the first K of N × N pixels; each option may be left out", dim: "K" },
    { pattern: "dct:colour", summary: "the same of red, green and blue", dim: "3·K" },
  ],
  parse(text) {
    const { values, name } = readOptions("dct", text, OPTIONS);
    return dct(name, values);
  },
};
