import { cutSquare } from "./cut-square.js";
import type { RgbImage } from "./decode-image.js";
import { resizeShortSide } from "./short-side.js";

/**
 * The centre crop of the ADM evaluation suite: halve with a box filter while the short side is at least twice the size, scale
 * the short side to the size (bicubic), cut the centre.
 *
 * @param image any size of at least 1×1.
 * @returns [sizePx, sizePx, 3]; the image's own bytes where nothing changes.
 * @source Dhariwal & Nichol, arXiv 2105.05233; SPEC §1.1.
 */
export function admCrop(image: RgbImage, sizePx: number): Uint8Array {
  const resized = resizeShortSide(image, sizePx);
  const left = Math.floor((resized.width - sizePx) / 2);
  const top = Math.floor((resized.height - sizePx) / 2);
  return cutSquare(resized, { top, left, sizePx });
}
