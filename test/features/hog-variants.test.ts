import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, picture, randomPicture } from "./images.js";
import { naiveDalalHog, naiveUocttiCells } from "./naive-hog-variants.js";

describe("hog:dalal", () => {
  const defaults = { cell: 8, block: 2, orientations: 9, clip: 0.2, linear: false };
  test.each([
    ["hog:dalal", defaults],
    ["hog:dalal,linear,clip=0.4", { ...defaults, linear: true, clip: 0.4 }],
    ["hog:dalal,cell=6,block=3,orientations=5", { ...defaults, cell: 6, block: 3, orientations: 5 }],
    ["hog:dalal,orientations=2,block=1", { ...defaults, orientations: 2, block: 1 }],
  ])("%s equals a pixel-by-pixel version", async (target, options) => {
    for (const [height, width, rows, cols] of [
      [64, 64, 4, 4],
      [48, 80, 3, 5],
      [36, 60, 3, 2],
    ] as const) {
      const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
      const got = await describePictures(parseTarget(target), pictures, [rows, cols]);
      const want = pictures.flatMap((image) => naiveDalalHog(image, [rows, cols], options));
      expect(maxDifference(got, want)).toBeLessThan(1e-4);
    }
  });

  test("a mirrored picture has mirrored cells and orientations", async () => {
    const image = randomPicture(4, 64, 64);
    const mirrored = picture(64, 64, (y, x, c) => image.pixels[(y * 64 + 63 - x) * 3 + c]!);
    const a = await describePictures(parseTarget("hog:dalal,block=1"), [image], [4, 4]);
    const b = await describePictures(parseTarget("hog:dalal,block=1"), [mirrored], [4, 4]);
    let sum = 0;
    for (let i = 0; i < a.length; i++) {
      const [t, o] = [Math.floor(i / 9), i % 9];
      sum += Math.abs(a[i]! - b[(t - (t % 4) + 3 - (t % 4)) * 9 + 8 - o]!);
    }
    expect(sum / a.length).toBeLessThan(0.04); // the Gaussian is half a pixel off
  });

  test("flat pictures are zero; an image that is too small is refused", async () => {
    const flat = await describePictures(parseTarget("hog:dalal"), [picture(32, 32, () => 200)], [2, 2]);
    expect(maxDifference(flat, new Float32Array(4 * 36))).toBe(0);
    await expect(describePictures(parseTarget("hog:dalal"), [picture(2, 9, () => 0)], [1, 1])).rejects.toThrow(
      ShapeError,
    );
  });
});

describe("hog:uoctti", () => {
  test.each([
    ["hog:uoctti", 8, 9],
    ["hog:uoctti,cell=4,orientations=6", 4, 6],
  ])("%s equals features.cc written out", async (target, cell, orientations) => {
    for (const [height, width] of [
      [64, 64],
      [50, 85],
    ] as const) {
      const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
      const grid = [Math.floor(height / cell), Math.floor(width / cell)] as const;
      const got = await describePictures(parseTarget(target), pictures, grid);
      const want = pictures.flatMap((image) => naiveUocttiCells(image, cell, orientations).flat(2));
      expect(maxDifference(got, want)).toBeLessThan(1e-4);
    }
  });

  test("a token of two cells a side is the mean of the four", async () => {
    const image = randomPicture(5, 64, 96);
    const cells = naiveUocttiCells(image, 8, 9);
    const got = await describePictures(parseTarget("hog:uoctti"), [image], [4, 6]);
    const want = Array.from({ length: 31 }, (_, d) => {
      return (cells[2]![4]![d]! + cells[2]![5]![d]! + cells[3]![4]![d]! + cells[3]![5]![d]!) / 4;
    });
    expect(maxDifference(got.subarray(8 * 31, 9 * 31), want)).toBeLessThan(1e-4);
  });

  test("unsigned orientations are blind to the sign of contrast, signed ones turn half round", async () => {
    const image = randomPicture(6, 64, 64);
    const negative = { ...image, pixels: image.pixels.map((v) => 255 - v) };
    const a = await describePictures(parseTarget("hog:uoctti"), [image], [8, 8]);
    const b = await describePictures(parseTarget("hog:uoctti"), [negative], [8, 8]);
    const want = a.map((_, i) => (i % 31 < 18 ? a[i - (i % 31) + (((i % 31) + 9) % 18)]! : a[i]!));
    expect(maxDifference(b, want)).toBeLessThan(1e-5);
  });

  test("flat pictures are zero; an image without a cell is refused", async () => {
    const flat = await describePictures(parseTarget("hog:uoctti"), [picture(32, 32, () => 200)], [4, 4]);
    expect(maxDifference(flat, new Float32Array(16 * 31))).toBe(0);
    await expect(describePictures(parseTarget("hog:uoctti"), [picture(7, 64, () => 0)], [1, 4])).rejects.toThrow(
      ShapeError,
    );
  });
});
