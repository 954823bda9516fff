import type tf from "@tensorflow/tfjs";
import { type BandedMatrix, bandedProduct } from "./banded-product.js";

/** OpenCV's SIFT blurs to σ = 1.6 and takes the camera's own blur to be 0.5. */
const BLUR_SIGMA_PX = Math.sqrt(1.6 ** 2 - 0.5 ** 2);
const BLUR_REACH_PX = 6;

/**
 * The Gaussian blur before SIFT looks for gradients: 13 taps, mirrored at the border without repeating it.
 *
 * @param gray [B,H,W], whole numbers 0..255.
 * @returns    [B,H,W]; exactly flat where the gray levels are.
 */
export function firstBlur(gray: tf.Tensor3D): tf.Tensor3D {
  const [, height, width] = gray.shape;
  return bandedProduct(bandedProduct(gray, blurMatrix(width), 2), blurMatrix(height), 1);
}

/** [N,N]: the Gaussian blur of a line of N pixels, mirrored at the border without repeating it. */
function blurMatrix(size: number): BandedMatrix {
  const kernel = blurKernel();
  const values = new Float32Array(size * size);
  for (let i = 0; i < size; i++) {
    for (const [k, weight] of kernel.entries()) values[i * size + mirrored(i + k - BLUR_REACH_PX, size)]! += weight;
  }
  return { rows: size, cols: size, values };
}

/** 13 multiples of 2⁻¹⁶ with sum 1: times gray levels, and summed in any order, they are exact in float32. */
function blurKernel(): number[] {
  const unit = 2 ** 16;
  const taps = Array.from({ length: 2 * BLUR_REACH_PX + 1 }, (_, k) =>
    Math.exp(-((k - BLUR_REACH_PX) ** 2) / (2 * BLUR_SIGMA_PX ** 2)),
  );
  const sum = taps.reduce((a, b) => a + b);
  const rounded = taps.map((tap) => Math.round((unit * tap) / sum));
  rounded[BLUR_REACH_PX]! += unit - rounded.reduce((a, b) => a + b);
  return rounded.map((tap) => tap / unit);
}

function mirrored(i: number, size: number): number {
  const period = 2 * (size - 1);
  const folded = ((i % period) + period) % period;
  return folded < size ? folded : period - folded;
}
