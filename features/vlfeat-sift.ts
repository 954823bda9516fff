/**
 * @file Dense SIFT in the geometry of VLFeat's `vl_dsift`, as a tensor program.
 *
 * Vedaldi & Fulkerson, VLFeat, 2008, `dsift`: no blur, half central differences (one-sided at the border), soft orientations, and bins
 * that are triangles of whole bin sizes, weighted by a Gaussian of `window` bins around the key point: pixel by pixel, or, with the
 * flat window, by its mean over each bin. The image's border is repeated. Channel = (bin row · 4 + bin column) · 8 + orientation, as in
 * VLFeat's C interface; orientations run clockwise as the picture is seen, from "brighter to the right".
 */
import tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { type BandedMatrix, bandedMatrix } from "./banded-product.js";
import type { Grid } from "./descriptor.js";
import { bt601Luma } from "./gray.js";
import { frameScalePx } from "./kornia-sift.js";
import { orientationMaps } from "./orientation-votes.js";
import { poolVotes } from "./pool-votes.js";

export interface VlfeatSiftOptions {
  /** Bins a side. */
  readonly bins: number;
  readonly orientations: number;
  /** Size of a bin in pixels; undefined: half of the cell's side, so that a token sees two cells. */
  readonly binPx: number | undefined;
  /** σ of the Gaussian, in bins. */
  readonly window: number;
  /** Weigh whole bins, not pixels. */
  readonly isFlat: boolean;
}

/**
 * Votes of every bin, not yet normalized.
 *
 * @param images [B,H,W,3] RGB, 0..255.
 * @returns      [B,T,bins² · orientations].
 * @throws {ShapeError} an image of less than 2 × 2 px.
 * @parity VLFeat 0.9.21 on photographs: cosines above 0.9999, mean difference 0.0003 of norm 1; it computes square roots and angles
 *   approximately. It describes frames whose bin centres are whole pixels inside the image, on a grid of its own; here there is one at
 *   the centre of each cell, pixel (i + 0.5) · cell, wherever its bins fall.
 */
export function vlfeatSiftVotes(
  images: tf.Tensor4D,
  grid: Grid,
  { bins, orientations, window, isFlat, ...options }: VlfeatSiftOptions,
): tf.Tensor3D {
  const [batch, height, width] = images.shape;
  if (height < 2 || width < 2) {
    throw new ShapeError(`sift: want an image of 2 × 2 px or more, got ${height} × ${width}`);
  }
  const gray = bt601Luma(images);
  const votes = orientationMaps(differences(gray, 2), differences(gray, 1), { orientations });
  const binPx = options.binPx ?? frameScalePx([height, width], grid, undefined) / 2;
  const axis = (sizePx: number, cells: number): BandedMatrix =>
    windows(sizePx, cells, { bins, binPx, sigmaPx: window * binPx, isFlat });
  const pooled = poolVotes(votes, axis(height, grid[0]), axis(width, grid[1]), grid);
  return tf.reshape(pooled, [batch, grid[0] * grid[1], bins ** 2 * orientations]);
}

/** Along an axis of [B,H,W]: half the difference of the two neighbours; at the border, the difference to the one. */
function differences(gray: tf.Tensor3D, axis: 1 | 2): tf.Tensor3D {
  const size = gray.shape[axis];
  const part = (from: number, count: number): tf.Tensor3D =>
    axis === 1 ? tf.slice(gray, [0, from, 0], [-1, count, -1]) : tf.slice(gray, [0, 0, from], [-1, -1, count]);
  const after = tf.concat([part(1, size - 1), part(size - 1, 1)], axis);
  const before = tf.concat([part(0, 1), part(0, size - 1)], axis);
  const share = Float32Array.from({ length: size }, (_, i) => (i === 0 || i === size - 1 ? 1 : 0.5));
  return tf.mul(tf.sub(after, before), tf.tensor3d(share, axis === 1 ? [1, size, 1] : [1, 1, size])) as tf.Tensor3D;
}

/** [cells · bins, sizePx]: the weights of one axis; pixels beyond the border count as the border's. */
function windows(
  sizePx: number,
  cells: number,
  { bins, binPx, sigmaPx, isFlat }: { bins: number; binPx: number; sigmaPx: number; isFlat: boolean },
): BandedMatrix {
  const gaussian = (u: number): number => Math.exp((-u * u) / (2 * sigmaPx * sigmaPx));
  const values = new Float64Array(cells * bins * sizePx);
  for (let row = 0; row < cells * bins; row++) {
    const keyPoint = ((Math.floor(row / bins) + 0.5) * sizePx) / cells;
    const fromKeyPoint = ((row % bins) - (bins - 1) / 2) * binPx;
    const centre = keyPoint + fromKeyPoint;
    const last = Math.ceil(binPx) - 1;
    const offsets = Array.from({ length: 2 * last + 1 }, (_, i) => i - last);
    const mean = offsets.reduce((sum, i) => sum + gaussian(fromKeyPoint + i), 0) / offsets.length;
    for (let pixel = Math.ceil(centre - binPx); pixel <= centre + binPx; pixel++) {
      const triangle = Math.max(0, 1 - Math.abs(pixel - centre) / binPx);
      const inside = Math.min(Math.max(pixel, 0), sizePx - 1);
      values[row * sizePx + inside]! += triangle * (isFlat ? mean : gaussian(pixel - keyPoint));
    }
  }
  return bandedMatrix(cells * bins, sizePx, (row, col) => values[row * sizePx + col]!);
}
