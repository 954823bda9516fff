import tf from "@tensorflow/tfjs";
import { type BandedMatrix, bandedProduct } from "./banded-product.js";
import type { Grid } from "./descriptor.js";
import type { OrientationMaps } from "./orientation-votes.js";

/**
 * Sum the votes of pixels under windows that are products of a function of the row and one of the column.
 *
 * @param votes maps of [B,H,W].
 * @param rows  [grid rows · P, H]: P functions for each row of cells.
 * @param cols  [grid cols · Q, W].
 * @returns     [B, T, P·Q, orientations].
 */
export function poolVotes(
  { maps, coefficients }: OrientationMaps,
  rows: BandedMatrix,
  cols: BandedMatrix,
  grid: Grid,
): tf.Tensor4D {
  const batch = maps[0]!.shape[0];
  const orientations = coefficients.length / maps.length;
  const pooled = maps.map((map) =>
    tf.reshape(bandedProduct(bandedProduct(map, cols, 2), rows, 1), [batch, 1, rows.rows * cols.rows]),
  );
  const votes = tf.matMul(tf.concat(pooled, 1), tf.tensor3d(coefficients, [1, maps.length, orientations]), true); // [B, rows·P · cols·Q, O]
  return byToken(votes, rows, cols, grid);
}

/** [B, grid rows · P · grid cols · Q, O] → [B, T, P·Q, O]. */
export function byToken(votes: tf.Tensor, rows: BandedMatrix, cols: BandedMatrix, grid: Grid): tf.Tensor4D {
  const [batch, , orientations] = votes.shape as [number, number, number];
  const [p, q] = [rows.rows / grid[0], cols.rows / grid[1]];
  const split = [batch * grid[0], p, grid[1], q * orientations];
  const bins = tf.transpose(tf.reshape(votes, split), [0, 2, 1, 3]);
  return tf.reshape(bins, [batch, grid[0] * grid[1], p * q, orientations]);
}
