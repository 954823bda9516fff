import type { RgbImage } from "./decode-image.js";

/** The square of an image from (top, left) on: [sizePx, sizePx, 3]; the image's own bytes where it is all of it. */
export function cutSquare(
  { data, width, height }: RgbImage,
  { top, left, sizePx }: { top: number; left: number; sizePx: number },
): Uint8Array {
  if (width === sizePx && height === sizePx) return data;
  const square = new Uint8Array(sizePx * sizePx * 3);
  for (let row = 0; row < sizePx; row++) {
    const start = ((top + row) * width + left) * 3;
    square.set(data.subarray(start, start + sizePx * 3), row * sizePx * 3);
  }
  return square;
}
