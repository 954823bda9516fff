/**
 * @file What the cells of a grid cover. Cell i of n covers [i · size / n, (i + 1) · size / n) pixels of its axis; a pixel on the
 * border of two cells belongs to both, by the shares of it that they cover.
 */
import tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { type BandedMatrix, bandedMatrix, bandedProduct } from "./banded-product.js";
import type { Grid } from "./descriptor.js";

/** [cells, sizePx]: means over the cells of one axis. */
function cellMeans(sizePx: number, cells: number): BandedMatrix {
  const cellPx = sizePx / cells;
  return bandedMatrix(cells, sizePx, (cell, pixel) => {
    const covered = Math.min(pixel + 1, (cell + 1) * cellPx) - Math.max(pixel, cell * cellPx);
    // What is left over by rounding of the borders is nothing.
    return covered > 1e-9 ? covered / cellPx : 0;
  });
}

/** Means over the cells of one axis of a stack of maps. */
function averageCells(x: tf.Tensor3D, cells: number, axis: 1 | 2): tf.Tensor3D {
  const sizePx = x.shape[axis];
  return cells === sizePx ? x : bandedProduct(x, cellMeans(sizePx, cells), axis);
}

/**
 * Each cell as a square patch: copied if it has that many pixels; otherwise averaged over equal areas, or its pixels repeated.
 *
 * @param maps [N,H,W].
 * @returns    [N,T,size,size].
 */
export function cellPatches(maps: tf.Tensor3D, [rows, cols]: Grid, size: number): tf.Tensor4D {
  const patches = averageCells(averageCells(maps, cols * size, 2), rows * size, 1);
  const split = tf.transpose(tf.reshape(patches, [-1, rows, size, cols, size]), [0, 1, 3, 2, 4]);
  return tf.reshape(split, [maps.shape[0], rows * cols, size, size]);
}

/** @throws {ShapeError} more cells than pixels. */
export function checkCells(name: string, [, height, width]: readonly number[], [rows, cols]: Grid): void {
  if (rows > height! || cols > width!) {
    throw new ShapeError(
      `${name}: want cells of 1 px or more, got an image of ${height} × ${width} px in ${rows} × ${cols} cells`,
    );
  }
}

/** The pixels of each cell. */
export interface CellPixels {
  /** [B,T,P]. */
  readonly pixels: tf.Tensor3D;
  /** [1,T,P]: by how much a pixel counts; they add up to 1 in each cell. */
  readonly shares: tf.Tensor3D;
}

/** @param maps [B,H,W]. */
export function cellPixels(maps: tf.Tensor3D, [rows, cols]: Grid): CellPixels {
  const [batch, height, width] = maps.shape;
  const vertical = cellLines(height, rows);
  const horizontal = cellLines(width, cols);
  const [p, q] = [vertical.count, horizontal.count];
  const chosen = chooseLines(chooseLines(maps, vertical.lines, 1), horizontal.lines, 2);
  const split = tf.transpose(tf.reshape(chosen, [batch, rows, p, cols, q]), [0, 1, 3, 2, 4]);
  const shares = tf.mul(
    tf.tensor(vertical.shares, [1, rows, 1, p, 1]),
    tf.tensor(horizontal.shares, [1, 1, cols, 1, q]),
  );
  return {
    pixels: tf.reshape(split, [batch, rows * cols, p * q]),
    shares: tf.reshape(shares, [1, rows * cols, p * q]),
  };
}

/** The lines of pixels that each cell of an axis touches, as many for each cell. */
function cellLines(sizePx: number, cells: number) {
  const { values } = cellMeans(sizePx, cells);
  const touched = Array.from({ length: cells }, (_, cell) => {
    const row = values.subarray(cell * sizePx, (cell + 1) * sizePx);
    const first = row.findIndex((share) => share > 0);
    return { first, shares: row.subarray(first).filter((share) => share > 0) };
  });
  const count = Math.max(...touched.map(({ shares }) => shares.length));
  return {
    count,
    lines: touched.flatMap(({ first }) => Array.from({ length: count }, (_, i) => Math.min(first + i, sizePx - 1))),
    shares: Float32Array.from(touched.flatMap(({ shares }) => Array.from({ length: count }, (_, i) => shares[i] ?? 0))),
  };
}

function chooseLines(maps: tf.Tensor3D, lines: readonly number[], axis: 1 | 2): tf.Tensor3D {
  const isWhole = lines.length === maps.shape[axis] && lines.every((line, i) => line === i);
  return isWhole ? maps : tf.gather(maps, tf.tensor1d([...lines], "int32"), axis);
}

/** Mean of each cell, and what its pixels have above it. */
export function centredCells(maps: tf.Tensor3D, grid: Grid) {
  const { pixels, shares } = cellPixels(maps, grid);
  const mean = tf.sum(tf.mul(pixels, shares), -1, true); // [B,T,1]
  return { mean: mean as tf.Tensor3D, centred: tf.sub(pixels, mean) as tf.Tensor3D, shares };
}

/**
 * How often each label occurs in each cell, as shares of the cell.
 *
 * A histogram of n labels is a matrix of √n × √n, the sum over the pixels of (one-hot row) · (one-hot column)ᵀ: one product instead
 * of a pass over the image for each label.
 *
 * @param labels [B,H,W], whole numbers 0..bins-1.
 * @returns      [B,T,bins], each row with sum 1.
 */
export function cellHistograms(labels: tf.Tensor3D, bins: number, grid: Grid): tf.Tensor3D {
  const { pixels, shares } = cellPixels(labels, grid);
  const [batch, tokens, count] = pixels.shape;
  const cols = Math.ceil(Math.sqrt(bins));
  const rows = Math.ceil(bins / cols);
  const row = tf.floor(tf.mul(tf.add(pixels, 0.5), 1 / cols));
  const col = tf.sub(pixels, tf.mul(row, cols));
  const oneHot = (values: tf.Tensor, size: number): tf.Tensor => {
    const numbers = tf.tensor(
      Array.from({ length: size }, (_, i) => i),
      [1, 1, size, 1],
    );
    return tf.cast(tf.equal(tf.reshape(values, [batch, tokens, 1, count]), numbers), "float32");
  };
  const weighted = tf.mul(oneHot(row, rows), tf.reshape(shares, [1, tokens, 1, count]));
  const product = tf.matMul(weighted, oneHot(col, cols), false, true);
  const counts: tf.Tensor3D = tf.reshape(product, [batch, tokens, rows * cols]);
  return rows * cols === bins ? counts : tf.slice(counts, [0, 0, 0], [-1, -1, bins]);
}
