import type { Grid } from "../../features/descriptor.js";
import type { Picture } from "./images.js";

export interface NaiveHogOptions {
  readonly orientations: number;
  readonly cellPx: number;
  readonly blockCells: number;
  /** scikit-image's `block_norm`, without another norm behind it. @default L2-Hys, and each block's L2 norm behind it */
  readonly norm?: "L1" | "L1-sqrt" | "L2" | "L2-Hys";
  /** scikit-image's. */
  readonly transformSqrt?: boolean;
}

/** scikit-image's `hog` as its documentation reads, all blocks, and a bilinear resize. */
export function naiveHog({ height, width, pixels }: Picture, grid: Grid, options: NaiveHogOptions): number[] {
  const { orientations, cellPx, blockCells, norm: blockNorm, transformSqrt = false } = options;
  const f = Math.fround;
  const gray = Array.from({ length: height * width }, (_, i) => {
    const [r, g, b] = pixels.subarray(3 * i, 3 * i + 3);
    const sum = f(f(f(r! * f(0.2126)) + f(g! * f(0.7152))) + f(b! * f(0.0722)));
    const level = Math.min(1, f(sum / 255));
    return transformSqrt ? f(Math.sqrt(level)) : level;
  });
  const [cellRows, cellCols] = [Math.floor(height / cellPx), Math.floor(width / cellPx)];
  const cells = Array.from({ length: cellRows * cellCols }, () => new Array<number>(orientations).fill(0));
  for (let y = 0; y < cellRows * cellPx; y++) {
    for (let x = 0; x < cellCols * cellPx; x++) {
      const at = (row: number, col: number): number => gray[row * width + col]!;
      const gy = y === 0 || y === height - 1 ? 0 : at(y + 1, x) - at(y - 1, x);
      const gx = x === 0 || x === width - 1 ? 0 : at(y, x + 1) - at(y, x - 1);
      const angle = ((Math.atan2(gy, gx) * 180) / Math.PI + 360) % 180;
      const bin = Math.min(Math.floor((angle * orientations) / 180), orientations - 1);
      cells[Math.floor(y / cellPx) * cellCols + Math.floor(x / cellPx)]![bin]! += Math.hypot(gx, gy) / cellPx ** 2;
    }
  }
  const [blockRows, blockCols] = [cellRows - blockCells + 1, cellCols - blockCells + 1];
  const hys = (block: number[]): number[] => {
    const norm = (values: number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) + 1e-10);
    const first = norm(block);
    const clipped = block.map((v) => Math.min(v / first, 0.2));
    const second = norm(clipped);
    return clipped.map((v) => v / second);
  };
  const blocks = Array.from({ length: blockRows * blockCols }, (_, i) => {
    const [row, col] = [Math.floor(i / blockCols), i % blockCols];
    const values: number[] = [];
    for (let dy = 0; dy < blockCells; dy++) {
      for (let dx = 0; dx < blockCells; dx++) values.push(...cells[(row + dy) * cellCols + col + dx]!);
    }
    const sum = values.reduce((a, b) => a + b) + 1e-5;
    const length2 = Math.sqrt(values.reduce((a, b) => a + b * b, 0) + 1e-10);
    if (blockNorm === "L1") return values.map((v) => v / sum);
    if (blockNorm === "L1-sqrt") return values.map((v) => Math.sqrt(v / sum));
    if (blockNorm === "L2") return values.map((v) => v / length2);
    const normalized = hys(values);
    if (blockNorm === "L2-Hys") return normalized;
    const length = Math.max(Math.hypot(...normalized), 1e-12);
    return normalized.map((v) => v / length);
  });
  const sample = (i: number, to: number, from: number): [number, number, number] => {
    const position = Math.max(((i + 0.5) * from) / to - 0.5, 0);
    const low = Math.min(Math.floor(position), from - 1);
    return [low, Math.min(low + 1, from - 1), position - low];
  };
  const tokens: number[] = [];
  for (let row = 0; row < grid[0]; row++) {
    for (let col = 0; col < grid[1]; col++) {
      const [top, bottom, down] = sample(row, grid[0], blockRows);
      const [left, right, across] = sample(col, grid[1], blockCols);
      for (let d = 0; d < blocks[0]!.length; d++) {
        const upper =
          blocks[top * blockCols + left]![d]! * (1 - across) + blocks[top * blockCols + right]![d]! * across;
        const lower =
          blocks[bottom * blockCols + left]![d]! * (1 - across) + blocks[bottom * blockCols + right]![d]! * across;
        tokens.push(upper * (1 - down) + lower * down);
      }
    }
  }
  return tokens;
}
