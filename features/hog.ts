/**
 * @file Dense HOG as the iREPA code computes it: scikit-image's histogram of oriented gradients, each block of unit length, the
 * map of blocks resized bilinearly to the grid. That resize reads four blocks around each token; only those are computed.
 */
import tf from "@tensorflow/tfjs";
import { UsageError } from "../data/errors.js";
import type { Descriptor, Grid } from "./descriptor.js";

export interface HogOptions {
  /** D: channels of a token, orientations × cells². @default 128 */
  readonly dim?: number;
  /** Side of a cell, pixels. @default 2 */
  readonly pixelsPerCell?: number;
  /** Side of a block, cells. @default 4 */
  readonly cellsPerBlock?: number;
  /** Tokens per side that the name asks for; any other grid is refused. @default any */
  readonly grid?: number;
}

const HYS_EPSILON = 1e-5;
const HYS_CLIP = 0.2;

/** Where a bilinear resize of `from` to `to` elements reads (half-pixel centres, no antialiasing): two sources each. */
function bilinear(from: number, to: number): { sources: [number, number][]; weights: [number, number][] } {
  const sources: [number, number][] = [];
  const weights: [number, number][] = [];
  for (let i = 0; i < to; i++) {
    const position = Math.max(((i + 0.5) * from) / to - 0.5, 0);
    const low = Math.min(Math.floor(position), from - 1);
    const share = position - low;
    sources.push([low, Math.min(low + 1, from - 1)]);
    weights.push([1 - share, share]);
  }
  return { sources, weights };
}

/** Central differences along an axis, not halved; 0 in the first and last element. */
function differences(x: tf.Tensor3D, axis: 1 | 2): tf.Tensor {
  const at = (start: number) => {
    const begin = [0, 0, 0];
    const size = [...x.shape];
    begin[axis] = start;
    size[axis] = x.shape[axis]! - 2;
    return tf.slice(x, begin, size);
  };
  const paddings: [number, number][] = [[0, 0], [0, 0], [0, 0]]; // biome-ignore format: one line
  paddings[axis] = [1, 1];
  return tf.pad(tf.sub(at(2), at(0)), paddings);
}

/** Magnitudes of the pixels whose orientation lies in each of n equal parts of half a turn: n maps like `row`. */
function orientationMaps(row: tf.Tensor, column: tf.Tensor, n: number): tf.Tensor[] {
  const magnitude = tf.sqrt(tf.add(tf.square(row), tf.square(column)));
  // Turned into the upper half plane, an angle is at least θ where row·cos θ ≥ column·sin θ: exact on the boundaries.
  const sign = tf.where(tf.less(row, 0), tf.scalar(-1), tf.scalar(1));
  const [up, right] = [tf.mul(row, sign), tf.mul(column, sign)];
  const flat = tf.equal(up, 0);
  const atLeast = (k: number): tf.Tensor => {
    const theta = (Math.PI * k) / n;
    const cosine = Math.abs(Math.cos(theta)) < 1e-12 ? 0 : Math.cos(theta);
    const side = tf.greaterEqual(tf.mul(up, cosine), tf.mul(right, Math.sin(theta)));
    // A horizontal gradient has orientation 0, to whichever side it points.
    return tf.logicalAnd(side, tf.logicalNot(flat));
  };
  const zero = tf.scalar(0);
  let within: tf.Tensor | undefined;
  return Array.from({ length: n }, (_, k) => {
    const here = within === undefined ? magnitude : tf.where(within, magnitude, zero);
    within = k + 1 < n ? atLeast(k + 1) : undefined;
    return within === undefined ? here : tf.where(within, zero, here);
  });
}

/** Unit length per block, clipped, unit length again. */
const normalize = (x: tf.Tensor): tf.Tensor =>
  tf.div(x, tf.sqrt(tf.add(tf.sum(tf.square(x), -1, true), HYS_EPSILON ** 2)));

/**
 * Dense HOG. Gray 0.2126/0.7152/0.0722 in 0…1; unsigned orientations, hard bins; mean magnitude per cell; overlapping blocks with
 * L2-Hys; then L2 and the bilinear resize to the grid (no antialiasing), so that tokens are shorter than 1.
 *
 * @throws {UsageError} options that do not fit each other.
 * @source Dalal & Triggs, CVPR 2005; the conventions of scikit-image's `hog` and of the iREPA code; SPEC §3.6.
 */
export function hog({ dim = 128, pixelsPerCell = 2, cellsPerBlock = 4, grid }: HogOptions = {}): Descriptor {
  const orientations = dim / cellsPerBlock ** 2;
  if (!Number.isInteger(orientations)) {
    throw new UsageError(`hog: the number of channels, ${dim}, must be a multiple of ${cellsPerBlock}² cells`);
  }
  const parts = [
    ...(grid === undefined ? [] : [`g${grid}`]),
    `d${dim}`,
    ...(pixelsPerCell === 2 ? [] : [`ppc${pixelsPerCell}`]),
    ...(cellsPerBlock === 4 ? [] : [`cb${cellsPerBlock}`]),
  ];
  const isDefault = dim === 128 && parts.length === 1;
  const name = isDefault ? "hog" : `hog:${parts.join("_")}`;

  function program(images: tf.Tensor4D, [rows, columns]: Grid): tf.Tensor3D {
    const [B, H, W] = images.shape;
    if (grid !== undefined && (rows !== grid || columns !== grid)) {
      throw new UsageError(
        `${name} is for ${grid}×${grid} tokens, the model has ${rows}×${columns}: leave g${grid} out`,
      );
    }
    const cellRows = Math.floor(H / pixelsPerCell);
    const cellColumns = Math.floor(W / pixelsPerCell);
    const blockRows = cellRows - cellsPerBlock + 1;
    const blockColumns = cellColumns - cellsPerBlock + 1;
    if (blockRows < 1 || blockColumns < 1) {
      const side = pixelsPerCell * cellsPerBlock;
      throw new UsageError(`${name} needs images of at least ${side}×${side} pixels, got ${H}×${W}`);
    }
    const weights = tf.tensor([0.2126 / 255, 0.7152 / 255, 0.0722 / 255], [1, 1, 1, 3]);
    const gray = tf.clipByValue(tf.sum(tf.mul(images, weights), 3), 0, 1) as tf.Tensor3D;
    const maps = orientationMaps(differences(gray, 1), differences(gray, 2), orientations);
    const cells = maps.map((map) => {
      const whole = tf.slice(map, [0, 0, 0], [B, cellRows * pixelsPerCell, cellColumns * pixelsPerCell]);
      const split = tf.reshape(whole, [B, cellRows, pixelsPerCell, cellColumns, pixelsPerCell]);
      return tf.mean(split, [2, 4]);
    });
    const histograms = tf.stack(cells, 3); // [B, cell row, cell column, orientation]

    const down = bilinear(blockRows, rows);
    const right = bilinear(blockColumns, columns);
    const cellsOf = ({ sources }: ReturnType<typeof bilinear>): tf.Tensor1D =>
      tf.tensor1d(
        sources.flat().flatMap((block) => Array.from({ length: cellsPerBlock }, (_, i) => block + i)),
        "int32",
      );
    const gathered = tf.gather(tf.gather(histograms, cellsOf(down), 1), cellsOf(right), 2);
    const split = tf.reshape(gathered, [B, 2 * rows, cellsPerBlock, 2 * columns, cellsPerBlock * orientations]);
    const blocks = tf.reshape(tf.transpose(split, [0, 1, 3, 2, 4]), [B, 2 * rows, 2 * columns, dim]);
    const described = normalize(tf.minimum(normalize(blocks), HYS_CLIP));
    const length = tf.sqrt(tf.sum(tf.square(described), -1, true));
    const unit = tf.div(described, tf.maximum(length, 1e-12));

    const corners = tf.reshape(unit, [B, rows, 2, columns, 2, dim]);
    const shares = tf.mul(
      tf.tensor(down.weights.flat(), [1, rows, 2, 1, 1, 1]),
      tf.tensor(right.weights.flat(), [1, 1, 1, columns, 2, 1]),
    );
    return tf.reshape(tf.sum(tf.mul(corners, shares), [2, 4]), [B, rows * columns, dim]);
  }

  return {
    name,
    dim,
    version: 1,
    summary: `HOG of ${pixelsPerCell}-pixel cells, ${cellsPerBlock}×${cellsPerBlock} a block, ${orientations} orientations`,
    program,
  };
}

/** The options in a target string after `hog:`, such as `g16_d128_ppc2_cb4`, in any order. @throws {UsageError} */
export function parseHogOptions(text: string): HogOptions {
  const options: { -readonly [K in keyof HogOptions]: number } = {};
  const keys = { g: "grid", d: "dim", ppc: "pixelsPerCell", cb: "cellsPerBlock" } as const;
  for (const part of text.split("_")) {
    const [, key, digits] = /^([a-z]+)([1-9]\d{0,4})$/.exec(part) ?? [];
    const option = keys[key as keyof typeof keys];
    if (option === undefined) {
      throw new UsageError(`hog: cannot read "${part}"; the options are gN, dN, ppcN and cbN, as in hog:d128_ppc2_cb4`);
    }
    if (options[option] !== undefined) throw new UsageError(`hog: ${key} is given twice`);
    options[option] = Number(digits);
  }
  return options as HogOptions;
}
