/**
 * @file Dense SIFT in OpenCV's convention, as a tensor program.
 *
 * Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 2004, section 6, as OpenCV computes it for key points of
 * octave 0: one at the centre of each cell, of the cell's size (16 for cells of 16 px), so 4×4 bins of 1.5 cells each. Gray
 * levels, a Gaussian blur of σ = √(1.6² - 0.5²), central differences, 8 soft orientations, 4×4 soft bins under a Gaussian.
 * Channel = (bin row · 4 + bin column) · 8 + orientation; orientations run counter-clockwise from "brighter to the right".
 */
import tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { type BandedMatrix, bandedMatrix, bandedProduct } from "./banded-product.js";
import type { Grid, ProcessorProgram } from "./descriptor.js";
import { blurTaps, firstBlur } from "./first-blur.js";
import { openCvGray } from "./gray.js";
import { orientationMaps } from "./orientation-votes.js";
import { packColumns } from "./packed-columns.js";
import { byToken, poolVotes } from "./pool-votes.js";
import { siftWindow } from "./sift-window.js";

export interface OpenCvSiftOptions {
  /** Bins a side. */
  readonly bins: number;
  readonly orientations: number;
  /** Size of a key point in pixels, two thirds of a bin's width; undefined: the cell's sides. */
  readonly sizePx: number | undefined;
  /** How far the frame is turned, in degrees: 360 - the angle of OpenCV's key point. */
  readonly turnDeg: number;
}

/**
 * Votes of every bin, not yet normalized.
 *
 * @param images [B,H,W,3] RGB, whole numbers 0..255.
 * @returns      [B,T,bins² · orientations].
 * @throws {ShapeError} an image of less than 3 × 3 px, or a turned frame on cells that {@link siftWindow} cannot place.
 * @parity OpenCV 5.0 on photographs: 99.9 % of the values equal after rounding, the others differ by 1. Its blur kernel is rounded to
 *   multiples of 2⁻¹⁶ here: sums over flat regions are then exact, and the gradient there is 0 and not rounding noise, on any
 *   device. OpenCV rounds key points to whole pixels; here cells of odd or broken size keep their true centres.
 */
export function openCvSiftVotes(
  images: tf.Tensor4D,
  grid: Grid,
  { bins, orientations, sizePx, turnDeg }: OpenCvSiftOptions,
): tf.Tensor3D {
  const [batch, height, width] = images.shape;
  checkSize(height, width);
  const blurred = firstBlur(openCvGray(images));
  // Votes come from inside the image's border only: [B,H-2,W-2].
  const inside = (y: number, x: number) => tf.slice(blurred, [0, y, x], [batch, height - 2, width - 2]);
  const dx = tf.sub(inside(1, 2), inside(1, 0)) as tf.Tensor3D;
  const dy = tf.sub(inside(0, 1), inside(2, 1)) as tf.Tensor3D;

  const votes = orientationMaps(dx, dy, { orientations, shift: (orientations * turnDeg) / 360 });
  const window = siftWindow([height, width], grid, { bins, sizePx, turnDeg });
  const inner = (matrix: BandedMatrix) => insideBorder(matrix, 1, matrix.cols - 2);
  return binVotes(poolVotes(votes, inner(window.rows), inner(window.cols), grid), window.core, bins);
}

/** The same for a processor, whose pass can afford a map for each orientation. @throws as {@link openCvSiftVotes}. */
export function openCvSiftOnProcessor(
  [height, width]: readonly [number, number],
  grid: Grid,
  { bins, orientations, sizePx, turnDeg }: OpenCvSiftOptions,
): ProcessorProgram {
  checkSize(height, width);
  const window = siftWindow([height, width], grid, { bins, sizePx, turnDeg });
  const rows = insideBorder(window.rows, 1, height - 2);
  const { packed: cols, weights, packPx, leadPx } = packColumns(insideBorder(window.cols, 0, width));
  return {
    pass: {
      name: "siftVotes",
      parameters: [
        ...[height, width, blurTaps(), orientations, (orientations * turnDeg) / 360],
        ...[leadPx, cols.cols / 4, packPx, weights],
      ],
      shape: [orientations * (height - 2), cols.cols],
      workSize: (2 * height + 17) * (4 * Math.ceil(width / 4) + 20),
    },
    program(made) {
      const batch = made.shape[0]!;
      const across = bandedProduct(made as tf.Tensor3D, cols, 2); // [B, O · (H - 2), grid cols · Q]
      const maps: tf.Tensor3D = tf.reshape(across, [batch * orientations, height - 2, cols.rows]);
      const pooled = tf.reshape(bandedProduct(maps, rows, 1), [batch, orientations, rows.rows * cols.rows]);
      // A product with the identity turns it round faster than a transpose of single numbers.
      const votes = tf.matMul(pooled, tf.reshape(tf.eye(orientations), [1, orientations, orientations]), true);
      return binVotes(byToken(votes, rows, cols, grid), window.core, bins);
    },
  };
}

/** [B, T, P·Q, O] → [B, T, bins² · O]: what the functions of a window pooled, combined. */
function binVotes(pooled: tf.Tensor4D, core: Float32Array | undefined, bins: number): tf.Tensor3D {
  const [batch, tokens, functions, orientations] = pooled.shape;
  const dim = bins ** 2 * orientations;
  if (core === undefined) return tf.reshape(pooled, [batch, tokens, dim]);
  const perToken = tf.reshape(pooled, [batch * tokens, functions, orientations]);
  const turned = tf.matMul(tf.tensor3d(core, [1, bins ** 2, functions]), perToken);
  return tf.reshape(turned, [batch, tokens, dim]);
}

function checkSize(height: number, width: number): void {
  if (height < 3 || width < 3) {
    throw new ShapeError(`sift: want an image of 3 × 3 px or more, got ${height} × ${width}`);
  }
}

/** Some columns of a window, of which those for the image's border, and beyond it, are zero. */
const insideBorder = ({ rows, cols, values }: BandedMatrix, first: number, count: number): BandedMatrix =>
  bandedMatrix(rows, count, (row, col) => {
    const pixel = first + col;
    return pixel > 0 && pixel < cols - 1 ? values[row * cols + pixel]! : 0;
  });
