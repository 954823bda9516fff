/** @file Feature matrices and the one product that every generation metric is made of: all inner products of two sets of rows. */
import { readFileSync } from "node:fs";
import { builtFile } from "../../data/built-file.js";
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

const PAGE_BYTES = 2 ** 16;

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
 * @param visit called once for each block; `values` is overwritten by the next one, and by later calls.
 * @param options `lower`: only the blocks that touch the lower triangle (row ≥ column), for products of a set with itself.
 */
export function visitProducts(
  a: FeatureMatrix,
  b: FeatureMatrix,
  visit: (block: ProductBlock) => void,
  options: { readonly lower?: boolean } = {},
): void {
  const blocks = idle.get(a.dim) ?? openBlocks(a.dim);
  idle.delete(a.dim); // not for a product within `visit`
  const { left, right, values, multiply } = blocks;
  for (let rowStart = 0; rowStart < a.count; rowStart += BLOCK) {
    const rows = loadRows(a, rowStart, left);
    const columnEnd = options.lower ? Math.min(b.count, rowStart + rows) : b.count;
    for (let columnStart = 0; columnStart < columnEnd; columnStart += BLOCK) {
      const columns = loadColumns(b, columnStart, right);
      multiply(rows, columns);
      visit({ values, width: BLOCK, rowStart, rows, columnStart, columns });
    }
  }
  idle.set(a.dim, blocks);
}

/** By dimension, to be used again: KID's subsets, covariances and influences are hundreds of small products. */
const idle = new Map<number, ReturnType<typeof openBlocks>>();

let compiled: WebAssembly.Module | undefined;

/** Two blocks of vectors and their products in one memory of `wasm/row-products.ts`, which `npm run build` compiles. */
function openBlocks(dim: number) {
  const size = BLOCK * dim;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((8 * (2 * size + BLOCK ** 2)) / PAGE_BYTES) });
  compiled ??= new WebAssembly.Module(readFileSync(builtFile("src/evaluate/row-products.wasm")));
  const { rowProducts } = new WebAssembly.Instance(compiled, { env: { memory } }).exports as {
    rowProducts(...values: number[]): void;
  };
  const take = (start: number, length: number) => new Float64Array(memory.buffer, 8 * start, length);
  return {
    left: take(0, size),
    right: take(size, size),
    values: take(2 * size, BLOCK ** 2),
    multiply: (rows: number, columns: number) =>
      rowProducts(0, 8 * size, 16 * size, wholeTiles(rows), wholeTiles(columns), dim, BLOCK),
  };
}

const wholeTiles = (count: number): number => Math.ceil(count / TILE) * TILE;

/** Copy a block of rows to float64, followed by zeros up to a whole tile. */
function loadRows({ data, count, dim }: FeatureMatrix, start: number, into: Float64Array): number {
  const rows = Math.min(BLOCK, count - start);
  into.set(data.subarray(start * dim, (start + rows) * dim));
  into.fill(0, rows * dim, wholeTiles(rows) * dim);
  return rows;
}

/** The same with the vectors of a tile side by side. */
function loadColumns({ data, count, dim }: FeatureMatrix, start: number, into: Float64Array): number {
  const columns = Math.min(BLOCK, count - start);
  into.fill(0, Math.floor(columns / TILE) * TILE * dim, wholeTiles(columns) * dim);
  for (let j = 0; j < columns; j++) {
    const from = (start + j) * dim;
    const to = (j - (j % TILE)) * dim + (j % TILE);
    for (let d = 0; d < dim; d++) into[to + d * TILE] = data[from + d]!;
  }
  return columns;
}
