/**
 * @file Resizing exactly as Pillow does it: separable filters whose support grows when shrinking, weights in fixed point,
 * columns first, rounded to 8 bits after each pass. The field's reference crops are made with it, and sharp has no box filter.
 */
import type { RgbImage } from "./decode-image.js";

export type Filter = "box" | "bicubic";

interface Kernel {
  readonly support: number;
  weight(x: number): number;
}

const KERNELS: Record<Filter, Kernel> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  // Keys' cubic convolution with a = −1/2.
  bicubic: {
    support: 2,
    weight: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
    },
  },
};

/** Bits after the point: 8 of the value and 2 of headroom leave 22 of 32. */
const PRECISION_BITS = 32 - 8 - 2;

interface Taps {
  /** First source element of each output. */
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** `stride` weights for each output. */
  readonly weights: Int32Array;
  readonly stride: number;
}

function tapsOf(from: number, to: number, { support, weight }: Kernel): Taps {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const stride = Math.ceil(reach) * 2 + 1;
  const taps: Taps = {
    starts: new Int32Array(to),
    counts: new Int32Array(to),
    weights: new Int32Array(to * stride),
    stride,
  };
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach + 0.5), from);
    const values = Array.from({ length: end - start }, (_, k) => weight((k + start - centre + 0.5) / stretch));
    const sum = values.reduce((a, b) => a + b, 0);
    taps.starts[i] = start;
    taps.counts[i] = values.length;
    for (const [k, value] of values.entries()) {
      const scaled = (value / sum) * 2 ** PRECISION_BITS;
      taps.weights[i * stride + k] = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
  }
  return taps;
}

/** One pass along an axis: `lines` lines of `to` outputs; element steps of the source and the result in bytes. */
function pass(
  source: Uint8Array,
  result: Uint8Array,
  taps: Taps,
  lines: number,
  lineIn: number,
  lineOut: number,
  step: number,
): void {
  const { starts, counts, weights, stride } = taps;
  const half = 1 << (PRECISION_BITS - 1);
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < starts.length; i++) {
      let [red, green, blue] = [half, half, half];
      let at = line * lineIn + starts[i]! * step;
      const first = i * stride;
      for (let k = first; k < first + counts[i]!; k++, at += step) {
        const weight = weights[k]!;
        red += source[at]! * weight;
        green += source[at + 1]! * weight;
        blue += source[at + 2]! * weight;
      }
      const to = line * lineOut + i * step;
      result[to] = clip(red >> PRECISION_BITS);
      result[to + 1] = clip(green >> PRECISION_BITS);
      result[to + 2] = clip(blue >> PRECISION_BITS);
    }
  }
}

const clip = (value: number): number => Math.min(Math.max(value, 0), 255);

/** Resize to `width` × `height` pixels. Returns the image itself when it has that size. */
export function resample(image: RgbImage, width: number, height: number, filter: Filter): RgbImage {
  const kernel = KERNELS[filter];
  let current = image;
  if (width !== image.width) {
    const data = new Uint8Array(width * image.height * 3);
    pass(current.data, data, tapsOf(image.width, width, kernel), image.height, image.width * 3, width * 3, 3);
    current = { data, width, height: image.height };
  }
  if (height !== image.height) {
    const data = new Uint8Array(width * height * 3);
    const row = width * 3;
    pass(current.data, data, tapsOf(image.height, height, kernel), width, 3, 3, row);
    current = { data, width, height };
  }
  return current;
}
