import type { Grid } from "../../features/descriptor.js";
import type { Picture } from "./images.js";

export interface NaiveSiftOptions {
  readonly bins?: number;
  readonly orientations?: number;
  readonly sizePx?: number;
  readonly clip?: number;
}

/**
 * Dense SIFT as OpenCV's source reads, key point by key point and pixel by pixel, in float64: one token per cell of whole-pixel
 * square cells, turned by `angleDeg`.
 */
export function naiveSift(
  { height, width, pixels }: Picture,
  [rows, cols]: Grid,
  angleDeg: number,
  { bins = 4, orientations = 8, sizePx = width / cols, clip = 0.2 }: NaiveSiftOptions = {},
): number[] {
  const gray = Array.from({ length: height * width }, (_, i) => {
    const [r, g, b] = pixels.subarray(3 * i, 3 * i + 3);
    return (3735 * b! + 19235 * g! + 9798 * r! + 16384) >> 15;
  });
  const blurred = blur(blur(gray, height, width, true), height, width, false);
  const binPx = 1.5 * sizePx;
  const [cos, sin] = [Math.cos((angleDeg * Math.PI) / 180), Math.sin((angleDeg * Math.PI) / 180)];
  const tokens: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [cy, cx] = [((row + 0.5) * height) / rows, ((col + 0.5) * width) / cols];
      const votes = new Array<number>(bins * bins * orientations).fill(0);
      for (let y = 1; y < height - 1; y++) {
        for (let x = 1; x < width - 1; x++) {
          const u = ((x - cx) * cos - (y - cy) * sin) / binPx;
          const v = ((x - cx) * sin + (y - cy) * cos) / binPx;
          const [rowBin, colBin] = [v + bins / 2 - 0.5, u + bins / 2 - 0.5];
          if (rowBin <= -1 || rowBin >= bins || colBin <= -1 || colBin >= bins) continue;
          const dx = blurred[y * width + x + 1]! - blurred[y * width + x - 1]!;
          const dy = blurred[(y - 1) * width + x]! - blurred[(y + 1) * width + x]!;
          const weight = Math.hypot(dx, dy) * Math.exp(-(u * u + v * v) / (bins * bins * 0.5));
          const turned = (Math.atan2(dy, dx) * 180) / Math.PI - angleDeg;
          const orientation = (((turned / 360) % 1) + 1) * orientations;
          for (const i of [Math.floor(rowBin), Math.floor(rowBin) + 1]) {
            for (const j of [Math.floor(colBin), Math.floor(colBin) + 1]) {
              if (i < 0 || i >= bins || j < 0 || j >= bins) continue;
              for (const o of [Math.floor(orientation), Math.floor(orientation) + 1]) {
                const share = (1 - Math.abs(rowBin - i)) * (1 - Math.abs(colBin - j)) * (1 - Math.abs(orientation - o));
                votes[(i * bins + j) * orientations + (o % orientations)]! += weight * share;
              }
            }
          }
        }
      }
      const norm = Math.hypot(...votes);
      const clipped = votes.map((vote) => Math.min(vote, clip * norm));
      const scale = 512 / Math.max(Math.hypot(...clipped), 1.1920929e-7);
      tokens.push(...clipped.map((vote) => Math.min(255, Math.round(vote * scale))));
    }
  }
  return tokens;
}

/** 13 taps of σ = √(1.6² - 0.5²) along one axis, mirrored without repeating the border. */
function blur(image: readonly number[], height: number, width: number, isAlongRows: boolean): number[] {
  const taps = Array.from({ length: 13 }, (_, k) => Math.exp(-((k - 6) ** 2) / (2 * (1.6 ** 2 - 0.5 ** 2))));
  const sum = taps.reduce((a, b) => a + b);
  const fold = (i: number, n: number): number => (i < 0 ? fold(-i, n) : i >= n ? fold(2 * n - 2 - i, n) : i);
  return image.map((_, index) => {
    const [y, x] = [Math.floor(index / width), index % width];
    return taps.reduce((total, tap, k) => {
      const from = isAlongRows ? y * width + fold(x + k - 6, width) : fold(y + k - 6, height) * width + x;
      return total + (tap / sum) * image[from]!;
    }, 0);
  });
}
