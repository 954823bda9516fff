import { ShapeError } from "../../data/errors.js";
import { visitProducts } from "./feature-matrix.js";

/** Vectors that are added to the covariance at a time. */
const CHUNK = 512;

/**
 * Mean and sample covariance (n − 1) of vectors that come one after the other and are not kept, in float64: D² numbers, and O(n·D²)
 * work. Sums are taken of x − shift; with a shift anywhere near the mean nothing cancels:
 *
 *   Σ = (Σᵢ yᵢyᵢᵀ − n·ȳȳᵀ) / (n − 1),   yᵢ = xᵢ − shift
 */
export class CovarianceSum {
  #count = 0;
  /** Of the chunk that is being filled, transposed: [dim, CHUNK]; what is not filled is 0. */
  readonly #columns: Float64Array;
  #filled = 0;
  readonly #sums: Float64Array;
  readonly #products: Float64Array;
  #shift: Float64Array | undefined;

  /** @param shift [dim]; absent: the first vector. */
  constructor(
    readonly dim: number,
    shift?: Float64Array,
  ) {
    this.#columns = new Float64Array(dim * CHUNK);
    this.#sums = new Float64Array(dim);
    this.#products = new Float64Array(dim * dim);
    this.#shift = shift;
  }

  get count(): number {
    return this.#count;
  }

  /** @param rows [n, dim], finite. Read only. */
  add(rows: Float32Array | Float64Array): void {
    const { dim } = this;
    if (rows.length % dim !== 0) throw new ShapeError(`covariance: ${rows.length} numbers are no vectors of ${dim}`);
    this.#shift ??= Float64Array.from(rows.subarray(0, dim));
    const shift = this.#shift;
    for (let at = 0; at < rows.length; ) {
      for (let d = 0; d < dim; d++, at++) {
        const value = rows[at]! - shift[d]!;
        this.#columns[d * CHUNK + this.#filled] = value;
        this.#sums[d] = this.#sums[d]! + value;
      }
      this.#count++;
      if (++this.#filled === CHUNK) this.#flush();
    }
  }

  /**
   * [dim] and [dim, dim], of which the lower triangle is filled.
   *
   * @throws {ShapeError} fewer than two vectors.
   */
  result(): { mean: Float64Array; covariance: Float64Array } {
    const { dim } = this;
    const count = this.#count;
    if (count < 2) throw new ShapeError(`covariance: want at least 2 feature vectors, got ${count}`);
    if (this.#filled > 0) this.#flush();
    const offset = this.#sums.map((sum) => sum / count);
    const covariance = this.#products.slice();
    for (let i = 0; i < dim; i++) {
      for (let j = 0; j <= i; j++) {
        covariance[i * dim + j] = (covariance[i * dim + j]! - count * offset[i]! * offset[j]!) / (count - 1);
      }
    }
    return { mean: offset.map((value, d) => this.#shift![d]! + value), covariance };
  }

  #flush(): void {
    const { dim } = this;
    const products = this.#products;
    const columns = { data: this.#columns, count: dim, dim: CHUNK };
    visitProducts(
      columns,
      columns,
      ({ values, width, rowStart, rows, columnStart, columns }) => {
        for (let i = 0; i < rows; i++) {
          const to = (rowStart + i) * dim + columnStart;
          for (let j = 0; j < columns; j++) products[to + j] = products[to + j]! + values[i * width + j]!;
        }
      },
      { lower: true },
    );
    this.#columns.fill(0);
    this.#filled = 0;
  }
}
