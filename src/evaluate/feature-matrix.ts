/** @file Feature matrices and the one product that every generation metric is made of: all inner products of two sets of rows. */
import { NumericError, ShapeError } from "../../data/errors.js";

/** `count` feature vectors of `dim` numbers each, row-major. Never written to by the metrics. */
export interface FeatureMatrix {
  readonly data: Float32Array | Float64Array;
  readonly count: number;
  readonly dim: number;
}

/** A block of inner products: `values[i * width + j]` = ⟨a[rowStart + i], b[columnStart + j]⟩, for i < rows and j < columns. */
export interface ProductBlock {
  readonly values: Float64Array;
  /** Length of a row of `values`, which is more than `columns` in the last blocks. */
  readonly width: number;
  readonly rowStart: number;
  readonly rows: number;
  readonly columnStart: number;
  readonly columns: number;
}

/** Rows and columns of one block: 512 KB of products. A multiple of the tile. */
const BLOCK = 256;

/** Products are computed in tiles of 4×4, so that each loaded number is used four times. */
const TILE = 4;

/**
 * Check a feature matrix before it is measured.
 *
 * @param what how the caller calls it, such as "samples".
 * @param minCount the fewest rows that the metric is defined for.
 * @throws {ShapeError} the length does not fit, or there are fewer than `minCount` rows.
 * @throws {NumericError} the first value that is not finite, by row and column.
 */
export function checkFeatures(what: string, { data, count, dim }: FeatureMatrix, minCount: number): void {
  if (dim < 1 || data.length !== count * dim) {
    throw new ShapeError(`${what}: want ${count}×${dim} numbers, got ${data.length}`);
  }
  if (count < minCount) throw new ShapeError(`${what}: want at least ${minCount} feature vectors, got ${count}`);
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const where = `vector ${Math.floor(bad / dim)}, channel ${bad % dim}`;
    throw new NumericError(`${what}: features must be finite, got ${data[bad]} at ${where}`);
  }
}

/** Both sets as a metric wants them: finite, not too few, of one dimension. @throws {ShapeError | NumericError} */
export function checkPair(reference: FeatureMatrix, samples: FeatureMatrix, minCount: number): void {
  checkFeatures("reference", reference, minCount);
  checkFeatures("samples", samples, minCount);
  checkSameDim(reference.dim, samples.dim);
}

/** @throws {ShapeError} two feature dimensions that differ. */
export function checkSameDim(reference: number, samples: number): void {
  if (reference !== samples) {
    throw new ShapeError(`features: the reference has ${reference} channels, the samples have ${samples}`, {
      hint: "compute both with the same network",
    });
  }
}

/** The named rows, copied. */
export function selectRows({ data, dim }: FeatureMatrix, rows: ArrayLike<number>): FeatureMatrix {
  const selected = new Float64Array(rows.length * dim);
  for (let i = 0; i < rows.length; i++) selected.set(data.subarray(rows[i]! * dim, (rows[i]! + 1) * dim), i * dim);
  return { data: selected, count: rows.length, dim };
}

/**
 * All inner products ⟨a_i, b_j⟩ in float64, block by block: never more than one block in memory.
 *
 * Every product is summed over the channels in order, so ⟨u, v⟩ and ⟨v, u⟩ have the same bits wherever they stand.
 *
 * @param visit called once for each block; `values` is overwritten by the next one.
 * @param options `lower`: only the blocks that touch the lower triangle (row ≥ column), for products of a set with itself.
 */
export function visitProducts(
  a: FeatureMatrix,
  b: FeatureMatrix,
  visit: (block: ProductBlock) => void,
  options: { readonly lower?: boolean } = {},
): void {
  const { dim } = a;
  const [left, right] = [new Float64Array(BLOCK * dim), new Float64Array(BLOCK * dim)];
  const values = new Float64Array(BLOCK * BLOCK);
  for (let rowStart = 0; rowStart < a.count; rowStart += BLOCK) {
    const rows = loadBlock(a, rowStart, left);
    const columnEnd = options.lower ? Math.min(b.count, rowStart + rows) : b.count;
    for (let columnStart = 0; columnStart < columnEnd; columnStart += BLOCK) {
      const columns = loadBlock(b, columnStart, right);
      multiply(left, right, values, rows, columns, dim);
      visit({ values, width: BLOCK, rowStart, rows, columnStart, columns });
    }
  }
}

/** Copy a block of rows to float64, followed by zeros up to a whole tile. */
function loadBlock({ data, count, dim }: FeatureMatrix, start: number, into: Float64Array): number {
  const rows = Math.min(BLOCK, count - start);
  into.set(data.subarray(start * dim, (start + rows) * dim));
  into.fill(0, rows * dim, Math.ceil(rows / TILE) * TILE * dim);
  return rows;
}

function multiply(
  left: Float64Array,
  right: Float64Array,
  values: Float64Array,
  rows: number,
  columns: number,
  dim: number,
): void {
  // Sixteen plain sums: destructuring or small arrays here cost a factor of three.
  for (let i = 0; i < rows; i += TILE) {
    const a0 = i * dim;
    const a1 = a0 + dim;
    const a2 = a1 + dim;
    const a3 = a2 + dim;
    for (let j = 0; j < columns; j += TILE) {
      const b0 = j * dim;
      const b1 = b0 + dim;
      const b2 = b1 + dim;
      const b3 = b2 + dim;
      let s00 = 0;
      let s01 = 0;
      let s02 = 0;
      let s03 = 0;
      let s10 = 0;
      let s11 = 0;
      let s12 = 0;
      let s13 = 0;
      let s20 = 0;
      let s21 = 0;
      let s22 = 0;
      let s23 = 0;
      let s30 = 0;
      let s31 = 0;
      let s32 = 0;
      let s33 = 0;
      for (let d = 0; d < dim; d++) {
        const x0 = left[a0 + d]!;
        const x1 = left[a1 + d]!;
        const x2 = left[a2 + d]!;
        const x3 = left[a3 + d]!;
        const y0 = right[b0 + d]!;
        const y1 = right[b1 + d]!;
        const y2 = right[b2 + d]!;
        const y3 = right[b3 + d]!;
        s00 += x0 * y0;
        s01 += x0 * y1;
        s02 += x0 * y2;
        s03 += x0 * y3;
        s10 += x1 * y0;
        s11 += x1 * y1;
        s12 += x1 * y2;
        s13 += x1 * y3;
        s20 += x2 * y0;
        s21 += x2 * y1;
        s22 += x2 * y2;
        s23 += x2 * y3;
        s30 += x3 * y0;
        s31 += x3 * y1;
        s32 += x3 * y2;
        s33 += x3 * y3;
      }
      let at = i * BLOCK + j;
      values[at] = s00;
      values[at + 1] = s01;
      values[at + 2] = s02;
      values[at + 3] = s03;
      at += BLOCK;
      values[at] = s10;
      values[at + 1] = s11;
      values[at + 2] = s12;
      values[at + 3] = s13;
      at += BLOCK;
      values[at] = s20;
      values[at + 1] = s21;
      values[at + 2] = s22;
      values[at + 3] = s23;
      at += BLOCK;
      values[at] = s30;
      values[at + 1] = s31;
      values[at + 2] = s32;
      values[at + 3] = s33;
    }
  }
}
