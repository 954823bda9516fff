/**
 * @file Dense SIFT in Kornia's convention, as tensor programs: upright frames, or frames that are turned to the dominant orientation
 * (the iREPA code's encoder `sift`).
 *
 * Lowe, IJCV 2004, sections 5 and 6, as Kornia computes them for one key point at the centre of each cell: a patch of 41×41 samples
 * across two cells, central differences, soft orientations, and bins that are triangles under a Gaussian of σ = 41/√2 samples.
 * Channel = orientation · 16 + bin row · 4 + bin column; orientations run clockwise as the picture is seen, from "brighter to the right"
 * in the frame. Other layouts and another handedness than OpenCV's.
 */
import tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import type { Grid } from "./descriptor.js";
import { dominantOrientation } from "./dominant-orientation.js";
import { framePatches } from "./frame-patches.js";
import { bt601Luma } from "./gray.js";
import { orientationMaps } from "./orientation-votes.js";
import { patchGradients } from "./patch-gradients.js";

export interface KorniaSiftOptions {
  /** Bins a side. */
  readonly bins: number;
  readonly orientations: number;
  /** Scale of a frame, which is half its side, in pixels; undefined: the cell's side. */
  readonly sizePx: number | undefined;
  /** Samples of a patch's side. */
  readonly patch: number;
  /** Turn the frames to their dominant orientation. */
  readonly isOriented: boolean;
}

/** Kornia's guards: in the magnitude, and in the direction of gradients of length 0. */
const EPS = 1e-10;

/**
 * Votes of every bin, not yet normalized.
 *
 * @param images [B,H,W,3] RGB, 0..255.
 * @returns      [B,T,orientations · bins²].
 */
export function korniaSiftVotes(images: tf.Tensor4D, grid: Grid, options: KorniaSiftOptions): tf.Tensor3D {
  const { bins, orientations, patch, isOriented } = options;
  const [batch, height, width] = images.shape;
  const [rows, cols] = grid;
  checkSize(height, width);
  const scalePx = frameScalePx([height, width], grid, options.sizePx);
  const gray = bt601Luma(images);
  let gx: tf.Tensor3D;
  let gy: tf.Tensor3D;
  if (isOriented) {
    const patches = framePatches(gray, dominantOrientation(gray, grid, scalePx), grid, scalePx, patch);
    const differ = tf.tensor2d(differences(patch), [patch, patch]);
    gx = tf.reshape(tf.matMul(tf.reshape(patches, [-1, patch]), differ, false, true), patches.shape);
    gy = tf.reshape(tf.matMul(tf.expandDims(differ), tf.reshape(patches, [-1, patch, cols * patch])), patches.shape);
  } else {
    ({ gx, gy } = patchGradients(gray, grid, { scalePx, samples: patch }));
  }
  const weight = tf.sqrt(tf.add(tf.add(tf.square(gx), tf.square(gy)), EPS)) as tf.Tensor3D;
  const { maps, coefficients } = orientationMaps(tf.add(gx, EPS), gy, { orientations, weight });
  const window = binWindow(bins, patch);
  const pooled = maps.map((map) => {
    const low = tf.matMul(tf.tensor3d(window, [1, bins, patch]), tf.reshape(map, [batch * rows, patch, cols * patch]));
    const small = tf.matMul(tf.reshape(low, [-1, patch]), tf.tensor2d(window, [bins, patch]), false, true);
    return tf.reshape(small, [1, -1]);
  });
  const votes = tf.matMul(
    tf.tensor2d(coefficients, [maps.length, orientations]),
    tf.concat(pooled, 0) as tf.Tensor2D,
    true,
  ); // [orientations, B·rows·bins·cols·bins]
  const split = tf.transpose(tf.reshape(votes, [orientations, batch * rows, bins, cols, bins]), [1, 3, 0, 2, 4]);
  return tf.reshape(split, [batch, rows * cols, orientations * bins * bins]);
}

/**
 * The frames that {@link korniaSiftVotes} describes, as Kornia's local affine frames.
 *
 * @returns [B,T,2,3]: s · [[cos a, sin a], [-sin a, cos a]], and the centre (x, y) in pixels.
 */
export function orientedFrames(images: tf.Tensor4D, grid: Grid, sizePx?: number): tf.Tensor4D {
  const [batch, height, width] = images.shape;
  const [rows, cols] = grid;
  checkSize(height, width);
  return tf.tidy(() => {
    const scalePx = frameScalePx([height, width], grid, sizePx);
    const angles = dominantOrientation(bt601Luma(images), grid, scalePx);
    const [cos, sin] = [tf.mul(tf.cos(angles), scalePx), tf.mul(tf.sin(angles), scalePx)];
    const centre = (of: (cell: number) => number) =>
      tf.tile(
        tf.tensor2d(
          Array.from({ length: rows * cols }, (_, cell) => of(cell)),
          [1, rows * cols],
        ),
        [batch, 1],
      );
    const x = centre((cell) => (((cell % cols) + 0.5) * width) / cols);
    const y = centre((cell) => ((Math.floor(cell / cols) + 0.5) * height) / rows);
    return tf.reshape(tf.stack([cos, sin, x, tf.neg(sin), cos, y], 2), [batch, rows * cols, 2, 3]);
  });
}

/** The cell's side; of cells that are not square, the side of a square of their area. */
export const frameScalePx = (
  [height, width]: readonly [number, number],
  [rows, cols]: Grid,
  sizePx: number | undefined,
): number => sizePx ?? Math.sqrt((height / rows) * (width / cols));

function checkSize(height: number, width: number): void {
  if (height >= 3 && width >= 3) return;
  throw new ShapeError(`sift: want an image of 3 × 3 px or more, got ${height} × ${width}`);
}

/** [P,P]: half the difference of a sample's neighbours, the border repeated; a product with it is exactly that. */
function differences(samples: number): Float32Array {
  const matrix = new Float32Array(samples * samples);
  for (let i = 0; i < samples; i++) {
    matrix[i * samples + Math.min(i + 1, samples - 1)]! += 0.5;
    matrix[i * samples + Math.max(i - 1, 0)]! -= 0.5;
  }
  return matrix;
}

/** How wide a bin's triangle is, how far bins are apart, and how far the first starts before the patch: Kornia's whole numbers. */
export function binLayout(bins: number, patch: number) {
  const width = 2 * Math.floor(patch / (bins + 1));
  const stride = Math.floor(patch / bins);
  const padding = Math.floor(width / 4);
  return { width, stride, padding, count: Math.floor((patch + 2 * padding - width) / stride) + 1 };
}

/** [bins,P]: triangle times Gaussian, one axis of the bins. */
function binWindow(bins: number, patch: number): Float32Array {
  const { width, stride, padding } = binLayout(bins, patch);
  const sigma = patch / Math.SQRT2;
  return Float32Array.from({ length: bins * patch }, (_, i) => {
    const [bin, k] = [Math.floor(i / patch), i % patch];
    const inTriangle = k - (bin * stride - padding) + 0.5 - width / 2;
    const triangle = Math.max(0, 1 - Math.abs(inTriangle) / (width / 2));
    return triangle * Math.exp(-((k + 0.5 - patch / 2) ** 2) / (2 * sigma ** 2));
  });
}
