import tf from "@tensorflow/tfjs";
import { bandedMatrix, bandedProduct } from "./banded-product.js";

/** Chosen lines lie all over a map: so many products read little that they do not need. */
const BLOCKS = 4;

/**
 * Some rows (axis 1) or columns (axis 2) of a stack of maps.
 *
 * @param x     [B,H,W].
 * @param lines which, ascending.
 */
export function chooseLines(x: tf.Tensor3D, lines: readonly number[], axis: 1 | 2): tf.Tensor3D {
  const size = x.shape[axis];
  if (lines.length === size) return x;
  if (isRun(lines)) return run(x, lines[0]!, lines.length, axis);
  if (axis === 1) return tf.gather(x, tf.tensor1d([...lines], "int32"), 1);
  // Gathering single columns is slow on a processor; products with 0 and 1 are exact.
  const choose = bandedMatrix(lines.length, size, (i, line) => (line === lines[i] ? 1 : 0));
  return bandedProduct(x, choose, 2, BLOCKS);
}

/**
 * Central differences x[i+1] - x[i-1] at some rows (axis 1) or columns (axis 2), to the bit; zero on the first and the last line.
 *
 * @param x     [B,H,W].
 * @param lines which, ascending.
 */
export function differencesAt(x: tf.Tensor3D, lines: readonly number[], axis: 1 | 2): tf.Tensor3D {
  const size = x.shape[axis];
  const isInside = (line: number): boolean => line > 0 && line < size - 1;
  const inside = lines.filter(isInside);
  if (inside.length === 0) return tf.zerosLike(chooseLines(x, lines, axis));
  if (isRun(lines)) {
    const [first, count] = [inside[0]!, inside.length];
    const differences = tf.sub(run(x, first + 1, count, axis), run(x, first - 1, count, axis)) as tf.Tensor3D;
    if (count === lines.length) return differences;
    const border: [number, number] = [first - lines[0]!, lines.at(-1)! - inside.at(-1)!];
    return tf.pad(differences, axis === 1 ? [[0, 0], border, [0, 0]] : [[0, 0], [0, 0], border]);
  }
  if (axis === 1) {
    const moved = (by: number) =>
      chooseLines(
        x,
        lines.map((line) => (isInside(line) ? line + by : line)),
        1,
      );
    return tf.sub(moved(1), moved(-1)) as tf.Tensor3D;
  }
  const differ = bandedMatrix(lines.length, size, (i, line) =>
    !isInside(lines[i]!) ? 0 : line === lines[i]! + 1 ? 1 : line === lines[i]! - 1 ? -1 : 0,
  );
  return bandedProduct(x, differ, 2, BLOCKS);
}

/** Neighbours all the way. */
const isRun = (lines: readonly number[]): boolean => lines.every((line, i) => line === lines[0]! + i);

const run = (x: tf.Tensor3D, first: number, count: number, axis: 1 | 2): tf.Tensor3D =>
  axis === 1 ? tf.slice(x, [0, first, 0], [-1, count, -1]) : tf.slice(x, [0, 0, first], [-1, -1, count]);
