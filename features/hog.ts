/**
 * @file Dense HOG as the iREPA code uses it, as a tensor program. Owns the target strings `hog[:OPTIONS]`, two of
 * whose variants are files of their own.
 *
 * Dalal & Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005, in scikit-image's reading of it: central
 * differences, hard unsigned orientation bins, cells of ppc × ppc pixels, blocks of cb × cb cells one cell apart, L2-Hys. The
 * map of all blocks is then resized bilinearly, without anti-aliasing, to the grid: each token reads four blocks and no others,
 * so only those blocks, their cells and their pixels are computed.
 *
 * Orientations are never computed. The bins are sectors of the half circle, so a pixel is at or beyond the k-th border iff
 * cot(angle) = gx / gy ≤ cot(180° k / n), and a sector is the difference of two such half planes.
 */
import tf from "@tensorflow/tfjs";
import { ShapeError, UsageError } from "../data/errors.js";
import { nearestName } from "../data/nearest.js";
import { type BilinearTap, bilinearTaps } from "./bilinear.js";
import { BLOCK_NORMS, type BlockNorm, normalizeBlocks } from "./block-norm.js";
import { dalalHog } from "./dalal-hog.js";
import type { DescriptorFamily, Grid, ProgramDescriptor } from "./descriptor.js";
import { luma } from "./gray.js";
import { resizeTokens } from "./resize-tokens.js";
import { type OptionKind, parseOptions, targetName } from "./target-options.js";
import { uocttiHog } from "./uoctti-hog.js";

export interface HogOptions {
  /** Side of the grid that the block map is resized to; the tokens are then resized to the grid asked for. @default the grid asked for */
  readonly grid?: number;
  /** D: cells of a block · orientations. @default 128 */
  readonly dim?: number;
  /** Side of a cell in pixels. @default 2 */
  readonly cellPx?: number;
  /** Side of a block in cells. @default 4 */
  readonly blockCells?: number;
  /** scikit-image's norm of a block, and nothing behind it. @default L2-Hys, and then unit length */
  readonly norm?: BlockNorm;
  /** Square roots of the gray levels first: scikit-image's `transform_sqrt`. @default false */
  readonly takesRoots?: boolean;
}

/** In target strings: `g16_d128_ppc2_cb4`, any of them, in any order. */
const FIELDS = { g: "grid", d: "dim", ppc: "cellPx", cb: "blockCells" } as const;
const DEFAULTS = { dim: 128, cellPx: 2, blockCells: 4 } as const;
/** The largest number in a target string: beyond it there is no sensible image. */
const MAX_FIELD = 4096;
/** Options behind the fields of a target string, or instead of them. */
const MORE_OPTIONS = {
  norm: { kind: "choice", of: BLOCK_NORMS },
  transform_sqrt: { kind: "switch" },
} as const satisfies Record<string, OptionKind>;
/** Variants with options of their own: the files of their names. */
const VARIANTS = { dalal: dalalHog, uoctti: uocttiHog } as const;
const BLOCK_EPS = 1e-10;
const BLOCK_CLIP = 0.2;

/**
 * The HOG descriptor with some options.
 *
 * Tokens are weighted means of up to four unit vectors: they are not of unit length themselves.
 *
 * @throws {UsageError} D that is not a multiple of the cells of a block.
 * @parity iREPA's `hog` encoder, and with a norm scikit-image 0.26: 1e-7 on photographs. A pixel whose angle is within 1e-7 of a full half turn
 *   is lost there by a rounding of the remainder, and counted in the last bin here.
 */
export function hog(options: HogOptions = {}): ProgramDescriptor {
  const { dim = DEFAULTS.dim, cellPx = DEFAULTS.cellPx, blockCells = DEFAULTS.blockCells, grid: ownGrid } = options;
  const { norm, takesRoots = false } = options;
  const orientations = dim / blockCells ** 2;
  if (!Number.isInteger(orientations)) {
    throw new UsageError(`hog: d${dim} is not a multiple of cb² = ${blockCells ** 2}, the cells of a block`, {
      hint: `for example d${blockCells ** 2 * Math.max(1, Math.round(orientations))}`,
    });
  }
  const fields: [string, number | undefined, number | undefined][] = [
    ["g", ownGrid, undefined],
    ["d", dim, DEFAULTS.dim],
    ["ppc", cellPx, DEFAULTS.cellPx],
    ["cb", blockCells, DEFAULTS.blockCells],
  ];
  const set = fields.flatMap(([key, value, byDefault]) => (value === byDefault ? [] : [`${key}${value}`]));
  return {
    name: targetName("hog", [
      [set.join("_"), set.length > 0],
      ["norm", norm],
      ["transform_sqrt", takesRoots],
    ]),
    dim,
    version: 1,
    summary: `HOG: ${orientations} orientations, cells of ${cellPx}×${cellPx} px, blocks of ${blockCells}×${blockCells} cells`,
    histograms: {
      cells: blockCells,
      orientations,
      isSigned: false,
      firstDeg: 90 / orientations,
      isClockwise: true,
    },
    program: (images, grid) =>
      tf.tidy(() => {
        const inner: Grid = ownGrid === undefined ? grid : [ownGrid, ownGrid];
        return resizeTokens(
          hogTokens(images, inner, { orientations, cellPx, blockCells, norm, takesRoots }),
          inner,
          grid,
        );
      }),
  };
}

interface Layout {
  readonly orientations: number;
  readonly cellPx: number;
  readonly blockCells: number;
  readonly norm: BlockNorm | undefined;
  readonly takesRoots: boolean;
}

function hogTokens(images: tf.Tensor4D, [rows, cols]: Grid, layout: Layout): tf.Tensor3D {
  const { orientations, blockCells, norm, takesRoots } = layout;
  const [batch, height, width] = images.shape;
  const vertical = axisPlan(height, rows, layout);
  const horizontal = axisPlan(width, cols, layout);
  const gray = takesRoots ? (tf.sqrt(luma(images)) as tf.Tensor3D) : luma(images);
  const { across, down } = gradients(gray, vertical.pixels, horizontal.pixels);

  const magnitude = tf.sqrt(tf.add(tf.square(across), tf.square(down)));
  // Angle 0 has an infinite cotangent, whichever way it points.
  const cotangent = tf.where(tf.equal(down, 0), FAR, tf.div(across, down));
  const pool = (map: tf.Tensor): tf.Tensor => {
    const poolRows = tf.tensor2d(vertical.pool, [vertical.outputs, vertical.pixels.length]);
    const poolCols = tf.tensor2d(horizontal.pool, [horizontal.outputs, horizontal.pixels.length]);
    const narrow = tf.matMul(map, tf.reshape(poolCols, [1, ...poolCols.shape]), false, true);
    const small = tf.matMul(tf.reshape(poolRows, [1, ...poolRows.shape]), narrow);
    return tf.reshape(small, [batch, 1, vertical.outputs * horizontal.outputs]);
  };
  // Cell sums of the pixels at or beyond each border; a bin is what is beyond its own border and not beyond the next.
  const beyond = Array.from({ length: orientations }, (_, k) =>
    pool(k === 0 ? magnitude : tf.where(tf.lessEqual(cotangent, cotangentOf(k, orientations)), magnitude, 0)),
  );
  const difference = Float32Array.from({ length: orientations ** 2 }, (_, i) => {
    const [from, to] = [Math.floor(i / orientations), i % orientations];
    return from === to ? 1 : from === to + 1 ? -1 : 0;
  });
  const cells = tf.matMul(
    orientations === 1 ? beyond[0]! : tf.concat(beyond, 1),
    tf.tensor3d(difference, [1, orientations, orientations]),
    true,
  ); // [B, rows·2·cb · cols·2·cb, n]

  // Bring the cells of a block together, and the four blocks of a token: [B·rows·cols, 4, D].
  const split = [batch * rows, 2, blockCells, cols, 2, blockCells * orientations];
  const dim = blockCells ** 2 * orientations;
  const blocks = tf.reshape(tf.transpose(tf.reshape(cells, split), [0, 3, 1, 4, 2, 5]), [batch * rows * cols, 4, dim]);

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

/** Beyond every cotangent between the borders of bins. */
const FAR = 1e30;

/** cot(180° k / n), exact where it is a whole number: gradients of small whole gray levels tie there. */
function cotangentOf(k: number, orientations: number): number {
  const angle = (Math.PI * k) / orientations;
  const cotangent = Math.cos(angle) / Math.sin(angle);
  return Math.abs(cotangent - Math.round(cotangent)) < 1e-12 ? Math.round(cotangent) : cotangent;
}

interface AxisPlan {
  /** The pixels of all cells that are read, ascending. */
  readonly pixels: readonly number[];
  /** Rows of `pool`: tokens · 2 blocks · cells of a block. */
  readonly outputs: number;
  /** [outputs, pixels.length]: means over the pixels of a cell. */
  readonly pool: Float32Array;
  readonly taps: readonly BilinearTap[];
}

function axisPlan(sizePx: number, tokens: number, { cellPx, blockCells }: Layout): AxisPlan {
  const blocks = Math.floor(sizePx / cellPx) - blockCells + 1;
  if (blocks < 1) {
    throw new ShapeError(
      `hog: an image of ${sizePx} px has no block of ${blockCells} cells of ${cellPx} px; want ${blockCells * cellPx} px or more`,
    );
  }
  const taps = bilinearTaps(blocks, tokens);
  const cells = taps.flatMap(({ low, high }) =>
    [low, high].flatMap((block) => Array.from({ length: blockCells }, (_, cell) => block + cell)),
  );
  const pixels = [...new Set(cells)]
    .sort((a, b) => a - b)
    .flatMap((cell) => Array.from({ length: cellPx }, (_, i) => cell * cellPx + i));
  const position = new Map(pixels.map((pixel, i) => [pixel, i]));
  const pool = new Float32Array(cells.length * pixels.length);
  for (const [output, cell] of cells.entries()) {
    for (let i = 0; i < cellPx; i++) pool[output * pixels.length + position.get(cell * cellPx + i)!] = 1 / cellPx;
  }
  return { pixels, outputs: cells.length, pool, taps };
}

/** Central differences at some rows and columns; zero on the two border lines of their own axis. [B,rows,cols] each. */
function gradients(
  gray: tf.Tensor3D,
  rows: readonly number[],
  cols: readonly number[],
): { across: tf.Tensor; down: tf.Tensor } {
  const [, height, width] = gray.shape;
  const isInside = (i: number, size: number): boolean => i > 0 && i < size - 1;
  const lines = (offset: number): tf.Tensor => {
    const indices = rows.map((row) => (offset === 0 || isInside(row, height) ? row + offset : row));
    const isWhole = indices.length === height && indices.every((index, i) => index === i);
    return isWhole ? gray : tf.gather(gray, tf.tensor1d(indices, "int32"), 1);
  };
  // Products with 0, 1 and -1 are exact, so the differences are those of a subtraction to the bit.
  const choose = new Float32Array(width * cols.length);
  const differ = new Float32Array(width * cols.length);
  for (const [i, col] of cols.entries()) {
    choose[col * cols.length + i] = 1;
    if (!isInside(col, width)) continue;
    differ[(col + 1) * cols.length + i] = 1;
    differ[(col - 1) * cols.length + i] = -1;
  }
  const onColumns = (x: tf.Tensor, matrix: Float32Array) => tf.matMul(x, tf.tensor3d(matrix, [1, width, cols.length]));
  return {
    across: onColumns(lines(0), differ),
    down: onColumns(tf.sub(lines(1), lines(-1)), choose),
  };
}

/** [rows·cols, 4]: the bilinear weights of a token's blocks, in the order (low, low), (low, high), (high, low), (high, high). */
function blockWeights(vertical: readonly BilinearTap[], horizontal: readonly BilinearTap[]): Float32Array {
  const pair = ({ share }: BilinearTap): number[] => [1 - share, share];
  return Float32Array.from(
    vertical.flatMap((row) => horizontal.flatMap((col) => pair(row).flatMap((y) => pair(col).map((x) => y * x)))),
  );
}

export const hogFamily: DescriptorFamily = {
  name: "hog",
  targets: [
    {
      pattern: "hog",
      summary: "HOG: 8 unsigned orientations, cells of 2×2 px, blocks of 4×4 cells, L2-Hys",
      dim: "128",
    },
    {
      pattern: "hog:gG_dD_ppcP_cbC",
      summary: "HOG on a G×G grid: D/C² orientations, cells of P×P px, blocks of C×C cells; each may be left out",
      dim: "D",
    },
    {
      pattern: "hog:…,norm=l1|l1-sqrt|l2|l2-hys,transform_sqrt",
      summary: "blocks with scikit-image's norm and no other; square roots of the gray levels first",
      dim: "D",
    },
    {
      pattern: "hog:dalal,cell=8,block=2,orientations=9,clip=0.2,linear",
      summary:
        "Dalal & Triggs: interpolated votes, one block at the centre of each cell, as OpenCV; linear: no square roots",
      dim: "block² · orientations",
    },
    {
      pattern: "hog:uoctti,cell=8,orientations=9",
      summary: "Felzenszwalb et al.: signed and unsigned orientations and four texture energies, 31 numbers",
      dim: "3 · orientations + 4",
    },
  ],
  parse(text) {
    if (text === undefined) return hog();
    const [first, ...rest] = text.split(",") as [string, ...string[]];
    const more = rest.length === 0 ? undefined : rest.join(",");
    if (Object.hasOwn(VARIANTS, first)) return VARIANTS[first as keyof typeof VARIANTS](more);
    const hasFields = !first.includes("=") && !Object.hasOwn(MORE_OPTIONS, first);
    const values = parseOptions("hog", hasFields ? more : text, MORE_OPTIONS);
    const norm = values["norm"] as BlockNorm | undefined;
    return hog({
      ...(hasFields ? parseFields(first) : {}),
      ...(norm === undefined ? {} : { norm }),
      takesRoots: values["transform_sqrt"] === true,
    });
  },
};

/** `g16_d128_ppc2_cb4`, any of them. */
function parseFields(text: string): HogOptions {
  const options: { -readonly [Key in (typeof FIELDS)[keyof typeof FIELDS]]?: number } = {};
  for (const part of text.split("_")) {
    const [, key = part, digits = ""] = /^([a-z]+)(\d+)$/.exec(part) ?? [];
    const field = Object.hasOwn(FIELDS, key) ? FIELDS[key as keyof typeof FIELDS] : undefined;
    const value = Number(digits);
    if (field === undefined || !(value >= 1 && value <= MAX_FIELD)) {
      const known = [...Object.keys(FIELDS), ...Object.keys(MORE_OPTIONS), ...Object.keys(VARIANTS)];
      const nearest = field === undefined ? nearestName(key, known) : undefined;
      throw new UsageError(
        `target "hog:${text}": want fields gG, dD, ppcP and cbC joined by "_", each with a whole number of 1..${MAX_FIELD}, got "${part}"`,
        { hint: nearest === undefined ? 'for example "hog:d144_ppc4"' : `did you mean "${nearest}"?` },
      );
    }
    if (options[field] !== undefined) throw new UsageError(`target "hog:${text}": "${key}" is given twice`);
    options[field] = value;
  }
  return options;
}
