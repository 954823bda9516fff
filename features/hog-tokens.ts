/**
 * @file Dense HOG as a tensor program.
 *
 * Dalal & Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, in scikit-image's reading of it: central
 * differences, hard unsigned orientation bins, cells of ppc × ppc pixels, blocks of cb × cb cells one cell apart, L2-Hys. The
 * map of all blocks is then resized bilinearly, without anti-aliasing, to the grid: each token reads four blocks and no others,
 * so only those blocks, their cells and their pixels are computed, each cell once.
 *
 * Orientations are never computed. The bins are sectors of the half circle, so a pixel is at or beyond the k-th border iff
 * cot(angle) = gx / gy ≤ cot(180° k / n), and a sector is the difference of two such half planes.
 */
import tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { type BilinearTap, bilinearTaps } from "./bilinear.js";
import { type BlockNorm, normalizeBlocks } from "./block-norm.js";
import type { Grid, ProcessorProgram } from "./descriptor.js";
import { luma } from "./gray.js";
import { chooseLines, differencesAt } from "./pixel-lines.js";

export interface HogLayout {
  readonly orientations: number;
  /** Side of a cell in pixels. */
  readonly cellPx: number;
  /** Side of a block in cells. */
  readonly blockCells: number;
  /** undefined: L2-Hys, and then unit length. */
  readonly norm: BlockNorm | undefined;
  /** Square roots of the gray levels first. */
  readonly takesRoots: boolean;
}

const BLOCK_EPS = 1e-10;
const BLOCK_CLIP = 0.2;
/** Beyond every cotangent between the borders of bins. */
const FAR = 1e30;

/**
 * @param images [B,H,W,3] RGB, 0..255.
 * @returns      [B,T,blockCells² · orientations].
 * @throws {ShapeError} an image smaller than a block.
 */
export function hogTokens(images: tf.Tensor4D, [rows, cols]: Grid, layout: HogLayout): tf.Tensor3D {
  const [, height, width] = images.shape;
  const [vertical, horizontal] = [axisPlan(height, rows, layout), axisPlan(width, cols, layout)];
  return blockTokens(cellBins(images, vertical, horizontal, layout), vertical, horizontal, layout);
}

/** The same for a processor. @throws {ShapeError} an image smaller than a block. */
export function hogOnProcessor(
  [height, width]: readonly [number, number],
  [rows, cols]: Grid,
  layout: HogLayout,
): ProcessorProgram {
  const { orientations, cellPx, takesRoots } = layout;
  const [vertical, horizontal] = [axisPlan(height, rows, layout), axisPlan(width, cols, layout)];
  const cellsOf = ({ cells }: AxisPlan): [Int32Array, number] => [Int32Array.from(cells), cells.length];
  return {
    pass: {
      name: "hogCells",
      parameters: [
        ...[height, width, ...cellsOf(vertical), ...cellsOf(horizontal), cellPx],
        ...[borderCotangents(orientations), orientations, takesRoots ? 1 : 0],
      ],
      shape: [vertical.cells.length, horizontal.cells.length * orientations],
      workSize: (height + 2) * (4 * Math.ceil(width / 4) + 4),
    },
    program: (made) => blockTokens(made as tf.Tensor3D, vertical, horizontal, layout),
  };
}

/**
 * Means over each cell of the magnitudes in each bin.
 *
 * @returns [B, cell rows, cell columns · orientations].
 */
function cellBins(images: tf.Tensor4D, vertical: AxisPlan, horizontal: AxisPlan, layout: HogLayout): tf.Tensor3D {
  const { orientations, takesRoots } = layout;
  const gray = takesRoots ? (tf.sqrt(luma(images)) as tf.Tensor3D) : luma(images);
  const cells = cellSums(gray, vertical, horizontal, layout); // [B,n, cell rows · cell columns]
  // A bin is what is beyond its own border and not beyond the next.
  const difference = Float32Array.from({ length: orientations ** 2 }, (_, i) => {
    const [from, to] = [Math.floor(i / orientations), i % orientations];
    return from === to ? 1 : from === to + 1 ? -1 : 0;
  });
  const bins = tf.matMul(cells, tf.tensor3d(difference, [1, orientations, orientations]), true);
  return tf.reshape(bins, [-1, vertical.cells.length, horizontal.cells.length * orientations]);
}

/** Cells as of {@link cellBins} → normalized blocks, resized to the grid. */
function blockTokens(
  cells: tf.Tensor3D,
  vertical: AxisPlan,
  horizontal: AxisPlan,
  { orientations, blockCells, norm }: HogLayout,
): tf.Tensor3D {
  const batch = cells.shape[0];
  const [rows, cols] = [vertical.taps.length, horizontal.taps.length];
  // Bring the cells of a block together, and the four blocks of a token: [B·rows·cols, 4, D].
  const tall = takeCells(cells, vertical.blocks);
  const all = takeCells(
    tf.reshape(tall, [batch * vertical.blocks.length, horizontal.cells.length, orientations]),
    horizontal.blocks,
  );
  const split = [batch * rows, 2, blockCells, cols, 2, blockCells * orientations];
  const dim = blockCells ** 2 * orientations;
  const blocks = tf.reshape(tf.transpose(tf.reshape(all, split), [0, 3, 1, 4, 2, 5]), [batch * rows * cols, 4, dim]);

  const weights = tf.tensor3d(blockWeights(vertical.taps, horizontal.taps), [1, rows * cols, 4]);
  if (norm !== undefined) {
    const normalized = tf.reshape(normalizeBlocks(tf.relu(blocks), norm), [batch, rows * cols, 4, dim]);
    return tf.sum(tf.mul(normalized, tf.reshape(weights, [1, rows * cols, 4, 1])), 2);
  }
  // L2-Hys, then the L2 norm; the second half of it and the bilinear weights are one factor of each block.
  const squares = tf.sum(tf.square(blocks), -1, true);
  const clipped = tf.minimum(tf.div(blocks, tf.sqrt(tf.add(squares, BLOCK_EPS))), BLOCK_CLIP);
  const clippedSquares = tf.sum(tf.square(clipped), -1); // [B·rows·cols, 4]
  const hysNorm = tf.sqrt(tf.add(clippedSquares, BLOCK_EPS));
  const unit = tf.maximum(tf.div(tf.sqrt(clippedSquares), hysNorm), 1e-12);
  const factor = tf.div(
    tf.mul(tf.reshape(tf.div(1, hysNorm), [batch, rows * cols, 4]), weights),
    tf.reshape(unit, [batch, rows * cols, 4]),
  );
  const tokens = tf.matMul(tf.reshape(factor, [batch * rows * cols, 1, 4]), clipped);
  return tf.reshape(tokens, [batch, rows * cols, dim]);
}

/**
 * Means over each cell of the magnitudes that are at or beyond each border.
 *
 * @param gray [B,H,W].
 * @returns    [B, orientations, cell rows · cell columns].
 */
function cellSums(
  gray: tf.Tensor3D,
  vertical: AxisPlan,
  horizontal: AxisPlan,
  { orientations, cellPx }: HogLayout,
): tf.Tensor3D {
  const batch = gray.shape[0];
  const across = differencesAt(chooseLines(gray, vertical.pixels, 1), horizontal.pixels, 2);
  const down = chooseLines(differencesAt(gray, vertical.pixels, 1), horizontal.pixels, 2);
  const magnitude = tf.sqrt(tf.add(tf.square(across), tf.square(down)));
  // Angle 0 has an infinite cotangent, whichever way it points.
  const cotangent = tf.where(tf.equal(down, 0), FAR, tf.div(across, down));

  const borders = borderCotangents(orientations);
  const [height, width] = [vertical.pixels.length, horizontal.pixels.length];
  const flat = (map: tf.Tensor): tf.Tensor => tf.reshape(map, [batch, 1, height * width]);
  const beyond = tf.cast(tf.lessEqual(flat(cotangent), tf.tensor3d(borders, [1, orientations, 1])), "float32");
  const votes = tf.mul(beyond, flat(magnitude)); // [B,n,H'·W']
  const strips = tf.sum(tf.reshape(votes, [batch * orientations * vertical.cells.length, cellPx, width]), 1);
  return tf.reshape(meansOfCells(strips as tf.Tensor2D, horizontal.cells.length, cellPx), [
    batch,
    orientations,
    vertical.cells.length * horizontal.cells.length,
  ]);
}

/** Columns of a product that a processor computes at once. */
const LANES = 16;

/** [N, cells · cellPx] → [N, cells]: sums of neighbours, divided by cellPx². Some cells at a time: the others' pixels are zeros of the product. */
function meansOfCells(x: tf.Tensor2D, cells: number, cellPx: number): tf.Tensor2D {
  const divisors = Array.from({ length: Math.min(cells, LANES) }, (_, i) => i + 1).filter((n) => cells % n === 0);
  const most = divisors.at(-1)!;
  const together = most < LANES / 2 ? cells : most;
  const weights = Float32Array.from({ length: together * cellPx * together }, (_, i) =>
    Math.floor(i / together / cellPx) === i % together ? 1 / cellPx ** 2 : 0,
  );
  const split = tf.reshape(x, [-1, together * cellPx]);
  return tf.reshape(tf.matMul(split, tf.tensor2d(weights, [together * cellPx, together])), [-1, cells]);
}

/** Slices of axis 1. */
function takeCells(x: tf.Tensor, indices: readonly number[]): tf.Tensor {
  const isWhole = indices.length === x.shape[1] && indices.every((index, i) => index === i);
  return isWhole ? x : tf.gather(x, tf.tensor1d([...indices], "int32"), 1);
}

/** The cotangent of the border before each bin; all angles are behind the first. */
const borderCotangents = (orientations: number): Float32Array =>
  Float32Array.from({ length: orientations }, (_, k) =>
    k === 0 ? Number.POSITIVE_INFINITY : cotangentOf(k, orientations),
  );

/** cot(180° k / n), exact where it is a whole number: gradients of small whole gray levels tie there. */
function cotangentOf(k: number, orientations: number): number {
  const angle = (Math.PI * k) / orientations;
  const cotangent = Math.cos(angle) / Math.sin(angle);
  return Math.abs(cotangent - Math.round(cotangent)) < 1e-12 ? Math.round(cotangent) : cotangent;
}

interface AxisPlan {
  /** Cells that are read, each once, ascending. */
  readonly cells: readonly number[];
  /** The pixels of these cells, cell by cell, ascending. */
  readonly pixels: readonly number[];
  /** [tokens · 2 blocks · cells of a block]: which of the cells. */
  readonly blocks: readonly number[];
  readonly taps: readonly BilinearTap[];
}

function axisPlan(sizePx: number, tokens: number, { cellPx, blockCells }: HogLayout): AxisPlan {
  const blocks = Math.floor(sizePx / cellPx) - blockCells + 1;
  if (blocks < 1) {
    throw new ShapeError(
      `hog: an image of ${sizePx} px has no block of ${blockCells} cells of ${cellPx} px; want ${blockCells * cellPx} px or more`,
    );
  }
  const taps = bilinearTaps(blocks, tokens);
  const read = taps.flatMap(({ low, high }) =>
    [low, high].flatMap((block) => Array.from({ length: blockCells }, (_, cell) => block + cell)),
  );
  const cells = [...new Set(read)].sort((a, b) => a - b);
  const position = new Map(cells.map((cell, i) => [cell, i]));
  return {
    cells,
    pixels: cells.flatMap((cell) => Array.from({ length: cellPx }, (_, i) => cell * cellPx + i)),
    blocks: read.map((cell) => position.get(cell)!),
    taps,
  };
}

/** [rows·cols, 4]: the bilinear weights of a token's blocks, in the order (low, low), (low, high), (high, low), (high, high). */
function blockWeights(vertical: readonly BilinearTap[], horizontal: readonly BilinearTap[]): Float32Array {
  const pair = ({ share }: BilinearTap): number[] => [1 - share, share];
  return Float32Array.from(
    vertical.flatMap((row) => horizontal.flatMap((col) => pair(row).flatMap((y) => pair(col).map((x) => y * x)))),
  );
}
