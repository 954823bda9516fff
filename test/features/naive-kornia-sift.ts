import type { Grid } from "../../features/descriptor.js";
import type { Picture } from "./images.js";

export interface NaiveKorniaOptions {
  readonly scalePx: number;
  readonly bins?: number;
  readonly orientations?: number;
  readonly patch?: number;
  readonly isOriented: boolean;
}

type Patch = (row: number, col: number) => number;

/**
 * Kornia's dense SIFT, patch by patch and sample by sample, in float64: unit tokens, and the angle of each frame in radians.
 */
export function naiveKorniaSift(image: Picture, [rows, cols]: Grid, options: NaiveKorniaOptions) {
  const { scalePx, bins = 4, orientations = 8, patch = 41, isOriented } = options;
  const { height, width, pixels } = image;
  const gray = Array.from({ length: height * width }, (_, i) => {
    return (0.299 * pixels[3 * i]! + 0.587 * pixels[3 * i + 1]! + 0.114 * pixels[3 * i + 2]!) / 255;
  });
  const clamp = (i: number, size: number): number => Math.min(Math.max(i, 0), size - 1);
  const sample = (x: number, y: number): number => {
    const [px, py] = [clamp((x * width) / (width - 1) - 0.5, width), clamp((y * height) / (height - 1) - 0.5, height)];
    const [left, top] = [Math.floor(px), Math.floor(py)];
    let value = 0;
    for (const [dy, wy] of [
      [0, top + 1 - py],
      [1, py - top],
    ] as const) {
      for (const [dx, wx] of [
        [0, left + 1 - px],
        [1, px - left],
      ] as const)
        value += wy * wx * gray[clamp(top + dy, height) * width + clamp(left + dx, width)]!;
    }
    return value;
  };
  const patchOf = (cx: number, cy: number, angle: number, size: number): Patch => {
    const values: number[] = [];
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        const [u, v] = [(2 * j + 1) / size - 1, (2 * i + 1) / size - 1];
        const x = scalePx * (Math.cos(angle) * u + Math.sin(angle) * v) + cx;
        const y = scalePx * (-Math.sin(angle) * u + Math.cos(angle) * v) + cy;
        values.push(sample(x, y));
      }
    }
    return (row, col) => values[clamp(row, size) * size + clamp(col, size)]!;
  };
  const tokens: number[] = [];
  const angles: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [cx, cy] = [((col + 0.5) * width) / cols, ((row + 0.5) * height) / rows];
      const angle = isOriented ? dominantAngle(patchOf(cx, cy, 0, 20)) : 0;
      angles.push(angle);
      tokens.push(...describePatch(patchOf(cx, cy, angle, patch), patch, bins, orientations));
    }
  }
  return { tokens, angles };
}

function dominantAngle(at: Patch): number {
  const histogram = new Array<number>(36).fill(0);
  for (let i = 0; i < 20; i++) {
    for (let j = 0; j < 20; j++) {
      let [gx, gy] = [0, 0];
      for (const [k, w] of [
        [-1, 1],
        [0, 2],
        [1, 1],
      ] as const) {
        gx += (w * (at(i + k, j + 1) - at(i + k, j - 1))) / 8;
        gy += (w * (at(i + 1, j + k) - at(i - 1, j + k))) / 8;
      }
      const gaussian = Math.exp(-((i - 9.5) ** 2 + (j - 9.5) ** 2) / (2 * (20 / 6) ** 2));
      const position = (36 * (Math.atan2(gy, gx + 1e-8) + Math.PI)) / (2 * Math.PI);
      const low = Math.floor(position);
      const vote = Math.sqrt(gx * gx + gy * gy + 1e-8) * gaussian;
      histogram[low % 36]! += vote * (1 - (position - low));
      histogram[(low + 1) % 36]! += vote * (position - low);
    }
  }
  const taps = [0.1190625, 0.23112359, 0.29962781, 0.23112359, 0.1190625];
  const smooth = histogram.map((_, k) =>
    taps.reduce((sum, tap, i) => sum + tap * histogram[(k + i - 2 + 36) % 36]!, 0),
  );
  const k = smooth.indexOf(Math.max(...smooth));
  const [l, c, r] = [smooth[(k + 35) % 36]!, smooth[k]!, smooth[(k + 1) % 36]!];
  return -((2 * Math.PI * (k + (0.5 * (l - r)) / (l + r - 2 * c))) / 36 - Math.PI);
}

function describePatch(at: Patch, size: number, bins: number, orientations: number): number[] {
  const width = 2 * Math.floor(size / (bins + 1));
  const stride = Math.floor(size / bins);
  const padding = Math.floor(width / 4);
  const votes = new Array<number>(orientations * bins * bins).fill(0);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const [gx, gy] = [(at(i, j + 1) - at(i, j - 1)) / 2, (at(i + 1, j) - at(i - 1, j)) / 2];
      const middle = (size - 1) / 2;
      const gaussian = Math.exp(-((i - middle) ** 2 + (j - middle) ** 2) / (size * size));
      const vote = Math.sqrt(gx * gx + gy * gy + 1e-10) * gaussian;
      const position = (orientations * (Math.atan2(gy, gx + 1e-10) + 2 * Math.PI)) / (2 * Math.PI);
      const low = Math.floor(position);
      for (let row = 0; row < bins; row++) {
        for (let col = 0; col < bins; col++) {
          // Kernel positions 0…width-1 of the window that starts `padding` samples before the patch.
          const [ki, kj] = [i + padding - row * stride, j + padding - col * stride];
          if (ki < 0 || ki >= width || kj < 0 || kj >= width) continue;
          const weight = (width / 2 - Math.abs(ki + 0.5 - width / 2)) * (width / 2 - Math.abs(kj + 0.5 - width / 2));
          const cell = row * bins + col;
          votes[(low % orientations) * bins * bins + cell]! += vote * weight * (1 - (position - low));
          votes[((low + 1) % orientations) * bins * bins + cell]! += vote * weight * (position - low);
        }
      }
    }
  }
  const unit = (values: number[]): number[] => values.map((v) => v / Math.max(Math.hypot(...values), 1e-12));
  return unit(unit(votes).map((v) => Math.min(v, 0.2)));
}
