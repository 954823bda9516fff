/**
 * @file Resizing of images on the host, to floats. Networks differ by more through the resizing before them than through most of what
 * is measured with them, so the kernel is named wherever it is used.
 *
 * @source Parmar, Zhang & Zhu 2022, On Aliased Resizing and Surprising Subtleties in GAN Evaluation, arXiv 2104.11222.
 */
import { ShapeError } from "../data/errors.js";

/** Source samples of one output, with weights that sum to 1. */
interface Taps {
  readonly start: number;
  readonly weights: readonly number[];
}

/** Keys' cubic convolution. */
const cubic =
  (a: number) =>
  (signed: number): number => {
    const x = Math.abs(signed);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
  };

const triangle = (x: number): number => 1 - Math.abs(x);

/**
 * Kernels by name. Without anti-aliasing the kernel stays as wide as in the source's pixels and the border is repeated; with it the
 * kernel is stretched where the image gets smaller, and cut off at the border. PyTorch's cubic has a = −3/4 without and −1/2 with.
 */
const KERNELS = {
  bilinear: (size: number, target: number) => repeatedTaps(size, target, 1, triangle),
  bicubic: (size: number, target: number) => repeatedTaps(size, target, 2, cubic(-0.75)),
  "bilinear-antialias": (size: number, target: number) => stretchedTaps(size, target, 1, triangle),
  "bicubic-antialias": (size: number, target: number) => stretchedTaps(size, target, 2, cubic(-0.5)),
  "bilinear-tf1": (size: number, target: number) => repeatedTaps(size, target, 1, triangle, 0),
} as const satisfies Record<string, (size: number, target: number) => Taps[]>;

export type Interpolation = keyof typeof KERNELS;

export const INTERPOLATIONS = Object.keys(KERNELS) as readonly Interpolation[];

export interface ResizeOptions {
  readonly count: number;
  /** Side of the images, and of the results. */
  readonly sizePx: number;
  readonly targetPx: number;
  readonly interpolation: Interpolation;
}

/**
 * Resize square RGB images. Output pixel i is centred at (i + ½)·size/target, but for `bilinear-tf1`; rows first, then columns, nothing is rounded or clamped:
 * a cubic may overshoot 0…255.
 *
 * @param images [count,size,size,3] uint8 RGB. Read only.
 * @returns      [count,target,target,3] float32. Exact copies where target = size.
 * @throws {ShapeError} a length that does not fit.
 * @parity PyTorch `interpolate(mode, align_corners=False, antialias)`; antialiased also Pillow's filters, before those round.
 */
export function resizeImages(
  images: Uint8Array,
  { count, sizePx: size, targetPx: target, interpolation }: ResizeOptions,
): Float32Array {
  if (images.length !== count * size * size * 3) {
    throw new ShapeError(`resize: want ${count}×${size}×${size}×3 bytes, got ${images.length}`);
  }
  if (size === target) return Float32Array.from(images);
  const taps = KERNELS[interpolation](size, target);
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

/** The kernel stretched where the image gets smaller; weights beyond the border are left out and the others sum to 1. */
function stretchedTaps(size: number, target: number, support: number, kernel: (x: number) => number): Taps[] {
  const scale = size / target;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length: target }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.ceil(centre - reach - 0.5));
    const end = Math.min(size - 1, Math.floor(centre + reach - 0.5));
    const raw = Array.from({ length: end - start + 1 }, (_, k) => kernel((start + k + 0.5 - centre) / stretch));
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return { start, weights: raw.map((weight) => weight / sum) };
  });
}

/**
 * The kernel as it is; where it reaches beyond the border, the pixel at the border counts again.
 *
 * @param centre of a pixel: ½, or 0 where positions are counted from corners.
 */
function repeatedTaps(
  size: number,
  target: number,
  support: number,
  kernel: (x: number) => number,
  centre = 0.5,
): Taps[] {
  return Array.from({ length: target }, (_, i) => {
    const position = ((i + centre) * size) / target - centre;
    const first = Math.floor(position) - support + 1;
    const inside = (sample: number): number => Math.min(Math.max(sample, 0), size - 1);
    const start = inside(first);
    const weights = new Array<number>(inside(first + 2 * support - 1) - start + 1).fill(0);
    for (let k = 0; k < 2 * support; k++) weights[inside(first + k) - start]! += kernel(first + k - position);
    return { start, weights };
  });
}
