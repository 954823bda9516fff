import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { parseTarget } from "../../features/targets.js";
import { whyNoWebGpu } from "../compile/webgpu.js";
import { describePictures, maxDifference, picture, randomPicture } from "./images.js";
import { naiveSift } from "./naive-sift.js";

const upright = parseTarget("sift");
const turned = parseTarget("sift:opencv");
const token = (tokens: Float32Array, index: number): number[] =>
  Array.from(tokens.subarray(index * 128, index * 128 + 128));
/** Shares of one orientation over all 16 bins. */
const orientationTotals = (values: readonly number[]): number[] =>
  Array.from({ length: 8 }, (_, o) => values.reduce((sum, v, i) => sum + (i % 8 === o ? v : 0), 0));

describe("sift", () => {
  test("equals a pixel-by-pixel version, whatever the shape, batch and cell", async () => {
    for (const [height, width, rows, cols] of [
      [64, 64, 4, 4],
      [48, 80, 3, 5],
      [40, 60, 4, 6],
    ] as const) {
      const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
      const got = await describePictures(upright, pictures, [rows, cols]);
      const want = pictures.flatMap((image) => naiveSift(image, [rows, cols], 0));
      const off = Array.from(got, (v, i) => Math.abs(v - want[i]!));
      expect(Math.max(...off)).toBeLessThanOrEqual(1); // a half may round either way
      expect(off.filter((v) => v > 0).length / off.length).toBeLessThan(0.005);
    }
  });

  test("sift:opencv equals the pixel-by-pixel version of a frame that is turned by 361°", async () => {
    const pictures = [4, 5].map((seed) => randomPicture(seed, 64, 96));
    const got = await describePictures(turned, pictures, [4, 6]);
    const want = pictures.flatMap((image) => naiveSift(image, [4, 6], 361));
    const off = Array.from(got, (v, i) => Math.abs(v - want[i]!));
    expect(off.reduce((a, b) => a + b) / off.length).toBeLessThan(0.1);
    expect(Math.max(...off)).toBeLessThanOrEqual(2);
    const notTurned = pictures.flatMap((image) => naiveSift(image, [4, 6], 0));
    expect(maxDifference(got, notTurned)).toBeGreaterThan(5);
  });

  test("equals OpenCV 5.0 on a published picture", async () => {
    const image = picture(256, 256, (y, x, c) => {
      if (c === 0) return (3 * x + 5 * y + 90 * ((Math.floor(x / 24) + Math.floor(y / 40)) % 2)) % 256;
      return c === 1 ? Math.floor((x * y) / 64) % 256 : Math.floor((x * x + 2 * y * y) / 128) % 256;
    });
    const tokens = await describePictures(turned, [image], [16, 16]);
    const want = [13, 3, 18, 23, 5, 6, 18, 45, 23, 4, 27, 46, 3, 2, 26, 66];
    expect(token(tokens, 136).slice(0, 16)).toEqual(want);
  });

  test("an edge votes for its own direction: brighter to the right is 0, brighter upwards is 2", async () => {
    const total = async (colour: (y: number, x: number) => number) =>
      orientationTotals(token(await describePictures(upright, [picture(64, 64, colour)], [1, 1]), 0));
    for (const [colour, direction] of [
      [(_: number, x: number) => 2 * x, 0],
      [(y: number, x: number) => x + (63 - y), 1],
      [(y: number) => 2 * (63 - y), 2],
      [(_: number, x: number) => 2 * (63 - x), 4],
      [(y: number) => 2 * y, 6],
    ] as const) {
      const totals = await total(colour);
      const sum = totals.reduce((a, b) => a + b);
      expect(totals[direction]! / sum).toBeGreaterThan(0.9);
    }
  });

  test("does not see brightness, nor the sign of contrast beyond turning it half round", async () => {
    const image = randomPicture(7, 64, 64);
    const dark = { ...image, pixels: image.pixels.map((v) => Math.floor(v / 2)) };
    const base = { ...image, pixels: dark.pixels.map((v) => v * 2) };
    const brighter = { ...image, pixels: dark.pixels.map((v) => v * 2 + 1) };
    const [a, b] = [
      await describePictures(upright, [base], [4, 4]),
      await describePictures(upright, [brighter], [4, 4]),
    ];
    expect(maxDifference(a, b)).toBe(0);
    const negative = { ...image, pixels: image.pixels.map((v) => 255 - v) };
    const plain = await describePictures(upright, [image], [4, 4]);
    const inverted = await describePictures(upright, [negative], [4, 4]);
    const want = plain.map((_, i) => plain[i - (i % 8) + ((i + 4) % 8)]!);
    expect(maxDifference(inverted, want)).toBeLessThanOrEqual(3); // gray levels round the other way round
  });

  test("a mirrored picture has mirrored tokens, bins and orientations", async () => {
    const image = randomPicture(8, 64, 64);
    // Cells are centred on pixel 8, 24, …: mirroring about them shifts the picture by one pixel.
    const mirrored = picture(64, 64, (y, x, c) => image.pixels[(y * 64 + Math.min(63, 64 - x)) * 3 + c]!);
    const a = await describePictures(upright, [image], [4, 4]);
    const b = await describePictures(upright, [mirrored], [4, 4]);
    let sum = 0;
    for (let i = 0; i < a.length; i++) {
      const [t, bin, o] = [Math.floor(i / 128), Math.floor((i % 128) / 8), i % 8];
      const other = (t - (t % 4) + 3 - (t % 4)) * 128 + (bin - (bin % 4) + 3 - (bin % 4)) * 8 + ((12 - o) % 8);
      sum += Math.abs(a[i]! - b[other]!);
    }
    expect(sum / a.length).toBeLessThan(2.5); // one column at the border differs
  });

  test("flat pictures have zero tokens; others have a norm of about 512 and whole numbers up to 255", async () => {
    const flat = picture(64, 64, () => 77);
    expect(maxDifference(await describePictures(upright, [flat], [4, 4]), new Float32Array(16 * 128))).toBe(0);
    const tokens = await describePictures(upright, [randomPicture(9, 64, 64)], [4, 4]);
    expect(tokens.every((v) => Number.isInteger(v) && v >= 0 && v <= 255)).toBe(true);
    for (let t = 0; t < 16; t++) {
      const norm = Math.hypot(...token(tokens, t));
      expect(norm).toBeGreaterThan(480);
      expect(norm).toBeLessThan(530);
    }
  });

  test("runs the same eagerly", async () => {
    const images = [randomPicture(10, 48, 48)];
    const compiled = await describePictures(upright, images, [3, 3]);
    const eager = await describePictures(upright, images, [3, 3], "tfjs-cpu");
    expect(maxDifference(compiled, eager)).toBeLessThanOrEqual(1);
  });

  test.skipIf(whyNoWebGpu !== "")(`a batch on webgpu equals the CPU's ${whyNoWebGpu}`, async () => {
    const images = [11, 12].map((seed) => randomPicture(seed, 64, 64));
    const cpu = await describePictures(upright, images, [4, 4]);
    const gpu = await describePictures(upright, images, [4, 4], "webgpu");
    const off = Array.from(cpu, (v, i) => Math.abs(v - gpu[i]!));
    expect(Math.max(...off)).toBeLessThanOrEqual(1); // a whole number of 0…255 may round either way
    expect(off.reduce((a, b) => a + b) / off.length).toBeLessThan(1e-3 * 255);
  });

  test("says what it cannot take", async () => {
    await expect(describePictures(upright, [picture(2, 64, () => 0)], [1, 4])).rejects.toThrow(ShapeError);
    await expect(describePictures(turned, [picture(64, 60, () => 0)], [4, 4])).rejects.toThrow(/square cells/);
  });
});
