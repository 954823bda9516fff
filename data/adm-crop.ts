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
 * The centre crop of the ADM evaluation suite: halve with a box filter while the short side is at least twice the size, scale
 * the short side to the size (bicubic), cut the centre.
 *
 * @param image any size of at least 1×1.
 * @returns [sizePx, sizePx, 3]; the image's own bytes where nothing changes.
 * @source Dhariwal & Nichol, arXiv 2105.05233; SPEC §1.1.
 */
export function admCrop(image: RgbImage, sizePx: number): Uint8Array {
  if (image.width < 1 || image.height < 1) throw new DataError(`an image of ${image.width}×${image.height} pixels`);
  let current = image;
  while (Math.min(current.width, current.height) >= 2 * sizePx) {
    current = resample(current, Math.floor(current.width / 2), Math.floor(current.height / 2), "box");
  }
  const scale = sizePx / Math.min(current.width, current.height);
  current = resample(current, roundHalfEven(current.width * scale), roundHalfEven(current.height * scale), "bicubic");
  const left = Math.floor((current.width - sizePx) / 2);
  const top = Math.floor((current.height - sizePx) / 2);
  if (current.width === sizePx && current.height === sizePx) return current.data;
  const crop = new Uint8Array(sizePx * sizePx * 3);
  for (let row = 0; row < sizePx; row++) {
    const start = ((top + row) * current.width + left) * 3;
    crop.set(current.data.subarray(start, start + sizePx * 3), row * sizePx * 3);
  }
  return crop;
}
