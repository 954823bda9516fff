/**
 * @file Windows over a line of pixels that are so smooth that a few numbers of neighbouring pixels say all that they see: four sums
 * with weights in place of eight pixels. Half the numbers to store, and half of a product.
 */
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { type BandedMatrix, bandedMatrix } from "./banded-product.js";

/** Sums that are kept of a pack of pixels: the lanes of a vector. */
const KEPT = 4;
const PACK_PX = 8;
/** What packing may change a weight by, in shares of the largest: float32's own rounding. */
const TOLERANCE = 1e-6;

/** matrix ≈ packed · weights, pack by pack. */
export interface PackedColumns {
  /** Pixels of a pack, and how many of the first lie before the line. */
  readonly packPx: number;
  readonly leadPx: number;
  /** [packs · packPx, 4]; 0 for what lies before and behind the line. */
  readonly weights: Float32Array;
  /** [rows, packs · 4]. */
  readonly packed: BandedMatrix;
}

/**
 * The same linear map in two steps. Where no packs of eight are smooth enough (triangles have corners, and these must lie between two
 * packs), four pixels are packed as they are.
 *
 * @returns packs of eight wherever the product of the steps is the matrix to 1e-6 of its largest element.
 */
export function packColumns(matrix: BandedMatrix): PackedColumns {
  for (const leadPx of [0, PACK_PX / 2]) {
    const smooth = pack(matrix, PACK_PX, leadPx);
    if (smooth !== undefined) return smooth;
  }
  return pack(matrix, KEPT, 0)!;
}

function pack({ rows, cols, values }: BandedMatrix, packPx: number, leadPx: number): PackedColumns | undefined {
  const packs = Math.ceil((cols + leadPx) / packPx);
  const weights = new Float32Array(packs * packPx * KEPT);
  const packed = new Float32Array(rows * packs * KEPT);
  const allowed = TOLERANCE * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const element = (row: number, col: number): number => (col < 0 || col >= cols ? 0 : values[row * cols + col]!);
  for (let p = 0; p < packs; p++) {
    const first = p * packPx - leadPx;
    const part = Matrix.zeros(rows, packPx);
    for (let row = 0; row < rows; row++) for (let i = 0; i < packPx; i++) part.set(row, i, element(row, first + i));
    const basis = packPx === KEPT ? Matrix.eye(KEPT) : mainRows(part); // [packPx, 4]
    const sums = part.mmul(basis); // [rows, 4]
    const left = Matrix.sub(part, sums.mmul(basis.transpose())).abs().max();
    if (left > allowed) return undefined;
    for (let i = 0; i < packPx; i++) weights.set(basis.getRow(i), (p * packPx + i) * KEPT);
    for (let row = 0; row < rows; row++) packed.set(sums.getRow(row), (row * packs + p) * KEPT);
  }
  const total = packs * KEPT;
  return { packPx, leadPx, weights, packed: bandedMatrix(rows, total, (row, col) => packed[row * total + col]!) };
}

/** The four directions, as columns, that most of a matrix's rows lies in. */
function mainRows(part: Matrix): Matrix {
  const { rightSingularVectors } = new SingularValueDecomposition(part, { autoTranspose: true });
  return rightSingularVectors.subMatrix(0, part.columns - 1, 0, KEPT - 1);
}
