/**
 * @file Resizing of images on the host, without aliasing. Networks differ by more through the resizing before them than through most
 * of what is measured with them, so there is one, and the record names it.
 *
 * @source Parmar, Zhang & Zhu 2022, On Aliased Resizing and Surprising Subtleties in GAN Evaluation, arXiv 2104.11222.
 */
import { ShapeError } from "../../data/errors.js";

/** Name of the rule, for records. */
export const RESIZE_RULE = "bilinear, half-pixel centres, antialiased";

/**
 * Resize square RGB images with a triangle filter.
 *
 * Output pixel i is centred at (i + ½)·size/target; the filter reaches one source pixel, or size/target where the image gets smaller.
 * Its weights sum to 1, also at the border. The same numbers as Pillow's BILINEAR, before that rounds.
 *
 * @param images [count, size, size, 3] uint8 RGB.
 * @returns [count, target, target, 3] float32 in 0…255, not rounded. Exact copies where target = size.
 * @throws {ShapeError} a length that does not fit.
 */
export function resizeBilinear(images: Uint8Array, count: number, size: number, target: number): Float32Array {
  if (images.length !== count * size * size * 3) {
    throw new ShapeError(`resize: want ${count}×${size}×${size}×3 bytes, got ${images.length}`);
  }
  if (size === target) return Float32Array.from(images);
  const taps = triangleTaps(size, target);
  // First the rows are shortened, then the columns.
  const narrow = new Float32Array(count * size * target * 3);
  for (let row = 0; row < count * size; row++) {
    for (let x = 0; x < target; x++) {
      const { start, weights } = taps[x]!;
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * images[(row * size + start + k) * 3 + c]!;
        narrow[(row * target + x) * 3 + c] = sum;
      }
    }
  }
  const result = new Float32Array(count * target * target * 3);
  const width = target * 3;
  for (let image = 0; image < count; image++) {
    for (let y = 0; y < target; y++) {
      const { start, weights } = taps[y]!;
      const to = (image * target + y) * width;
      for (let i = 0; i < width; i++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k]! * narrow[(image * size + start + k) * width + i]!;
        result[to + i] = sum;
      }
    }
  }
  return result;
}

interface Taps {
  readonly start: number;
  readonly weights: readonly number[];
}

/** For each output position: the source positions under the triangle, with weights that sum to 1. */
function triangleTaps(size: number, target: number): Taps[] {
  const scale = size / target;
  const reach = Math.max(scale, 1);
  return Array.from({ length: target }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.ceil(centre - reach - 0.5));
    const end = Math.min(size - 1, Math.floor(centre + reach - 0.5));
    const raw = Array.from({ length: end - start + 1 }, (_, k) => 1 - Math.abs(start + k + 0.5 - centre) / reach);
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return { start, weights: raw.map((weight) => weight / sum) };
  });
}
