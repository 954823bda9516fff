/**
 * @file The spatial windows of dense SIFT as matrices. A key point's 4×4 bins are triangles of two bin widths under a Gaussian of
 * two bin widths. In an upright frame the window is a product of a function of the row and one of the column, the same for every
 * key point, so pooling a whole image is two products with banded matrices. In a frame that is turned by a little it is
 * nearly so: a few more functions of each, and a small core that combines them (a Tucker decomposition).
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { ShapeError } from "../data/errors.js";
import { type BandedMatrix, bandedMatrix } from "./banded-product.js";
import type { Grid } from "./descriptor.js";

const BINS = 4;
/** Bin width = 3 · key point size / 2, and the key point's size is the cell's. */
const BIN_WIDTH_CELLS = 1.5;
/** Functions of each axis for a turned frame: with 16, at 1°, no bin is off by more than 0.1 %. */
const TURNED_FUNCTIONS = 16;

/** How to pool maps of H × W pixels: window = Σ core[bin, p, q] · rows_p(y) · cols_q(x). */
export interface SiftWindow {
  /** [grid rows · P, H]: function p at the rows of the image, for each row of key points. */
  readonly rows: BandedMatrix;
  /** [grid cols · Q, W]. */
  readonly cols: BandedMatrix;
  /** P and Q. */
  readonly functions: readonly [rows: number, cols: number];
  /** [16, P·Q], bins in the order row · 4 + column; undefined where it is the identity. */
  readonly core?: Float32Array;
}

/**
 * The windows of all key points: one at the centre of each cell, pixel (i + 0.5) · cell in whole-pixel coordinates.
 *
 * @param angleDeg  how far the frame is turned.
 * @throws {ShapeError} a turned frame on cells whose sides differ or are not whole pixels.
 */
export function siftWindow(
  [height, width]: readonly [number, number],
  [rows, cols]: Grid,
  angleDeg: number,
): SiftWindow {
  const [cellY, cellX] = [height / rows, width / cols];
  if (angleDeg % 360 === 0) {
    const upright = (sizePx: number, cells: number, cellPx: number): BandedMatrix =>
      bandedMatrix(cells * BINS, sizePx, (row, pixel) => {
        const u = (pixel - (Math.floor(row / BINS) + 0.5) * cellPx) / (BIN_WIDTH_CELLS * cellPx);
        return binWeight(u, row % BINS) * gaussian(u);
      });
    return { rows: upright(height, rows, cellY), cols: upright(width, cols, cellX), functions: [BINS, BINS] };
  }
  if (cellX !== cellY || !Number.isInteger(cellX)) {
    throw new ShapeError(
      `sift: a turned frame wants square cells of whole pixels, got ${cellY} × ${cellX} px (${height} × ${width} px in ${rows} × ${cols} cells)`,
    );
  }
  const { offsets, rowFunctions, colFunctions, core } = turnedWindow(cellX, angleDeg);
  const place = (sizePx: number, cells: number, functions: readonly Float64Array[]): BandedMatrix =>
    bandedMatrix(cells * functions.length, sizePx, (row, pixel) => {
      const centre = (Math.floor(row / functions.length) + 0.5) * cellX;
      return functions[row % functions.length]![pixel - centre - offsets[0]!] ?? 0;
    });
  return {
    rows: place(height, rows, rowFunctions),
    cols: place(width, cols, colFunctions),
    functions: [rowFunctions.length, colFunctions.length],
    core,
  };
}

/** Bins are 0…3, centred 1.5, 0.5, -0.5, -1.5 bin widths before the key point. */
const binWeight = (u: number, bin: number): number => Math.max(0, 1 - Math.abs(u + (BINS - 1) / 2 - bin));
const gaussian = (u: number): number => Math.exp((-u * u) / 8);

/** The window of one key point in a turned frame, decomposed: exact up to the functions that are left out. */
function turnedWindow(cellPx: number, angleDeg: number) {
  const binPx = BIN_WIDTH_CELLS * cellPx;
  const [cos, sin] = [Math.cos((angleDeg * Math.PI) / 180), Math.sin((angleDeg * Math.PI) / 180)];
  const reach = Math.ceil(2.5 * binPx * (Math.abs(cos) + Math.abs(sin)));
  const fraction = (cellPx / 2) % 1;
  const offsets = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach + fraction);
  const size = offsets.length;
  const window = (bin: number): Matrix => {
    const values = new Matrix(size, size);
    for (const [row, i] of offsets.entries()) {
      for (const [col, j] of offsets.entries()) {
        const x = (j * cos - i * sin) / binPx;
        const y = (j * sin + i * cos) / binPx;
        const weight = binWeight(y, Math.floor(bin / BINS)) * binWeight(x, bin % BINS);
        values.set(row, col, weight * gaussian(x) * gaussian(y));
      }
    }
    return values;
  };
  const windows = Array.from({ length: BINS * BINS }, (_, bin) => window(bin));
  const rowBasis = mainDirections(windows.map((w) => w.mmul(w.transpose())));
  const colBasis = mainDirections(windows.map((w) => w.transpose().mmul(w)));
  const core = Float32Array.from(windows.flatMap((w) => rowBasis.transpose().mmul(w).mmul(colBasis).to1DArray()));
  const columns = (basis: Matrix): Float64Array[] =>
    Array.from({ length: basis.columns }, (_, i) => Float64Array.from(basis.getColumn(i)));
  return { offsets, rowFunctions: columns(rowBasis), colFunctions: columns(colBasis), core };
}

/** The eigenvectors of the largest eigenvalues of a sum of Gram matrices, as columns. */
function mainDirections(grams: readonly Matrix[]): Matrix {
  const sum = grams.reduce((total, gram) => Matrix.add(total, gram));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(sum, { assumeSymmetric: true });
  const order = realEigenvalues.map((_, i) => i).sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  return eigenvectorMatrix.subMatrixColumn(order.slice(0, TURNED_FUNCTIONS));
}
