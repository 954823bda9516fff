import { cutSquare } from "./cut-square.js";
import type { RgbImage } from "./decode-image.js";
import { resizeShortSide } from "./short-side.js";

/** A random crop as three numbers in [0, 1): which of the possible sizes, which row, which column. The same place at every size. */
export type CropPlace = readonly [size: number, top: number, left: number];

/** The side of a crop is at least this share of the image's short side. */
export const LEAST_SHARE = 0.8;

/** One of `count` equally probable whole numbers 0 … count−1. */
const pick = (u: number, count: number): number => Math.min(count - 1, Math.floor(u * count));

/**
 * The random crop of the ADM training code (`random_crop_arr`): the short side becomes a whole number of pixels between the size
 * and its 1.25 fold (as in {@link resizeShortSide}), then any square of the size is cut, all equally probable.
 *
 * @param place draws it, see {@link CropPlace}; where two sizes are cropped at one place, they agree but for the rounding to pixels.
 * @returns [sizePx, sizePx, 3]; the image's own bytes where nothing changes.
 * @source Dhariwal & Nichol, arXiv 2105.05233: shares of 0.8 to 1, as in the code of ADM and DiT.
 */
export function randomCrop(image: RgbImage, sizePx: number, [size, top, left]: CropPlace): Uint8Array {
  const longest = Math.ceil(sizePx / LEAST_SHARE);
  const resized = resizeShortSide(image, sizePx + pick(size, longest - sizePx + 1));
  return cutSquare(resized, {
    top: pick(top, resized.height - sizePx + 1),
    left: pick(left, resized.width - sizePx + 1),
    sizePx,
  });
}
