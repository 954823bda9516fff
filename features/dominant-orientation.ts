/**
 * @file The direction that most gradients around a key point have, as Kornia's `LAFOrienter(20)` with its `PatchDominantGradientOrientation`
 * finds it: 20×20 samples of an upright frame, Sobel gradients, 36 soft bins under a Gaussian, smoothed around the circle, and the
 * vertex of the parabola through the highest bin and its neighbours.
 */
import tf from "@tensorflow/tfjs";
import type { Grid } from "./descriptor.js";
import { patchGradients } from "./patch-gradients.js";

const SAMPLES = 20;
const BINS = 36;
/** Bins are 6 coarse ones of 6 fine ones: 6 + 7 maps instead of 36, and a product of them for each patch. */
const COARSE = 6;
const FINE = BINS / COARSE;
const WINDOW_SIGMA = SAMPLES / 6;
/** The discrete Gaussian (of Bessel functions) of variance 1.6, five taps, that smooths the histogram. */
const SMOOTHING = [0.1190625, 0.23112359, 0.29962781, 0.23112359, 0.1190625];
/** Kornia's guards: in the magnitude, and in the direction of gradients of length 0. */
const MAGNITUDE_EPS = 1e-8;

/**
 * @param gray    [B,H,W], 0..1.
 * @param grid    one key point at the centre of each cell.
 * @param scalePx half the side of its frame, in pixels.
 * @returns       [B,T] radians, -π..π (up to half a bin more), counter-clockwise from the right as the picture is seen.
 */
export function dominantOrientation(gray: tf.Tensor3D, grid: Grid, scalePx: number): tf.Tensor2D {
  const [batch] = gray.shape;
  const [rows, cols] = grid;
  // [N,1,400]: the samples of each patch together.
  const perPatch = (x: tf.Tensor): tf.Tensor => {
    const split = tf.transpose(tf.reshape(x, [batch * rows, SAMPLES, cols, SAMPLES]), [0, 2, 1, 3]);
    return tf.reshape(split, [batch * rows * cols, 1, SAMPLES * SAMPLES]);
  };
  const sobel = patchGradients(gray, grid, { scalePx, samples: SAMPLES, smoothing: [0.25, 0.5, 0.25] });
  const [gx, gy] = [perPatch(sobel.gx), perPatch(sobel.gy)];
  const weight = tf.mul(
    tf.sqrt(tf.add(tf.add(tf.square(gx), tf.square(gy)), MAGNITUDE_EPS)),
    tf.tensor3d(gaussianWindow(), [1, 1, SAMPLES * SAMPLES]),
  );
  const position = tf.mul(tf.add(tf.atan2(gy, tf.add(gx, MAGNITUDE_EPS)), Math.PI), BINS / (2 * Math.PI)); // 0..36
  const coarse = tf.minimum(tf.floor(tf.div(position, FINE)), COARSE - 1);
  const fine = tf.sub(position, tf.mul(coarse, FINE)); // 0..6
  const column = (count: number) => tf.range(0, count).reshape([1, count, 1]);
  const inCoarse = tf.mul(tf.cast(tf.equal(coarse, column(COARSE)), "float32"), weight); // [N,6,400]
  const inFine = tf.relu(tf.sub(1, tf.abs(tf.sub(fine, column(FINE + 1))))); // [N,7,400]
  const votes = tf.reshape(tf.matMul(inCoarse, inFine, false, true), [-1, COARSE * (FINE + 1)]);
  const histogram = tf.matMul(votes, tf.tensor2d(smoothedBins(), [COARSE * (FINE + 1), BINS])); // [N,36]
  return tf.reshape(peak(histogram), [batch, rows * cols]);
}

/** The angle of the highest bin of each row of [N,36], refined. */
function peak(histogram: tf.Tensor): tf.Tensor {
  const index = tf.argMax(histogram, 1);
  const isPeak = tf.oneHot(index as tf.Tensor1D, BINS);
  const rolled = (by: number) =>
    by < 0
      ? tf.concat([tf.slice(histogram, [0, BINS - 1], [-1, 1]), tf.slice(histogram, [0, 0], [-1, BINS - 1])], 1)
      : tf.concat([tf.slice(histogram, [0, 1], [-1, BINS - 1]), tf.slice(histogram, [0, 0], [-1, 1])], 1);
  const at = (values: tf.Tensor): tf.Tensor => tf.sum(tf.mul(values, isPeak), 1);
  const [left, centre, right] = [at(rolled(-1)), at(histogram), at(rolled(1))];
  const offset = tf.div(tf.mul(0.5, tf.sub(left, right)), tf.sub(tf.add(left, right), tf.mul(2, centre)));
  // Bin 0 lies at -π, downwards the picture is positive: the angle as it is seen has the other sign.
  return tf.sub(Math.PI, tf.mul(tf.add(tf.cast(index, "float32"), offset), (2 * Math.PI) / BINS));
}

/** [42,36]: which bin a coarse and a fine bin make, smoothed. Fine bin 6 is fine bin 0 of the next coarse one. */
function smoothedBins(): Float32Array {
  const matrix = new Float32Array(COARSE * (FINE + 1) * BINS);
  for (let part = 0; part < COARSE * (FINE + 1); part++) {
    const bin = Math.floor(part / (FINE + 1)) * FINE + (part % (FINE + 1));
    for (const [tap, weight] of SMOOTHING.entries()) matrix[part * BINS + ((bin + tap - 2 + BINS) % BINS)]! += weight;
  }
  return matrix;
}

function gaussianWindow(): Float32Array {
  const line = Array.from({ length: SAMPLES }, (_, i) =>
    Math.exp(-((i + 0.5 - SAMPLES / 2) ** 2) / (2 * WINDOW_SIGMA ** 2)),
  );
  const total = line.reduce((a, b) => a + b) ** 2;
  return Float32Array.from(line.flatMap((y) => line.map((x) => (y * x) / total)));
}
