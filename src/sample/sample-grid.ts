/** @file A sheet of samples as a PNG. The same place shows the same seed and label in every arm. */
import sharp from "sharp";
import { ShapeError } from "../../data/errors.js";

/** Samples shown at most, by default. */
export const GRID_IMAGES = 64;

export interface SampleGridOptions {
  /** Samples across. @default the smallest whole number whose square holds them all */
  readonly columns?: number;
  /** Samples shown at most, the first ones. @default 64 */
  readonly most?: number;
  /** White pixels between samples. @default 2 */
  readonly gapPx?: number;
}

/**
 * The first samples, row by row, on white.
 *
 * @param images [N,H,W,3] uint8, read only.
 * @returns the bytes of a PNG.
 * @throws {ShapeError} `images` is not N whole images.
 */
export async function sampleGrid(
  images: Uint8Array,
  [count, heightPx, widthPx]: readonly [count: number, heightPx: number, widthPx: number],
  { most = GRID_IMAGES, columns, gapPx = 2 }: SampleGridOptions = {},
): Promise<Uint8Array> {
  const imageBytes = heightPx * widthPx * 3;
  if (count < 1 || images.length !== count * imageBytes) {
    throw new ShapeError(`sample grid: ${images.length} bytes are not ${count} RGB images of ${widthPx}×${heightPx}`);
  }
  const shown = Math.min(count, most);
  const across = Math.min(shown, columns ?? Math.ceil(Math.sqrt(shown)));
  const down = Math.ceil(shown / across);
  const sheetWidth = across * (widthPx + gapPx) - gapPx;
  const sheetHeight = down * (heightPx + gapPx) - gapPx;
  const sheet = new Uint8Array(sheetWidth * sheetHeight * 3).fill(255);
  for (let k = 0; k < shown; k++) {
    const left = (k % across) * (widthPx + gapPx);
    const top = Math.floor(k / across) * (heightPx + gapPx);
    for (let row = 0; row < heightPx; row++) {
      const from = k * imageBytes + row * widthPx * 3;
      sheet.set(images.subarray(from, from + widthPx * 3), ((top + row) * sheetWidth + left) * 3);
    }
  }
  const raw = { width: sheetWidth, height: sheetHeight, channels: 3 as const };
  return sharp(sheet, { raw }).png().toBuffer();
}
