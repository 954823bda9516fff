/** @file ORB, BRISK, AKAZE and KAZE on the grid. */
import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { loadOpenCv } from "../../features/opencv.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";
import { turned } from "./naive-cells.js";

const NAMES = ["orb", "brisk", "akaze", "kaze"] as const;
const BINARY = ["orb", "brisk", "akaze"] as const;

/** The middle of a larger picture, so that no key point of the larger one is near its border. */
function crop({ width, pixels }: Picture, top: number, left: number, height: number, breadth: number): Picture {
  return picture(height, breadth, (y, x, c) => pixels[((top + y) * width + left + x) * 3 + c]!);
}

const share = (a: Float32Array, b: ArrayLike<number>): number => a.filter((v, i) => v !== b[i]).length / a.length;

describe.each(NAMES)("%s", (name) => {
  test("has the documented width, for any shape, grid and octave", async () => {
    for (const octave of [0, 1, 2]) {
      const descriptor = parseTarget(octave === 0 ? name : `${name}:octave=${octave}`);
      expect(descriptor.dim).toBe({ orb: 256, brisk: 512, akaze: 486, kaze: 64 }[name]);
      const tokens = await describePictures(descriptor, [randomPicture(1, 31, 40)], [3, 4]);
      expect(tokens).toHaveLength(12 * descriptor.dim);
      expect(tokens.every(Number.isFinite)).toBe(true);
      for (let t = 0; t < 12; t++) {
        expect(tokens.subarray(t * descriptor.dim, (t + 1) * descriptor.dim).some((v) => v !== 0)).toBe(true);
      }
    }
  });

  test("flat pictures have finite tokens", async () => {
    const { dim } = parseTarget(name);
    const tokens = await describePictures(parseTarget(name), [picture(32, 32, () => 90)], [2, 2]);
    expect(tokens.every(Number.isFinite)).toBe(true);
    // BRISK's sums between pixels are rounded, so that its bits of a flat picture are noise.
    if (name === "brisk") return;
    for (let t = 1; t < 4; t++) {
      expect(maxDifference(tokens.subarray(0, dim), tokens.subarray(t * dim, (t + 1) * dim))).toBe(0);
    }
  });

  test("images do not see each other", async () => {
    const pictures = [2, 3].map((seed) => randomPicture(seed, 32, 32));
    const together = await describePictures(parseTarget(name), pictures, [2, 2]);
    const alone = await describePictures(parseTarget(name), [pictures[1]!], [2, 2]);
    expect(maxDifference(together.subarray(alone.length), alone)).toBe(0);
  });

  test("says what it cannot take", async () => {
    await expect(describePictures(parseTarget(name), [picture(8, 8, () => 0)], [9, 1])).rejects.toThrow(ShapeError);
    expect(() => parseTarget(`${name}:octave=3`)).toThrow(/want octave=0\.\.2/);
  });
});

test.each(BINARY)("%s: bits are what OpenCV gives for the same key points away from the border", async (name) => {
  const image = randomPicture(4, 176, 176);
  const side = 16; // of the cells
  const all = await describePictures(parseTarget(name), [image], [11, 11]);
  const cv = loadOpenCv();
  const colour = new cv.Mat(176, 176, cv.CV_8UC3);
  const [gray, descriptors, points] = [new cv.Mat(), new cv.Mat(), new cv.KeyPointVector()];
  colour.data.set(image.pixels);
  cv.cvtColor(colour, gray, cv.COLOR_RGB2GRAY);
  const cells = [4, 5, 6].flatMap((row) => [4, 5, 6].map((col) => row * 11 + col));
  for (const cell of cells) {
    const pt = { x: ((cell % 11) + 0.5) * side - 0.5, y: (Math.floor(cell / 11) + 0.5) * side - 0.5 };
    const size = { orb: 31, brisk: 12, akaze: 4.8 }[name];
    points.push_back({ pt, size, angle: name === "brisk" ? -1 : 0, octave: 0, class_id: 0, response: 0 });
  }
  const algorithm = {
    orb: () => new cv.ORB(500, 1.2, 8),
    brisk: () => new cv.BRISK(),
    akaze: () => new cv.AKAZE(),
  }[name]();
  algorithm.compute(gray, points, descriptors);
  expect(descriptors.rows).toBe(9);
  const { dim } = parseTarget(name);
  for (const [i, cell] of cells.entries()) {
    const bytes = descriptors.data.subarray(i * descriptors.cols, (i + 1) * descriptors.cols);
    const want = [...bytes].flatMap((byte) => [...byte.toString(2).padStart(8, "0")].reverse().map(Number));
    const off = share(all.subarray(cell * dim, (cell + 1) * dim), want.slice(0, dim));
    // AKAZE's smoothing depends on all of the image, and so a little on what is around it.
    expect(off).toBeLessThanOrEqual(name === "akaze" ? 0.05 : 0);
  }
  for (const owned of [colour, gray, descriptors, points, algorithm]) owned.delete();
});

test.each(["orb", "akaze"] as const)("%s: a negative has the opposite bits, less brightness the same", async (name) => {
  const image = randomPicture(5, 64, 64);
  const gray = { ...image, pixels: image.pixels.map((_, i) => image.pixels[i - (i % 3)]!) };
  const negative = { ...gray, pixels: gray.pixels.map((v) => 255 - v) };
  const darker = { ...gray, pixels: gray.pixels.map((v) => Math.max(v, 40) - 40) };
  const lighter = { ...gray, pixels: gray.pixels.map((v) => Math.max(v, 40)) };
  const [plain, opposite, a, b] = await Promise.all(
    [gray, negative, darker, lighter].map((one) => describePictures(parseTarget(name), [one], [4, 4])),
  );
  expect(
    share(
      opposite!,
      plain!.map((v) => 1 - v),
    ),
  ).toBeLessThan(0.03); // what ties, ties both ways
  expect(share(opposite!, plain!)).toBeGreaterThan(0.9);
  expect(share(a!, b!)).toBeLessThan(0.005);
});

test("orb moves with the image by whole cells", async () => {
  const large = randomPicture(6, 160, 160);
  const [here, there] = [crop(large, 0, 0, 144, 144), crop(large, 16, 16, 144, 144)];
  const tokens = await describePictures(parseTarget("orb"), [here, there], [9, 9]);
  const token = (index: number, row: number, col: number): Float32Array =>
    tokens.subarray((index * 81 + row * 9 + col) * 256, (index * 81 + row * 9 + col + 1) * 256);
  for (const [row, col] of [
    [3, 3],
    [4, 5],
    [5, 3],
  ] as const) {
    expect(share(token(0, row + 1, col + 1), token(1, row, col))).toBe(0);
    expect(share(token(0, row, col), token(1, row, col))).toBeGreaterThan(0.1);
  }
});

test("brisk does not see a quarter turn; orb does", async () => {
  const image = randomPicture(7, 96, 96);
  const tokens = async (name: string) => {
    const both = await describePictures(parseTarget(name), [image, turned(image)], [1, 1]);
    return share(both.subarray(0, both.length / 2), both.subarray(both.length / 2));
  };
  expect(await tokens("brisk")).toBeLessThan(0.05);
  expect(await tokens("orb")).toBeGreaterThan(0.2);
});

test("kaze: unit length; a negative has the negative sums and the same absolute ones", async () => {
  const image = randomPicture(8, 64, 64);
  const gray = { ...image, pixels: image.pixels.map((_, i) => image.pixels[i - (i % 3)]!) };
  const negative = { ...gray, pixels: gray.pixels.map((v) => 255 - v) };
  const tokens = await describePictures(parseTarget("kaze"), [gray, negative], [2, 2]);
  const [plain, other] = [tokens.subarray(0, 256), tokens.subarray(256)];
  for (let t = 0; t < 4; t++) expect(Math.hypot(...plain.subarray(t * 64, (t + 1) * 64))).toBeCloseTo(1, 5);
  const want = plain.map((v, i) => (i % 4 < 2 ? -v : v));
  expect(maxDifference(other, want)).toBeLessThan(1e-3);
});

test("loading OpenCV leaves the process's handling of errors alone", () => {
  loadOpenCv();
  const listeners = [...process.listeners("unhandledRejection"), ...process.listeners("uncaughtException")];
  expect(listeners.some((listener) => /abort|ExitStatus/.test(String(listener)))).toBe(false);
});
