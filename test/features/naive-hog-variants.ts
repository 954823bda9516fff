import type { Grid } from "../../features/descriptor.js";
import type { Picture } from "./images.js";

/** Per pixel, x[i+1] - x[i-1] of the channel with the longest gradient; 0 at the border of its own axis. Of equal ones the first. */
function strongest(
  { height, width, pixels }: Picture,
  level: (v: number) => number,
  order: readonly number[],
  y: number,
  x: number,
) {
  const at = (row: number, col: number, c: number): number => level(pixels[(row * width + col) * 3 + c]!);
  const all = order.map((c) => ({
    dx: x === 0 || x === width - 1 ? 0 : at(y, x + 1, c) - at(y, x - 1, c),
    dy: y === 0 || y === height - 1 ? 0 : at(y + 1, x, c) - at(y - 1, x, c),
  }));
  return all.reduce((a, b) => (b.dx ** 2 + b.dy ** 2 > a.dx ** 2 + a.dy ** 2 ? b : a));
}

export interface NaiveDalalOptions {
  readonly cell: number;
  readonly block: number;
  readonly orientations: number;
  readonly clip: number;
  readonly linear: boolean;
}

/** Dalal–Triggs HOG, block by block and pixel by pixel, with OpenCV's constants; cells of whole, even pixels. */
export function naiveDalalHog(image: Picture, [rows, cols]: Grid, options: NaiveDalalOptions): number[] {
  const { cell, block, orientations, clip, linear } = options;
  const { height, width } = image;
  const side = cell * block;
  const tokens: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [top, left] = [((row + 0.5) * height) / rows - side / 2, ((col + 0.5) * width) / cols - side / 2];
      const votes = new Array<number>(block * block * orientations).fill(0);
      for (let i = 0; i < side; i++) {
        for (let j = 0; j < side; j++) {
          if (top + i < 0 || top + i >= height || left + j < 0 || left + j >= width) continue;
          const { dx, dy } = strongest(image, linear ? (v) => v : Math.sqrt, [2, 1, 0], top + i, left + j);
          const position = ((Math.atan2(dy, dx) + 2 * Math.PI) / Math.PI) * orientations - 0.5;
          const gaussian = Math.exp(-((i - side / 2) ** 2 + (j - side / 2) ** 2) / (2 * (side / 4) ** 2));
          for (let ci = 0; ci < block; ci++) {
            for (let cj = 0; cj < block; cj++) {
              const down = 1 - Math.abs((i + 0.5) / cell - 0.5 - ci);
              const across = 1 - Math.abs((j + 0.5) / cell - 0.5 - cj);
              if (down <= 0 || across <= 0) continue;
              const vote = Math.hypot(dx, dy) * gaussian * down * across;
              const low = Math.floor(position);
              const first = (ci * block + cj) * orientations;
              votes[first + (low % orientations)]! += vote * (low + 1 - position);
              votes[first + ((low + 1) % orientations)]! += vote * (position - low);
            }
          }
        }
      }
      const first = Math.hypot(...votes) + 0.1 * votes.length;
      const clipped = votes.map((v) => Math.min(v / first, clip));
      const second = Math.hypot(...clipped) + 1e-3;
      tokens.push(...clipped.map((v) => v / second));
    }
  }
  return tokens;
}

/** HOG of deformable part models on every cell, [rows][cols][3·orientations + 4], after features.cc; the border cells' neighbours repeated. */
export function naiveUocttiCells(image: Picture, cell: number, orientations: number): number[][][] {
  const { height, width } = image;
  const [rows, cols] = [Math.floor(height / cell), Math.floor(width / cell)];
  const histograms = Array.from({ length: rows }, () =>
    Array.from({ length: cols }, () => new Array<number>(2 * orientations).fill(0)),
  );
  for (let y = 1; y < Math.min(height, rows * cell) - 1; y++) {
    for (let x = 1; x < Math.min(width, cols * cell) - 1; x++) {
      const { dx, dy } = strongest(image, (v) => v, [0, 1, 2], y, x);
      let [best, bin] = [0, 0];
      for (let o = 0; o < orientations; o++) {
        const dot = Math.cos((Math.PI * o) / orientations) * dx + Math.sin((Math.PI * o) / orientations) * dy;
        if (dot > best + 1e-6) [best, bin] = [dot, o];
        else if (-dot > best + 1e-6) [best, bin] = [-dot, o + orientations];
      }
      const [py, px] = [(y + 0.5) / cell - 0.5, (x + 0.5) / cell - 0.5];
      for (const row of [Math.floor(py), Math.floor(py) + 1]) {
        for (const col of [Math.floor(px), Math.floor(px) + 1]) {
          if (row < 0 || row >= rows || col < 0 || col >= cols) continue;
          const weight = (1 - Math.abs(py - row)) * (1 - Math.abs(px - col));
          histograms[row]![col]![bin]! += weight * Math.hypot(dx, dy);
        }
      }
    }
  }
  const inside = (i: number, size: number): number => Math.min(Math.max(i, 0), size - 1);
  const energy = (row: number, col: number): number => {
    const h = histograms[inside(row, rows)]![inside(col, cols)]!;
    return Array.from({ length: orientations }, (_, o) => (h[o]! + h[o + orientations]!) ** 2).reduce((a, b) => a + b);
  };
  return histograms.map((line, row) =>
    line.map((h, col) => {
      const norms = [
        [-1, -1],
        [-1, 1],
        [1, -1],
        [1, 1],
      ].map(([dy, dx]) => {
        const block = energy(row, col) + energy(row + dy!, col) + energy(row, col + dx!) + energy(row + dy!, col + dx!);
        return 1 / Math.sqrt(block + 1e-4);
      });
      const unsigned = Array.from({ length: orientations }, (_, o) => h[o]! + h[o + orientations]!);
      const clipped = (v: number): number => norms.reduce((sum, n) => sum + Math.min(v * n, 0.2), 0) / 2;
      const textures = norms.map((n) => 0.2357 * h.reduce((sum, v) => sum + Math.min(v * n, 0.2), 0));
      return [...h.map(clipped), ...unsigned.map(clipped), ...textures];
    }),
  );
}
