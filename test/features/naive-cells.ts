/** @file Cells by their definition, for the naive versions: every pixel with the share of it that lies in the cell. */
import type { Grid } from "../../features/descriptor.js";
import type { Picture } from "./images.js";

export interface CellPixel {
  readonly y: number;
  readonly x: number;
  /** Of the cell; the shares of a cell sum to 1. */
  readonly share: number;
}

/** The pixels of each cell of a grid, in row-major order. */
export function pixelsOfCells({ height, width }: Picture, [rows, cols]: Grid): CellPixel[][] {
  const overlap = (pixel: number, cell: number, size: number, cells: number): number =>
    Math.max(0, Math.min(pixel + 1, ((cell + 1) * size) / cells) - Math.max(pixel, (cell * size) / cells));
  return Array.from({ length: rows * cols }, (_, t) => {
    const pixels: CellPixel[] = [];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const area = overlap(y, Math.floor(t / cols), height, rows) * overlap(x, t % cols, width, cols);
        if (area > 1e-9) pixels.push({ y, x, share: (area * rows * cols) / (height * width) });
      }
    }
    return pixels;
  });
}

/** OpenCV's gray levels; beyond the border the nearest pixel. */
export function grayOf({ height, width, pixels }: Picture): (y: number, x: number) => number {
  return (y, x) => {
    const [row, col] = [Math.min(Math.max(y, 0), height - 1), Math.min(Math.max(x, 0), width - 1)];
    const [r, g, b] = pixels.subarray((row * width + col) * 3);
    return (9798 * r! + 19235 * g! + 3735 * b! + 16384) >> 15;
  };
}

/** Gray levels beyond the border as a mirror shows them that stands on the last pixel. */
export function mirroredGrayOf(image: Picture): (y: number, x: number) => number {
  const gray = grayOf(image);
  const fold = (i: number, size: number): number => {
    let at = i;
    while (at < 0 || at >= size) at = at < 0 ? -at : 2 * (size - 1) - at;
    return at;
  };
  return (y, x) => gray(fold(y, image.height), fold(x, image.width));
}

/** A quarter turn counter-clockwise of a square picture. */
export function turned(image: Picture): Picture {
  const { width: side } = image;
  const pixels = Uint8Array.from(image.pixels, (_, i) => {
    const [y, x] = [Math.floor(i / 3 / side), Math.floor(i / 3) % side];
    return image.pixels[(x * side + (side - 1 - y)) * 3 + (i % 3)]!;
  });
  return { ...image, pixels };
}

/** Sizes and grids with whole, oblong and broken cells. */
export const CASES = [
  [32, 32, [2, 2]],
  [24, 40, [3, 5]],
  [31, 37, [3, 4]],
] as const;
