import tf from "@tensorflow/tfjs";

/** A matrix whose rows are mostly zero; row-major float32. */
export interface BandedMatrix {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float32Array;
}

/** A matrix from its elements. */
export function bandedMatrix(rows: number, cols: number, element: (row: number, col: number) => number): BandedMatrix {
  const values = Float32Array.from({ length: rows * cols }, (_, i) => element(Math.floor(i / cols), i % cols));
  return { rows, cols, values };
}

/** Elements of one block: well within the megabyte that a constant of a compiled graph may have. */
const MAX_BLOCK = 2 ** 17;

/** Share of the columns from which on all are read. */
const MOST_READ = 0.9;

/**
 * A linear map of one axis of a stack of maps: y[b,i,·] = Σ_j matrix[i,j] x[b,j,·], or the same on the last axis.
 *
 * Large matrices are multiplied in blocks of rows, each with only the columns that it reads.
 *
 * @param x         [B,N,M] (axis 1) or [B,M,N] (axis 2), where N = matrix.cols.
 * @param minBlocks at least so many blocks: worth it for narrow bands. @default 1
 * @returns         the same with matrix.rows in place of N.
 */
export function bandedProduct(x: tf.Tensor3D, matrix: BandedMatrix, axis: 1 | 2, minBlocks = 1): tf.Tensor3D {
  const blocks = blocksOf(matrix, minBlocks).map(({ firstRow, rows, firstCol, cols }) => {
    const part = bandedMatrix(rows, cols, (i, j) => matrix.values[(firstRow + i) * matrix.cols + firstCol + j]!);
    const weights = tf.tensor3d(part.values, [1, rows, cols]);
    const begin = axis === 1 ? [0, firstCol, 0] : [0, 0, firstCol];
    const size = axis === 1 ? [-1, cols, -1] : [-1, -1, cols];
    const input = cols === matrix.cols ? x : tf.slice(x, begin as [number, number, number], size as never);
    return axis === 1 ? tf.matMul(weights, input) : tf.matMul(input, weights, false, true);
  });
  return (blocks.length === 1 ? blocks[0]! : tf.concat(blocks, axis)) as tf.Tensor3D;
}

function blocksOf({ rows, cols, values }: BandedMatrix, minBlocks: number) {
  const count = Math.max(minBlocks, Math.ceil((rows * cols) / MAX_BLOCK));
  const step = Math.ceil(rows / count);
  return Array.from({ length: Math.ceil(rows / step) }, (_, block) => {
    const firstRow = block * step;
    const height = Math.min(step, rows - firstRow);
    let [first, last] = [cols - 1, 0];
    for (let row = firstRow; row < firstRow + height; row++) {
      for (let col = 0; col < cols; col++) {
        if (values[row * cols + col] === 0) continue;
        first = Math.min(first, col);
        last = Math.max(last, col);
      }
    }
    if (first > last) [first, last] = [0, 0];
    // A few zeros cost less than a copy of the columns between them.
    if (last - first + 1 > MOST_READ * cols) [first, last] = [0, cols - 1];
    return { firstRow, rows: height, firstCol: first, cols: last - first + 1 };
  });
}
