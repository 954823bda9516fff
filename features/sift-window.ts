/**
 * @file The spatial windows of dense SIFT as matrices. A key point's 4×4 bins are triangles of two bin widths under a Gaussian of
 * σ = two bin widths. In an upright frame the window is a product of a function of the row and one of the column, the same for every
 * key point, so pooling a whole image is two products with banded matrices. In a frame that is turned by a little it is
 * nearly so: a few more functions of each, and a small core that combines them (a Tucker decomposition).
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { ShapeError } from "../data/errors.js";
import { type BandedMatrix, bandedMatrix } from "./banded-product.js";
import type { Grid } from "./descriptor.js";

/** Bin width = 3 · key point size / 2. */
const BIN_WIDTH_SIZES = 1.5;
/** Functions of each axis for a turned frame: with 16, at 1°, no bin is off by more than 0.1 %. */
const LEAST_FUNCTIONS = 16;
/** More of them are taken until the others have no more than this share of the window's energy. */
const LEFT_OUT = 1e-7;

export interface SiftWindowOptions {
  /** Bins a side. */
  readonly bins: number;
  /** Size of the key points in pixels; undefined: that of a cell, on each axis its own. */
  readonly sizePx: number | undefined;
  /** How far the frame is turned, in degrees. */
  readonly turnDeg: number;
}

/** How to pool maps of H × W pixels: window = Σ core[bin, p, q] · rows_p(y) · cols_q(x). */
export interface SiftWindow {
  /** [grid rows · P, H]: function p at the rows of the image, for each row of key points. */
  readonly rows: BandedMatrix;
  /** [grid cols · Q, W]. */
  readonly cols: BandedMatrix;
  /** [bins², P·Q], bins in the order row · 4 + column; undefined where it is the identity. */
  readonly core?: Float32Array;
}

/**
 * The windows of all key points: one at the centre of each cell, pixel (i + 0.5) · cell in whole-pixel coordinates.
 *
 * @throws {ShapeError} a turned frame on cells that are not whole pixels, or, without a size, not square.
 */
export function siftWindow(
  [height, width]: readonly [number, number],
  [rows, cols]: Grid,
  { bins, sizePx, turnDeg }: SiftWindowOptions,
): SiftWindow {
  const [cellY, cellX] = [height / rows, width / cols];
  const [binY, binX] = [BIN_WIDTH_SIZES * (sizePx ?? cellY), BIN_WIDTH_SIZES * (sizePx ?? cellX)];
  if (turnDeg % 360 === 0) {
    const upright = (pixels: number, cells: number, cellPx: number, binPx: number): BandedMatrix =>
      bandedMatrix(cells * bins, pixels, (row, pixel) => {
        const u = (pixel - (Math.floor(row / bins) + 0.5) * cellPx) / binPx;
        return binWeight(u, row % bins, bins) * gaussian(u, bins);
      });
    return { rows: upright(height, rows, cellY, binY), cols: upright(width, cols, cellX, binX) };
  }
  if (binX !== binY || !Number.isInteger(cellX) || !Number.isInteger(cellY)) {
    throw new ShapeError(
      `sift: a turned frame wants square cells of whole pixels, got ${cellY} × ${cellX} px (${height} × ${width} px in ${rows} × ${cols} cells)`,
    );
  }
  const { rowFunctions, colFunctions, core } = turnedWindow([cellY, cellX], binX, bins, turnDeg);
  const place = (pixels: number, cells: number, { first, values }: AxisFunctions): BandedMatrix =>
    bandedMatrix(cells * values.length, pixels, (row, pixel) => {
      const centre = (Math.floor(row / values.length) + 0.5) * (pixels / cells);
      return values[row % values.length]![pixel - centre - first] ?? 0;
    });
  return { rows: place(height, rows, rowFunctions), cols: place(width, cols, colFunctions), core };
}

/** Functions of one axis, sampled at `first`, `first` + 1, … pixels from the key point. */
interface AxisFunctions {
  readonly first: number;
  readonly values: readonly Float64Array[];
}

/** Four bins are 0…3, centred 1.5, 0.5, -0.5, -1.5 bin widths before the key point. */
const binWeight = (u: number, bin: number, bins: number): number => Math.max(0, 1 - Math.abs(u + (bins - 1) / 2 - bin));
/** σ is half the bins: two for four. */
const gaussian = (u: number, bins: number): number => Math.exp((-2 * u * u) / (bins * bins));

/** The window of one key point in a turned frame, decomposed: exact up to the functions that are left out. */
function turnedWindow(cells: readonly [number, number], binPx: number, bins: number, turnDeg: number) {
  const [cos, sin] = [Math.cos((turnDeg * Math.PI) / 180), Math.sin((turnDeg * Math.PI) / 180)];
  const reach = Math.ceil(((bins + 1) / 2) * binPx * (Math.abs(cos) + Math.abs(sin)));
  const size = 2 * reach + 1;
  const [firstY, firstX] = cells.map((cellPx) => ((cellPx / 2) % 1) - reach) as [number, number];
  const window = (bin: number): Matrix => {
    const values = new Matrix(size, size);
    for (let row = 0; row < size; row++) {
      for (let col = 0; col < size; col++) {
        const [i, j] = [firstY + row, firstX + col];
        const x = (j * cos - i * sin) / binPx;
        const y = (j * sin + i * cos) / binPx;
        const weight = binWeight(y, Math.floor(bin / bins), bins) * binWeight(x, bin % bins, bins);
        if (weight > 0) values.set(row, col, weight * gaussian(x, bins) * gaussian(y, bins));
      }
    }
    return values;
  };
  const windows = Array.from({ length: bins * bins }, (_, bin) => window(bin));
  const rowBasis = mainDirections(windows.map((w) => w.mmul(w.transpose())));
  const colBasis = mainDirections(windows.map((w) => w.transpose().mmul(w)));
  const core = Float32Array.from(windows.flatMap((w) => rowBasis.transpose().mmul(w).mmul(colBasis).to1DArray()));
  const functions = (first: number, basis: Matrix): AxisFunctions => ({
    first,
    values: Array.from({ length: basis.columns }, (_, i) => Float64Array.from(basis.getColumn(i))),
  });
  return { rowFunctions: functions(firstY, rowBasis), colFunctions: functions(firstX, colBasis), core };
}

/** The eigenvectors of the largest eigenvalues of a sum of Gram matrices, as columns. */
function mainDirections(grams: readonly Matrix[]): Matrix {
  const sum = grams.reduce((total, gram) => Matrix.add(total, gram));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(sum, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  let left = realEigenvalues.reduce((total, value) => total + value);
  const allowed = LEFT_OUT * left;
  const count = order.findIndex((index, rank) => {
    left -= realEigenvalues[index]!;
    return rank + 1 >= LEAST_FUNCTIONS && left <= allowed;
  });
  return eigenvectorMatrix.subMatrixColumn(order.slice(0, count < 0 ? order.length : count + 1));
}
