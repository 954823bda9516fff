/**
 * @file HOG of deformable part models, as a tensor program: `hog:uoctti`.
 *
 * Felzenszwalb, Girshick, McAllester & Ramanan, "Object Detection with Discriminatively Trained Part-Based Models", PAMI 2010, section
 * 6: gradients of the colour channel that has the longest, 18 signed hard orientations, votes interpolated between cells; each cell normalized
 * by the energy of the four blocks of 2×2 cells that it is in, clipped at 0.2, and summed analytically: 18 signed orientations, 9
 * unsigned ones, and 4 energies of texture. The map of cells is resized bilinearly to the grid, as in `hog`.
 *
 * Orientation k lies at k · 20°, clockwise as the picture is seen, from "brighter to the right".
 */
import tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { type BandedMatrix, bandedMatrix, bandedProduct } from "./banded-product.js";
import type { Grid, ProgramDescriptor } from "./descriptor.js";
import { resizeTokens } from "./resize-tokens.js";
import { strongestGradient } from "./strongest-gradient.js";
import { type OptionKind, parseOptions, targetName } from "./target-options.js";

const DEFAULTS = { cell: 8, orientations: 9 } as const;
const OPTIONS = {
  cell: { kind: "number", min: 2, max: 1024, isWhole: true },
  orientations: { kind: "number", min: 1, max: 36, isWhole: true },
} as const satisfies Record<string, OptionKind>;
const CLIP = 0.2;
/** The published code's guard of the energies, and its weight of the texture: √(1/18). */
const [ENERGY_EPS, TEXTURE] = [1e-4, 0.2357];

/** The published code's order of the colours. */
const RED_FIRST = [0, 1, 2];
/** Gradients straight down tie between two of nine orientations: equal up to rounding errors is equal. */
const TIE = 1e-6;

/**
 * @param text what stands behind `hog:uoctti,` in a target string.
 * @throws {UsageError} options that it does not know.
 * @parity the formulas of voc-release's `features.cc`; it drops the cells at the border, here their neighbours are repeated, and cells that
 *   the image only covers in part are dropped.
 */
export function uocttiHog(text: string | undefined): ProgramDescriptor {
  const values = parseOptions("hog:uoctti", text, OPTIONS);
  const cell = (values["cell"] as number | undefined) ?? DEFAULTS.cell;
  const orientations = (values["orientations"] as number | undefined) ?? DEFAULTS.orientations;
  return {
    name: targetName("hog", [
      ["uoctti", true],
      ["cell", cell, DEFAULTS.cell],
      ["orientations", orientations, DEFAULTS.orientations],
    ]),
    dim: 3 * orientations + 4,
    version: 1,
    summary: `HOG of Felzenszwalb et al.: cells of ${cell} px, ${orientations} unsigned and ${2 * orientations} signed orientations, 4 textures`,
    program: (images, grid) => tf.tidy(() => uocttiTokens(images, grid, cell, orientations)),
  };
}

function uocttiTokens(images: tf.Tensor4D, grid: Grid, cell: number, orientations: number): tf.Tensor3D {
  const [batch, height, width] = images.shape;
  const [rows, cols] = [Math.floor(height / cell), Math.floor(width / cell)];
  if (rows < 1 || cols < 1 || height < 3 || width < 3) {
    throw new ShapeError(`hog:uoctti: an image of ${height} × ${width} px has no cell of ${cell} px`);
  }
  const { dx, dy } = strongestGradient(images, RED_FIRST);
  const magnitude = tf.sqrt(tf.add(tf.square(dx), tf.square(dy)));
  const along = Array.from({ length: orientations }, (_, k) => {
    const angle = (Math.PI * k) / orientations;
    return tf.add(tf.mul(dx, Math.cos(angle)), tf.mul(dy, Math.sin(angle)));
  });
  const longest = along.map((x) => tf.abs(x) as tf.Tensor).reduce((a, b) => tf.maximum(a, b));
  const [poolRows, poolCols] = [cellWindows(height, rows, cell), cellWindows(width, cols, cell)];
  const least = tf.mul(longest, 1 - TIE);
  const pool = (map: tf.Tensor): tf.Tensor =>
    bandedProduct(bandedProduct(map as tf.Tensor3D, poolCols, 2), poolRows, 1);
  // What is not given to an orientation yet: of two that tie, the first gets the pixel.
  let left: tf.Tensor = magnitude;
  const histograms: [tf.Tensor[], tf.Tensor[]] = [[], []];
  for (const x of along) {
    const own = tf.where(tf.greaterEqual(tf.abs(x), least), left, 0);
    left = tf.sub(left, own);
    const forwards = tf.where(tf.greater(x, 0), own, 0);
    histograms[0].push(pool(forwards));
    histograms[1].push(pool(tf.sub(own, forwards)));
  }
  const signed = tf.stack(histograms.flat(), 3); // [B,rows,cols,18]
  const half = (from: number) => tf.slice(signed, [0, 0, 0, from], [-1, -1, -1, orientations]);
  const unsigned = tf.add(half(0), half(orientations));

  const energy = tf.sum(tf.square(unsigned), 3) as tf.Tensor3D; // [B,rows,cols]
  const pairs = (x: tf.Tensor3D, axis: 1 | 2, towards: -1 | 1): tf.Tensor3D =>
    tf.add(x, shifted(x, axis, towards)) as tf.Tensor3D;
  let [signedSum, unsignedSum] = [tf.zerosLike(signed), tf.zerosLike(unsigned)] as [tf.Tensor, tf.Tensor];
  const textures: tf.Tensor[] = [];
  for (const down of [-1, 1] as const) {
    for (const right of [-1, 1] as const) {
      const block = pairs(pairs(energy, 1, down), 2, right);
      const factor = tf.reshape(tf.rsqrt(tf.add(block, ENERGY_EPS)), [batch, rows, cols, 1]);
      const clipped = tf.minimum(tf.mul(signed, factor), CLIP);
      signedSum = tf.add(signedSum, clipped);
      unsignedSum = tf.add(unsignedSum, tf.minimum(tf.mul(unsigned, factor), CLIP));
      textures.push(tf.mul(tf.sum(clipped, 3, true), TEXTURE));
    }
  }
  const features = tf.concat([tf.mul(signedSum, 0.5), tf.mul(unsignedSum, 0.5), ...textures], 3);
  return resizeTokens(tf.reshape(features, [batch, rows * cols, 3 * orientations + 4]), [rows, cols], grid);
}

/** [cells, sizePx]: triangles of two cells around the centre of each; the pixels at the border do not vote. */
const cellWindows = (sizePx: number, cells: number, cell: number): BandedMatrix =>
  bandedMatrix(cells, sizePx, (row, pixel) =>
    pixel === 0 || pixel >= Math.min(sizePx, cells * cell) - 1
      ? 0
      : Math.max(0, 1 - Math.abs((pixel + 0.5) / cell - (row + 0.5))),
  );

/** The neighbours along an axis, the border repeated. */
function shifted(x: tf.Tensor3D, axis: 1 | 2, towards: -1 | 1): tf.Tensor3D {
  const size = x.shape[axis];
  const part = (from: number, count: number): tf.Tensor3D =>
    axis === 1 ? tf.slice(x, [0, from, 0], [-1, count, -1]) : tf.slice(x, [0, 0, from], [-1, -1, count]);
  return towards === 1
    ? tf.concat([part(1, size - 1), part(size - 1, 1)], axis)
    : tf.concat([part(0, 1), part(0, size - 1)], axis);
}
