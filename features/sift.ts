/**
 * @file Dense upright SIFT in OpenCV's convention, as a tensor program.
 *
 * All key points share one window, and it is separable (a Gaussian times two linear weights): for each orientation the whole
 * grid is two matrix products, Wy · M · Wxᵀ, with M the gradient magnitudes of that orientation.
 */
import tf from "@tensorflow/tfjs";
import { UsageError } from "../data/errors.js";
import type { Descriptor, Grid } from "./descriptor.js";

const BINS = 4;
const ORIENTATIONS = 8;
/** Blur that brings an image of assumed σ 0.5 to the scale space's 1.6. */
const SIGMA = Math.sqrt(1.6 ** 2 - 0.5 ** 2);
const BLUR_RADIUS = 6;
/** A spatial bin is three times the key point's scale, half its size, wide: 24 pixels for cells of 16. */
const BIN_PER_CELL = 1.5;
const CLIP = 0.2;

/** OpenCV's 8-bit gray: (9798 R + 19235 G + 3735 B + 2¹⁴) >> 15, exact in float32. */
function gray(images: tf.Tensor4D): tf.Tensor3D {
  const weights = tf.tensor([9798, 19235, 3735], [1, 1, 1, 3]);
  const sum = tf.sum(tf.mul(tf.round(images), weights), 3);
  return tf.floor(tf.mul(tf.add(sum, 16384), 1 / 32768)) as tf.Tensor3D;
}

/** [n,n]: the Gaussian of 13 taps with mirrored borders (the edge itself once). */
function blurMatrix(n: number): tf.Tensor2D {
  const taps = Array.from({ length: 2 * BLUR_RADIUS + 1 }, (_, i) =>
    Math.exp(-((i - BLUR_RADIUS) ** 2) / (2 * SIGMA ** 2)),
  );
  const sum = taps.reduce((a, b) => a + b);
  const matrix = new Float32Array(n * n);
  const mirrored = (i: number): number => {
    const period = Math.max(2 * n - 2, 1);
    const within = ((i % period) + period) % period;
    return within < n ? within : period - within;
  };
  for (let row = 0; row < n; row++) {
    for (const [k, tap] of taps.entries()) matrix[row * n + mirrored(row + k - BLUR_RADIUS)]! += tap / sum;
  }
  return tf.tensor2d(matrix, [n, n]);
}

/** [cells·4, n]: for each cell and bin along one axis, the weights of the pixels: Gaussian window times linear vote. */
function poolMatrix(cells: number, n: number): tf.Tensor2D {
  const cell = n / cells;
  const width = BIN_PER_CELL * cell;
  const matrix = new Float32Array(cells * BINS * n);
  for (let i = 0; i < cells; i++) {
    const centre = (i + 0.5) * cell;
    // The outermost pixels have no central difference and do not vote.
    for (let x = 1; x <= n - 2; x++) {
      const offset = (x - centre) / width;
      const position = offset + BINS / 2 - 0.5;
      const window = Math.exp(-(offset ** 2) / (BINS ** 2 / 2));
      for (let bin = 0; bin < BINS; bin++) {
        const vote = 1 - Math.abs(position - bin);
        if (vote > 0) matrix[(i * BINS + bin) * n + x] = window * vote;
      }
    }
  }
  return tf.tensor2d(matrix, [cells * BINS, n]);
}

/** atan2(y, x) in units of an eighth of a turn, in [0, 8]: a polynomial on the first octant, error below 1e-5. */
function octants(y: tf.Tensor, x: tf.Tensor): tf.Tensor {
  const unit = 4 / Math.PI;
  const [ax, ay] = [tf.abs(x), tf.abs(y)];
  const ratio = tf.div(tf.minimum(ax, ay), tf.add(tf.maximum(ax, ay), 1e-12));
  const square = tf.square(ratio);
  // Abramowitz & Stegun 4.4.49.
  const coefficients = [0.0208351, -0.085133, 0.180141, -0.3302995, 0.999866];
  const polynomial = coefficients
    .slice(1)
    .reduce<tf.Tensor>((sum, c) => tf.add(tf.mul(sum, square), c * unit), tf.fill([1, 1, 1], coefficients[0]! * unit));
  const first = tf.mul(ratio, polynomial);
  const second = tf.where(tf.greater(ay, ax), tf.sub(2, first), first);
  const fourth = tf.where(tf.less(x, 0), tf.sub(4, second), second);
  return tf.where(tf.less(y, 0), tf.sub(8, fourth), fourth);
}

function program(images: tf.Tensor4D, [rows, columns]: Grid): tf.Tensor3D {
  const [B, H, W] = images.shape;
  if (H < 3 || W < 3) throw new UsageError(`sift needs images of at least 3×3 pixels, got ${H}×${W}`);
  if (H / rows !== W / columns) {
    throw new UsageError(`sift needs square cells: ${H}×${W} pixels in ${rows}×${columns} tokens are not`);
  }
  // Blur, both axes.
  const smooth = tf.matMul(tf.matMul(tf.expandDims(blurMatrix(H), 0), gray(images)), blurMatrix(W), false, true);
  const border = (x: tf.Tensor, axis: 1 | 2) =>
    tf.pad(
      x,
      [0, 1, 2].map((i): [number, number] => (i === axis ? [1, 1] : [0, 0])),
    );
  const dx = border(tf.sub(tf.slice(smooth, [0, 0, 2], [B, H, W - 2]), tf.slice(smooth, [0, 0, 0], [B, H, W - 2])), 2);
  // y points up.
  const dy = border(tf.sub(tf.slice(smooth, [0, 0, 0], [B, H - 2, W]), tf.slice(smooth, [0, 2, 0], [B, H - 2, W])), 1);
  const magnitude = tf.sqrt(tf.add(tf.square(dx), tf.square(dy)));
  const angle = octants(dy, dx);

  const maps = Array.from({ length: ORIENTATIONS }, (_, orientation) => {
    const distance = tf.abs(tf.sub(angle, orientation));
    const around = orientation === 0 ? tf.minimum(distance, tf.sub(ORIENTATIONS, angle)) : distance;
    return tf.mul(magnitude, tf.relu(tf.sub(1, around)));
  });
  const voted = tf.reshape(tf.stack(maps, 1), [B * ORIENTATIONS, H, W]);
  const pooled = tf.matMul(
    tf.matMul(tf.expandDims(poolMatrix(rows, H), 0), voted),
    poolMatrix(columns, W),
    false,
    true,
  );
  // [B, orientation, row, bin row, column, bin column] → [B, row, column, bin row, bin column, orientation]
  const split = tf.reshape(pooled, [B, ORIENTATIONS, rows, BINS, columns, BINS]);
  const raw = tf.reshape(tf.transpose(split, [0, 2, 4, 3, 5, 1]), [B, rows * columns, BINS * BINS * ORIENTATIONS]);

  const norm = (x: tf.Tensor) => tf.sqrt(tf.sum(tf.square(x), -1, true));
  const clipped = tf.minimum(raw, tf.mul(norm(raw), CLIP));
  const scaled = tf.mul(clipped, tf.div(512, tf.maximum(norm(clipped), 1.1920929e-7)));
  return tf.minimum(tf.round(scaled), 255) as tf.Tensor3D;
}

/**
 * Upright dense SIFT, OpenCV's convention: one key point at the centre of each cell, its size the cell's side, angle 0, first
 * octave without upsampling. 4×4 spatial bins (row, column) of 8 orientations, whole numbers 0…255, norm about 512; 0 where
 * the image is flat.
 *
 * @source Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, section 6; SPEC §3.4.
 * @parity OpenCV 5 `SIFT.compute` with angle 0. Its approximate arc tangent and exponential round a few entries otherwise.
 */
export const sift: Descriptor = {
  name: "sift",
  dim: BINS * BINS * ORIENTATIONS,
  version: 1,
  summary: "upright dense SIFT, OpenCV's convention: 4×4 bins of 8 orientations, 0…255",
  program,
};
