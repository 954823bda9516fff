/**
 * @file Raw patches, as a tensor program. Owns the target strings `pixels[:size=N]`.
 *
 * The token of a cell is the cell itself, N × N pixels of it: the control that every other descriptor has to beat.
 */
import tf from "@tensorflow/tfjs";
import { cellPatches, checkCells } from "./cells.js";
import { levelPlanes } from "./colour-planes.js";
import type { DescriptorFamily, ProgramDescriptor } from "./descriptor.js";
import { readOptions, wholeNumber } from "./option-table.js";

const OPTIONS = { size: wholeNumber(16, 1, 64) } as const;

/**
 * @returns a descriptor of N · N · 3 levels 0..1: rows, columns, channels. Cells of N × N pixels are copied; larger ones are
 *   averaged over equal areas, and in smaller ones pixels are repeated.
 */
function pixels(name: string, size: number): ProgramDescriptor {
  const dim = size * size * 3;
  return {
    name,
    dim,
    version: 1,
    summary: `raw patches of ${size} × ${size} pixels`,
    program: (images, grid) =>
      tf.tidy(() => {
        checkCells(name, images.shape, grid);
        const levels = levelPlanes(images, true);
        const [batch, tokens] = [images.shape[0], grid[0] * grid[1]];
        const planes = tf.reshape(cellPatches(levels, grid, size), [batch, 3, tokens, size * size]);
        return tf.reshape(tf.transpose(planes, [0, 2, 3, 1]), [batch, tokens, dim]);
      }),
  };
}

export const pixelsFamily: DescriptorFamily = {
  name: "pixels",
  targets: [
    {
      pattern: "pixels:size=N",
      summary: "raw patches, averaged down to N × N pixels (default 16)",
      dim: "3·N²",
    },
  ],
  parse(text) {
    const { values, name } = readOptions("pixels", text, OPTIONS);
    return pixels(name, values.size);
  },
};
