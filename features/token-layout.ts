import { ShapeError } from "../data/errors.js";
import type { Grid } from "./descriptor.js";

/** Where an encoder's output for one image has the tokens of its grid. */
export interface TokenLayout {
  readonly grid: Grid;
  readonly dim: number;
  /** Tokens before those of the grid. */
  readonly dropped: number;
  /** [C,H,W] instead of [T,D]. */
  readonly isMap: boolean;
}

/**
 * The layout of an output.
 *
 * @param shape   of one image: tokens [T,D] or a map [C,H,W].
 * @param dropped tokens at the beginning that are no patches.
 * @param grid    of the other tokens, where they are no square.
 * @param what    whose output it is, for messages.
 * @throws {ShapeError} another rank, or tokens that do not fill the grid.
 */
export function tokenLayout(
  shape: readonly number[],
  { dropped = 0, grid }: { readonly dropped?: number; readonly grid?: Grid },
  what: string,
): TokenLayout {
  const shown = `[n, ${shape.join(", ")}]`;
  if (shape.length === 3) {
    const [dim, rows, cols] = shape as [number, number, number];
    if (dropped > 0) throw new ShapeError(`${what}: a map ${shown} has no tokens to drop, got drop=${dropped}`);
    if (grid !== undefined && (grid[0] !== rows || grid[1] !== cols)) {
      throw new ShapeError(`${what}: a map ${shown} is on a grid of ${rows}x${cols}, got grid=${grid.join("x")}`);
    }
    return { grid: [rows, cols], dim, dropped, isMap: true };
  }
  if (shape.length !== 2) {
    throw new ShapeError(`${what}: should be tokens [n, T, D] or a map [n, C, H, W], it is ${shown}`);
  }
  const [tokens, dim] = shape as [number, number];
  const left = tokens - dropped;
  if (left < 1) throw new ShapeError(`${what}: has ${tokens} tokens, of which drop=${dropped} leaves none`);
  if (grid !== undefined) {
    if (grid[0] * grid[1] === left) return { grid, dim, dropped, isMap: false };
    throw new ShapeError(`${what}: ${left} tokens of ${shown} do not fill a grid of ${grid.join("x")}`);
  }
  const side = Math.floor(Math.sqrt(left));
  if (side * side !== left) {
    throw new ShapeError(`${what}: ${left} tokens of ${shown} make no square`, {
      hint: `drop=${dropped + left - side * side} leaves ${side}×${side} (class token and registers come first), or say grid=ROWSxCOLS`,
    });
  }
  return { grid: [side, side], dim, dropped, isMap: false };
}

/**
 * The tokens of the grid.
 *
 * @param output [count,T,D] or [count,C,H,W], as the layout says. Read only.
 * @returns      [count,rows·cols,D] row-major, new.
 */
export function gridTokens(output: ArrayLike<number>, count: number, layout: TokenLayout): Float32Array {
  const { grid, dim, dropped, isMap } = layout;
  const area = grid[0] * grid[1];
  const tokens = new Float32Array(count * area * dim);
  const each = (area + dropped) * dim;
  for (let image = 0; image < count; image++) {
    for (let t = 0; t < area; t++) {
      const to = (image * area + t) * dim;
      const from = image * each + (isMap ? t : (dropped + t) * dim);
      const step = isMap ? area : 1;
      for (let d = 0; d < dim; d++) tokens[to + d] = output[from + d * step]!;
    }
  }
  return tokens;
}
