import type tf from "@tensorflow/tfjs";
import { bandedProduct } from "./banded-product.js";
import { lineFilter } from "./line-filter.js";

/** OpenCV's SIFT blurs to σ = 1.6 and takes the camera's own blur to be 0.5. */
const BLUR_SIGMA_PX = Math.sqrt(1.6 ** 2 - 0.5 ** 2);
const BLUR_REACH_PX = 6;
/** A band of 13 in 256 is mostly zeros: the product in four parts leaves out two thirds of them. */
const BLOCKS = 4;

/**
 * The Gaussian blur before SIFT looks for gradients: 13 taps, mirrored at the border without repeating it.
 *
 * @param gray [B,H,W], whole numbers 0..255.
 * @returns    [B,H,W]; exactly flat where the gray levels are.
 */
export function firstBlur(gray: tf.Tensor3D): tf.Tensor3D {
  const [, height, width] = gray.shape;
  const kernel = blurKernel();
  const rows = bandedProduct(gray, lineFilter(width, kernel), 2, BLOCKS);
  return bandedProduct(rows, lineFilter(height, kernel), 1, BLOCKS);
}

/** [7]: the middle of the blur, and one side of it. */
export const blurTaps = (): Float32Array => Float32Array.from(blurKernel().slice(BLUR_REACH_PX));

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
