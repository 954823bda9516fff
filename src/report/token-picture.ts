/** @file Pictures of token grids, a square of 16×16 pixels a token, as PNG files. */
import sharp from "sharp";
import { writeFileAtomic } from "../../data/atomic.js";

/** Pixels of a token, in the image that the target sees and in the pictures. */
export const TOKEN_PX = 16;

/** [G,G,3] → [16·G,16·G,3], each token a square. */
export function enlargeTokens(colours: Uint8Array, grid: number): Uint8Array {
  const sizePx = grid * TOKEN_PX;
  const pixels = new Uint8Array(sizePx * sizePx * 3);
  for (let y = 0; y < sizePx; y++) {
    for (let x = 0; x < sizePx; x++) {
      const token = Math.floor(y / TOKEN_PX) * grid + Math.floor(x / TOKEN_PX);
      pixels.set(colours.subarray(token * 3, token * 3 + 3), (y * sizePx + x) * 3);
    }
  }
  return pixels;
}

/** Frame a token: two pixels of white within two of black, to be seen on any colour. Changes and returns `pixels`. */
export function markToken(
  pixels: Uint8Array,
  sizePx: number,
  [row, column]: readonly [row: number, column: number],
): Uint8Array {
  for (let y = 0; y < TOKEN_PX; y++) {
    for (let x = 0; x < TOKEN_PX; x++) {
      const depth = Math.min(x, y, TOKEN_PX - 1 - x, TOKEN_PX - 1 - y);
      if (depth > 3) continue;
      const at = ((row * TOKEN_PX + y) * sizePx + column * TOKEN_PX + x) * 3;
      pixels.fill(depth < 2 ? 0 : 255, at, at + 3);
    }
  }
  return pixels;
}

/** Write [size,size,3] RGB as a PNG. @throws {DataError} the file cannot be written. */
export async function writePng(file: string, pixels: Uint8Array, sizePx: number): Promise<void> {
  const raw = { width: sizePx, height: sizePx, channels: 3 as const };
  await writeFileAtomic(file, await sharp(pixels, { raw }).png().toBuffer());
}
