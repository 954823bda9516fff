import tf from "@tensorflow/tfjs";
import { bandedProduct } from "./banded-product.js";
import type { Grid } from "./descriptor.js";
import { type PatchAxis, patchDifferences, patchSamples } from "./patch-axis.js";

export interface PatchGradientOptions {
  /** Half a patch, in pixels. */
  readonly scalePx: number;
  /** P, of a patch's side. */
  readonly samples: number;
  /** Weights of the neighbours across the direction of the difference; sum 1. @default none */
  readonly smoothing?: readonly number[];
}

/**
 * Central differences within upright patches, one around the centre of each cell, the borders of patches and image repeated.
 *
 * @param gray [B,H,W].
 * @returns    to the right and downwards, [B, rows·P, cols·P] each; exactly 0 where the picture is flat.
 */
export function patchGradients(
  gray: tf.Tensor3D,
  [rows, cols]: Grid,
  { scalePx, samples, smoothing }: PatchGradientOptions,
): { gx: tf.Tensor3D; gy: tf.Tensor3D } {
  const [, height, width] = gray.shape;
  const vertical: PatchAxis = { sizePx: height, cells: rows, scalePx, samples };
  const horizontal: PatchAxis = { sizePx: width, cells: cols, scalePx, samples };
  const across = tf.sub(tf.slice(gray, [0, 0, 1], [-1, -1, width - 1]), tf.slice(gray, [0, 0, 0], [-1, -1, width - 1]));
  const down = tf.sub(tf.slice(gray, [0, 1, 0], [-1, height - 1, -1]), tf.slice(gray, [0, 0, 0], [-1, height - 1, -1]));
  return {
    gx: bandedProduct(
      bandedProduct(across as tf.Tensor3D, patchDifferences(horizontal), 2, cols),
      patchSamples(vertical, smoothing),
      1,
      rows,
    ),
    gy: bandedProduct(
      bandedProduct(down as tf.Tensor3D, patchSamples(horizontal, smoothing), 2, cols),
      patchDifferences(vertical),
      1,
      rows,
    ),
  };
}
