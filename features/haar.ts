/**
 * @file Haar wavelet patches, as a tensor program. Owns the target strings `haar[:OPTIONS]`.
 *
 * Mallat, "A theory for multiresolution signal decomposition: the wavelet representation", PAMI 1989, with Haar's wavelet: sums and
 * differences of neighbours, again and again on the sums.
 */
import tf from "@tensorflow/tfjs";
import { cellPatches, checkCells } from "./cells.js";
import { joinPlanes, levelPlanes } from "./colour-planes.js";
import type { DescriptorFamily, ProgramDescriptor } from "./descriptor.js";
import { OFF, readOptions, wholeNumber } from "./option-table.js";

const OPTIONS = { levels: wholeNumber(4, 1, 6), colour: OFF } as const;

/**
 * @returns a descriptor of the wavelet coefficients of 2^levels × 2^levels gray levels 0..1 (or red, then green, then blue): the sum,
 *   then, coarse levels first, differences of columns, of rows and of both. The transform is orthonormal: it keeps distances.
 */
function haar(name: string, levels: number, colour: boolean): ProgramDescriptor {
  const size = 2 ** levels;
  const channels = colour ? 3 : 1;
  return {
    name,
    dim: size * size * channels,
    version: 1,
    summary: `Haar wavelet coefficients of ${size} × ${size} pixels${colour ? " of each colour" : ""}`,
    program: (images, grid) =>
      tf.tidy(() => {
        checkCells(name, images.shape, grid);
        const patches = cellPatches(levelPlanes(images, colour), grid, size);
        const coefficients = decompose(tf.reshape(patches, [-1, size, size]));
        return joinPlanes(tf.reshape(coefficients, [-1, grid[0] * grid[1], size * size]), channels);
      }),
  };
}

/** [N,S,S] → [N,S²]. */
function decompose(patches: tf.Tensor3D): tf.Tensor2D {
  const [count, size] = patches.shape;
  if (size === 1) return tf.reshape(patches, [count, 1]);
  const half = size / 2;
  const pairs = tf.tensor3d(pairMatrix(half), [1, size, size]);
  const split = tf.matMul(pairs, tf.matMul(patches, pairs, false, true));
  const quarter = (row: number, col: number) => tf.slice(split, [0, row * half, col * half], [count, half, half]);
  const details = [quarter(0, 1), quarter(1, 0), quarter(1, 1)].map((q) => tf.reshape(q, [count, half * half]));
  return tf.concat([decompose(quarter(0, 0) as tf.Tensor3D), ...details], 1) as tf.Tensor2D;
}

/** [2·half, 2·half]: sums of neighbours, then left minus right, each over √2. */
function pairMatrix(half: number): Float32Array {
  const size = 2 * half;
  const matrix = new Float32Array(size * size);
  for (let i = 0; i < half; i++) {
    matrix.fill(Math.SQRT1_2, i * size + 2 * i, i * size + 2 * i + 2);
    matrix[(half + i) * size + 2 * i] = Math.SQRT1_2;
    matrix[(half + i) * size + 2 * i + 1] = -Math.SQRT1_2;
  }
  return matrix;
}

export const haarFamily: DescriptorFamily = {
  name: "haar",
  targets: [
    { pattern: "haar", summary: "Haar wavelet coefficients of 16 × 16 gray levels, coarse ones first", dim: "256" },
    {
      pattern: "haar:levels=L,colour",
      summary: "the same of 2^L × 2^L pixels, of gray or of each colour",
      dim: "4^L or 3·4^L",
    },
  ],
  parse(text) {
    const { values, name } = readOptions("haar", text, OPTIONS);
    return haar(name, values.levels, values.colour);
  },
};
