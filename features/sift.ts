/**
 * @file Dense SIFT in OpenCV's convention, as a tensor program. Owns the target strings `sift[:opencv]`.
 *
 * Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004, section 6, as OpenCV computes it for key points of
 * octave 0: one at the centre of each cell, of the cell's size (16 for cells of 16 px), so 4×4 bins of 1.5 cells each. Gray
 * levels, a Gaussian blur of σ = √(1.6² - 0.5²), central differences, 8 soft orientations, 4×4 soft bins under a Gaussian, and the
 * norm that clips at 0.2. Channel = (bin row · 4 + bin column) · 8 + orientation; orientations run counter-clockwise from
 * "brighter to the right".
 *
 * The iREPA code's target called `sift` is another one (Kornia's); its `siftopencv` is `sift:opencv` here.
 */
import tf from "@tensorflow/tfjs";
import { ShapeError, UsageError } from "../data/errors.js";
import { nearestName } from "../data/nearest.js";
import { type BandedMatrix, bandedMatrix, bandedProduct } from "./banded-product.js";
import type { DescriptorFamily, Grid, ProgramDescriptor } from "./descriptor.js";
import { firstBlur } from "./first-blur.js";
import { openCvGray } from "./gray.js";
import { ORIENTATIONS, orientationMaps } from "./orientation-votes.js";
import { siftWindow } from "./sift-window.js";

const DIM = 128;
/** Smallest norm that is divided by: float32's epsilon. */
const MIN_NORM = 2 ** -23;

interface SiftOptions {
  /** How far the descriptor's frame is turned, in degrees. OpenCV's default, for key points without an angle, is 360 - (-1). */
  readonly angleDeg: 0 | 361;
}

const UPRIGHT: SiftOptions = { angleDeg: 0 };
const OPENCV_DEFAULT: SiftOptions = { angleDeg: 361 };

/**
 * Upright dense SIFT (`sift`), or OpenCV's for key points without an angle, turned by 1° (`sift:opencv`).
 *
 * Values are whole numbers 0…255; the norm of a token is about 512, and 0 where the image is flat.
 *
 * @parity OpenCV 5.0 on photographs: 99.9 % of the values equal, the others differ by 1. Its blur kernel is rounded to multiples
 *   of 2⁻¹⁶ here: sums over flat regions are then exact, and the gradient there is 0 and not rounding noise, on any device.
 *   OpenCV rounds key points to whole pixels; here cells of odd or broken size keep their true centres.
 */
function sift(options: SiftOptions): ProgramDescriptor {
  return {
    name: options.angleDeg === 0 ? "sift" : "sift:opencv",
    dim: DIM,
    version: 1,
    summary:
      options.angleDeg === 0
        ? "upright dense SIFT in OpenCV's convention: 4×4 bins of 8 orientations, whole numbers 0…255"
        : "dense SIFT as OpenCV computes it for key points without an angle: turned by 1°",
    program: (images, grid) => tf.tidy(() => siftTokens(images, grid, options)),
  };
}

function siftTokens(images: tf.Tensor4D, grid: Grid, { angleDeg }: SiftOptions): tf.Tensor3D {
  const [batch, height, width] = images.shape;
  if (height < 3 || width < 3) {
    throw new ShapeError(`sift: want an image of 3 × 3 px or more, got ${height} × ${width}`);
  }
  const blurred = firstBlur(openCvGray(images)); // [B,H,W]
  // Votes come from inside the image's border only: [B,H-2,W-2].
  const inside = (y: number, x: number) => tf.slice(blurred, [0, y, x], [batch, height - 2, width - 2]);
  const dx = tf.sub(inside(1, 2), inside(1, 0)) as tf.Tensor3D;
  const dy = tf.sub(inside(0, 1), inside(2, 1)) as tf.Tensor3D;

  const { maps, coefficients } = orientationMaps(dx, dy, (ORIENTATIONS * angleDeg) / 360);
  const window = siftWindow([height, width], grid, angleDeg);
  const [rows, cols] = [withoutBorder(window.rows), withoutBorder(window.cols)];
  const pooled = maps.map((map) =>
    tf.reshape(bandedProduct(bandedProduct(map, cols, 2), rows, 1), [batch, 1, rows.rows * cols.rows]),
  );
  const votes = tf.matMul(tf.concat(pooled, 1), tf.tensor3d(coefficients, [1, maps.length, ORIENTATIONS]), true); // [B, rows·P · cols·Q, 8]
  const [p, q] = window.functions;
  const split = [batch * grid[0], p, grid[1], q * ORIENTATIONS];
  let bins: tf.Tensor = tf.transpose(tf.reshape(votes, split), [0, 2, 1, 3]);
  if (window.core !== undefined) {
    const perToken = tf.reshape(bins, [batch * grid[0] * grid[1], p * q, ORIENTATIONS]);
    bins = tf.matMul(tf.tensor3d(window.core, [1, DIM / ORIENTATIONS, p * q]), perToken);
  }
  return quantized(tf.reshape(bins, [batch, grid[0] * grid[1], DIM]));
}

/** Clip at 0.2 of the norm, normalize to 512, round and saturate to a byte. */
function quantized(votes: tf.Tensor3D): tf.Tensor3D {
  // Bins are differences of ramps: where nothing voted they may be below zero by a rounding error.
  const bins = tf.relu(votes);
  const norm = tf.sqrt(tf.sum(tf.square(bins), -1, true));
  const clipped = tf.minimum(bins, tf.mul(norm, 0.2));
  const clippedNorm = tf.sqrt(tf.sum(tf.square(clipped), -1, true));
  const scaled = tf.mul(clipped, tf.div(512, tf.maximum(clippedNorm, MIN_NORM)));
  return tf.minimum(tf.floor(tf.add(scaled, 0.5)), 255) as tf.Tensor3D;
}

const withoutBorder = ({ rows, cols, values }: BandedMatrix): BandedMatrix =>
  bandedMatrix(rows, cols - 2, (row, col) => values[row * cols + col + 1]!);

export const siftFamily: DescriptorFamily = {
  name: "sift",
  targets: [
    { pattern: "sift", summary: "upright dense SIFT in OpenCV's convention, whole numbers 0…255", dim: `${DIM}` },
    {
      pattern: "sift:opencv",
      summary: "dense SIFT of OpenCV key points without an angle (a frame turned by 1°): iREPA's siftopencv",
      dim: `${DIM}`,
    },
  ],
  parse(options) {
    if (options === undefined) return sift(UPRIGHT);
    if (options === "opencv") return sift(OPENCV_DEFAULT);
    const nearest = nearestName(options, ["opencv"]);
    throw new UsageError(`unknown target "sift:${options}"; known: sift, sift:opencv`, {
      ...(nearest === undefined ? {} : { hint: `did you mean "sift:${nearest}"?` }),
    });
  },
};
