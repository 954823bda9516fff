/**
 * @file Opponent-colour histograms, as a tensor program. Owns the target strings `opponent[:bins=N]`.
 *
 * Van de Sande, Gevers & Snoek, "Evaluating color descriptors for object and scene recognition", PAMI 2010: histograms of
 * O1 = (R - G) / √2, O2 = (R + G - 2 B) / √6 and O3 = (R + G + B) / √3. The first two do not see light that is added to all
 * channels alike.
 */
import tf from "@tensorflow/tfjs";
import { cellHistograms, checkCells } from "./cells.js";
import { joinPlanes } from "./colour-planes.js";
import type { DescriptorFamily, ProgramDescriptor } from "./descriptor.js";
import { readOptions, wholeNumber } from "./option-table.js";

/** As multiples of R, G and B, with the smallest and the largest value: bins do not see the roots. */
const CHANNELS = [
  { weights: [1, -1, 0], min: -255, max: 255 },
  { weights: [1, 1, -2], min: -510, max: 510 },
  { weights: [1, 1, 1], min: 0, max: 765 },
] as const;

/** By default odd: gray pixels are in the middle of a bin of O1 and O2, and a little noise does not move them. */
const OPTIONS = { bins: wholeNumber(15, 2, 256) } as const;

/** @returns a descriptor of 3 · bins shares: the bins of O1, O2 and O3, equally wide over their whole ranges; each adds up to 1. */
function opponent(name: string, bins: number): ProgramDescriptor {
  return {
    name,
    dim: CHANNELS.length * bins,
    version: 1,
    summary: `opponent-colour histograms of ${bins} bins`,
    program: (images, grid) =>
      tf.tidy(() => {
        checkCells(name, images.shape, grid);
        const [batch, height, width] = images.shape;
        const labels = CHANNELS.map(({ weights, min, max }) => {
          const value = tf.sum(tf.mul(images, tf.tensor1d([...weights])), -1);
          // Whole numbers, so the quotient is never rounded up to the next bin.
          const bin = tf.floor(tf.div(tf.mul(tf.sub(value, min), bins), max - min + 1));
          return tf.reshape(bin, [batch, 1, height, width]);
        });
        const planes: tf.Tensor3D = tf.reshape(tf.concat(labels, 1), [batch * CHANNELS.length, height, width]);
        return joinPlanes(cellHistograms(planes, bins, grid), CHANNELS.length);
      }),
  };
}

export const opponentFamily: DescriptorFamily = {
  name: "opponent",
  targets: [
    {
      pattern: "opponent:bins=N",
      summary: "opponent-colour histograms (red-green, yellow-blue, intensity; default 15 bins each)",
      dim: "3·N",
    },
  ],
  parse(text) {
    const { values, name } = readOptions("opponent", text, OPTIONS);
    return opponent(name, values.bins);
  },
};
