/** @file What SIFT starts from, against an independent implementation: OpenCV 4.3 itself, compiled to WebAssembly. */
import { createRequire } from "node:module";
import tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { firstBlur } from "../../features/first-blur.js";
import { openCvGray } from "../../features/gray.js";
import { randomPicture } from "./images.js";

interface Mat {
  readonly data: Uint8Array;
  readonly data32F: Float32Array;
  convertTo(into: Mat, type: number): void;
  delete(): void;
}

/** What is used of it: the package's own types are TypeScript source that our settings refuse. */
interface OpenCv {
  readonly Mat: new () => Mat;
  readonly Size: new (width: number, height: number) => object;
  readonly CV_8UC3: number;
  readonly CV_32F: number;
  readonly COLOR_RGB2GRAY: number;
  readonly BORDER_REFLECT_101: number;
  readonly BORDER_REPLICATE: number;
  matFromArray(rows: number, cols: number, type: number, values: readonly number[]): Mat;
  cvtColor(from: Mat, into: Mat, code: number): void;
  GaussianBlur(from: Mat, into: Mat, size: object, sigmaX: number, sigmaY: number, border: number): void;
}

const { cv } = createRequire(import.meta.url)("opencv-wasm") as { readonly cv: OpenCv };

const SIZES = [
  [31, 40], // neither square nor even
  [7, 7], // every pixel sees a border
] as const;

/** OpenCV's gray levels of RGB pixels. */
function grayOfOpenCv(height: number, width: number, pixels: Uint8Array): Mat {
  const colour = cv.matFromArray(height, width, cv.CV_8UC3, Array.from(pixels));
  const gray = new cv.Mat();
  cv.cvtColor(colour, gray, cv.COLOR_RGB2GRAY);
  colour.delete();
  return gray;
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

test("gray levels are those of cvtColor, for every level of each channel and for mixed colours", () => {
  const ramps = Uint8Array.from({ length: 256 * 9 }, (_, i) => {
    const [level, ramp, channel] = [Math.floor(i / 3) % 256, Math.floor(i / 768), i % 3];
    return ramp === channel ? level : (level * (37 + 64 * ramp + channel)) % 256;
  });
  const want = grayOfOpenCv(3, 256, ramps);
  const got = openCvGray(tf.tensor4d(Float32Array.from(ramps), [1, 3, 256, 3])).dataSync();
  expect([...got]).toEqual([...want.data]);
  want.delete();
});

describe("the first blur is GaussianBlur with σ = √(1.6² - 0.5²), 13 taps, border REFLECT_101", () => {
  const sigma = Math.sqrt(1.6 ** 2 - 0.5 ** 2);

  test.each(SIZES)("%i × %i", (height, width) => {
    const { pixels } = randomPicture(5, height, width);
    const gray = grayOfOpenCv(height, width, pixels);
    const floats = new cv.Mat();
    gray.convertTo(floats, cv.CV_32F);
    const blurred = new cv.Mat();
    const blur = (border: number) => {
      cv.GaussianBlur(floats, blurred, new cv.Size(13, 13), sigma, sigma, border);
      return Float32Array.from(blurred.data32F);
    };
    const input = tf.tensor3d(Float32Array.from(gray.data), [1, height, width]);
    const got = firstBlur(input).dataSync();
    // Our taps are OpenCV's rounded to multiples of 2⁻¹⁶, so that flat regions stay exactly flat: measured, 0.00075 of 255.
    expect(largestDifference(got, blur(cv.BORDER_REFLECT_101))).toBeLessThan(0.002);
    // Another border is another result: the comparison can tell.
    expect(largestDifference(got, blur(cv.BORDER_REPLICATE))).toBeGreaterThan(0.3);
    for (const mat of [gray, floats, blurred]) mat.delete();
  });
});
