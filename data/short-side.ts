import type { RgbImage } from "./decode-image.js";
import { DataError } from "./errors.js";
import { resample } from "./resample.js";

/** Python's round(): halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Resize an image until its short side is `shortPx`, as the ADM evaluation suite does before it crops: halve with a box filter
 * while the short side is at least twice that, then scale (bicubic).
 *
 * @throws {DataError} an image without pixels.
 * @source Dhariwal & Nichol, arXiv 2105.05233; SPEC §1.1.
 */
export function resizeShortSide(image: RgbImage, shortPx: number): RgbImage {
  if (image.width < 1 || image.height < 1) throw new DataError(`an image of ${image.width}×${image.height} pixels`);
  let current = image;
  while (Math.min(current.width, current.height) >= 2 * shortPx) {
    current = resample(current, Math.floor(current.width / 2), Math.floor(current.height / 2), "box");
  }
  const scale = shortPx / Math.min(current.width, current.height);
  return resample(current, roundHalfEven(current.width * scale), roundHalfEven(current.height * scale), "bicubic");
}
