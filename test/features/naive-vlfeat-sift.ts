import type { Grid } from "../../features/descriptor.js";
import type { Picture } from "./images.js";

export interface NaiveVlfeatOptions {
  readonly binPx: number;
  readonly bins?: number;
  readonly orientations?: number;
  readonly window?: number;
  readonly isFlat: boolean;
}

/** VLFeat's `vl_dsift` as its documentation reads, key point by key point and pixel by pixel, in float64; whole-pixel bins. */
export function naiveVlfeatSift({ height, width, pixels }: Picture, [rows, cols]: Grid, options: NaiveVlfeatOptions) {
  const { binPx, bins = 4, orientations = 8, window = 2, isFlat } = options;
  const clamp = (i: number, size: number): number => Math.min(Math.max(i, 0), size - 1);
  const gray = (y: number, x: number): number => {
    const [r, g, b] = pixels.subarray(3 * (y * width + x), 3 * (y * width + x) + 3);
    return (0.299 * r! + 0.587 * g! + 0.114 * b!) / 255;
  };
  const slope = (of: (i: number) => number, i: number, size: number): number => {
    if (i === 0) return of(1) - of(0);
    return i === size - 1 ? of(i) - of(i - 1) : (of(i + 1) - of(i - 1)) / 2;
  };
  const gaussian = (u: number): number => Math.exp(-0.5 * (u / (window * binPx)) ** 2);
  const meanOfBin = (bin: number): number => {
    let sum = 0;
    for (let i = -binPx + 1; i < binPx; i++) sum += gaussian((bin - (bins - 1) / 2) * binPx + i);
    return sum / (2 * binPx - 1);
  };
  const tokens: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [cy, cx] = [((row + 0.5) * height) / rows, ((col + 0.5) * width) / cols];
      const votes = new Array<number>(bins * bins * orientations).fill(0);
      for (let i = 0; i < bins; i++) {
        for (let j = 0; j < bins; j++) {
          const [by, bx] = [cy + (i - (bins - 1) / 2) * binPx, cx + (j - (bins - 1) / 2) * binPx];
          for (let y = by - binPx + 1; y < by + binPx; y++) {
            for (let x = bx - binPx + 1; x < bx + binPx; x++) {
              const [py, px] = [clamp(y, height), clamp(x, width)];
              const gx = slope((k) => gray(py, k), px, width);
              const gy = slope((k) => gray(k, px), py, height);
              const position = ((Math.atan2(gy, gx) / (2 * Math.PI) + 1) % 1) * orientations;
              const low = Math.floor(position);
              const triangle = (1 - Math.abs(y - by) / binPx) * (1 - Math.abs(x - bx) / binPx);
              const weight = isFlat ? meanOfBin(i) * meanOfBin(j) : gaussian(y - cy) * gaussian(x - cx);
              const vote = Math.hypot(gx, gy) * triangle * weight;
              const bin = (i * bins + j) * orientations;
              votes[bin + (low % orientations)]! += vote * (1 - (position - low));
              votes[bin + ((low + 1) % orientations)]! += vote * (position - low);
            }
          }
        }
      }
      const unit = (values: number[]): number[] => values.map((v) => v / Math.max(Math.hypot(...values), 1e-12));
      tokens.push(...unit(unit(votes).map((v) => Math.min(v, 0.2))));
    }
  }
  return tokens;
}
