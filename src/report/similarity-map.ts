import { ShapeError } from "../../data/errors.js";

/**
 * Cosine of each token with one of them: cos(t) = ⟨x_t, x_m⟩ / (‖x_t‖ ‖x_m‖), and 0 where one of the two is zero.
 *
 * @param tokens [tokens, dim] float32, row-major. Read only.
 * @param marked row of the token to compare with.
 * @returns [tokens] float64 in [−1,1]; 1 at a marked token that is not zero.
 * @throws {ShapeError} `tokens` is not so long, or there is no such row.
 * @source iREPA scripts/viz_spatialnorm.py, which adds 1e-12 to the norms instead.
 */
export function similarityMap(
  tokens: Float32Array,
  [rows, dim]: readonly [tokens: number, dim: number],
  marked: number,
): Float64Array {
  if (tokens.length !== rows * dim || !Number.isInteger(marked) || marked < 0 || marked >= rows) {
    throw new ShapeError(
      `similarity map: want ${rows}×${dim} values and a token of 0…${rows - 1}, got ${tokens.length} values and token ${marked}`,
    );
  }
  const norms = Float64Array.from({ length: rows }, (_, row) => Math.sqrt(product(tokens, row, row, dim)));
  return Float64Array.from({ length: rows }, (_, row) => {
    const scale = norms[row]! * norms[marked]!;
    if (scale === 0) return 0;
    return Math.min(1, Math.max(-1, product(tokens, row, marked, dim) / scale));
  });
}

function product(tokens: Float32Array, a: number, b: number, dim: number): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += tokens[a * dim + d]! * tokens[b * dim + d]!;
  return sum;
}

/**
 * Row and column of the token at a place of the image.
 *
 * @param place y and x as shares of the image, 0..1.
 * @source iREPA scripts/viz_spatialnorm.py: round(y·(H−1)), halves to the even number; (0.5, 0.5) on 16×16 is (8, 8).
 */
export function tokenAt(place: readonly [y: number, x: number], grid: number): [row: number, column: number] {
  const [row, column] = place.map((share) => roundHalfEven(share * (grid - 1)));
  return [row!, column!];
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
