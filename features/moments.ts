/**
 * @file Colour moments, as a tensor program. Owns the target string `moments`.
 *
 * Stricker & Orengo, "Similarity of color images", SPIE 1995: the first three moments of each channel in each cell.
 */
import tf from "@tensorflow/tfjs";
import { centredCells, checkCells } from "./cells.js";
import { colourPlanes, joinPlanes } from "./colour-planes.js";
import type { DescriptorFamily, ProgramDescriptor } from "./descriptor.js";
import { readOptions } from "./option-table.js";

const CHANNELS = 3;

/**
 * Mean, standard deviation and skewness (the cube root of the third central moment) of red, green and blue in 0..1, in this order:
 * channel · 3 + moment. All are in the unit of the levels, so no moment of a flat cell is divided by zero.
 *
 * The paper takes the moments of hue, saturation and value. Hue is an angle, whose mean says nothing where it wraps round: RGB here.
 */
const moments: ProgramDescriptor = {
  name: "moments",
  dim: CHANNELS * 3,
  version: 1,
  summary: "colour moments: mean, deviation and skewness of red, green and blue",
  program: (images, grid) =>
    tf.tidy(() => {
      checkCells("moments", images.shape, grid);
      const { mean, centred, shares } = centredCells(colourPlanes(images), grid);
      const square = tf.square(centred);
      const deviation = tf.sqrt(tf.sum(tf.mul(square, shares), -1, true));
      const third = tf.sum(tf.mul(tf.mul(square, centred), shares), -1, true);
      const skewness = tf.mul(tf.sign(third), tf.pow(tf.abs(third), 1 / 3));
      const tokens = tf.mul(tf.concat([mean, deviation, skewness], 2), 1 / 255);
      return joinPlanes(tokens as tf.Tensor3D, CHANNELS);
    }),
};

export const momentsFamily: DescriptorFamily = {
  name: "moments",
  targets: [{ pattern: "moments", summary: moments.summary, dim: `${moments.dim}` }],
  parse(text) {
    readOptions("moments", text, {});
    return moments;
  },
};
