import { bilinearTaps } from "./bilinear.js";
import type { Grid } from "./descriptor.js";

/**
 * Tokens on another grid: bilinear, half-pixel centres, no anti-aliasing, the border repeated; each channel by itself.
 *
 * @param tokens [count,rows·cols,D] row-major on `from`. Read only.
 * @returns      [count,rows·cols,D] on `to`; the same array where the grids are equal.
 * @parity PyTorch `interpolate(mode="bilinear", align_corners=False)` of the map.
 */
export function resampleTokens(tokens: Float32Array, count: number, dim: number, from: Grid, to: Grid): Float32Array {
  if (from[0] === to[0] && from[1] === to[1]) return tokens;
  const [down, across] = [bilinearTaps(from[0], to[0]), bilinearTaps(from[1], to[1])];
  const result = new Float32Array(count * to[0] * to[1] * dim);
  let at = 0;
  for (let image = 0; image < count; image++) {
    const start = image * from[0] * from[1];
    for (const y of down) {
      for (const x of across) {
        const corner = (row: number, col: number): number => (start + row * from[1] + col) * dim;
        const [a, b] = [corner(y.low, x.low), corner(y.low, x.high)];
        const [c, d] = [corner(y.high, x.low), corner(y.high, x.high)];
        for (let k = 0; k < dim; k++, at++) {
          const above = tokens[a + k]! * (1 - x.share) + tokens[b + k]! * x.share;
          const below = tokens[c + k]! * (1 - x.share) + tokens[d + k]! * x.share;
          result[at] = above * (1 - y.share) + below * y.share;
        }
      }
    }
  }
  return result;
}
