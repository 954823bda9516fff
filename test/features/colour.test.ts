/** @file Colour moments and opponent-colour histograms. */
import { expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";
import { CASES, pixelsOfCells } from "./naive-cells.js";

const colourAt = ({ width, pixels }: Picture, y: number, x: number): number[] => [
  ...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

test("moments equal their definition written out", async () => {
  for (const [height, width, grid] of CASES) {
    const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
    const got = await describePictures(parseTarget("moments"), pictures, grid);
    const want = pictures.flatMap((image) =>
      pixelsOfCells(image, grid).flatMap((pixels) =>
        [0, 1, 2].flatMap((c) => {
          const expectation = (of: (level: number) => number): number =>
            pixels.reduce((sum, { y, x, share }) => sum + share * of(colourAt(image, y, x)[c]! / 255), 0);
          const mean = expectation((v) => v);
          return [mean, Math.sqrt(expectation((v) => (v - mean) ** 2)), Math.cbrt(expectation((v) => (v - mean) ** 3))];
        }),
      ),
    );
    expect(maxDifference(got, want)).toBeLessThan(1e-3); // a cube root of nearly nothing
    const off = Array.from(got, (v, i) => Math.abs(v - want[i]!)).sort((a, b) => a - b);
    expect(off[Math.floor(0.9 * off.length)]).toBeLessThan(1e-5);
  }
});

test("moments do not see where in a cell a pixel is; a negative has the negative skewness", async () => {
  const image = randomPicture(4, 32, 32);
  const mixed = picture(32, 32, (y, x, c) => image.pixels[((y ^ 5) * 32 + (x ^ 9)) * 3 + c]!); // within cells of 16
  const negative = { ...image, pixels: image.pixels.map((v) => 255 - v) };
  const tokens = await describePictures(parseTarget("moments"), [image, mixed, negative], [2, 2]);
  expect(maxDifference(tokens.subarray(0, 36), tokens.subarray(36, 72))).toBeLessThan(1e-4);
  const want = tokens.subarray(0, 36).map((v, i) => (i % 3 === 0 ? 1 - v : i % 3 === 1 ? v : -v));
  expect(maxDifference(tokens.subarray(72), want)).toBeLessThan(1e-4);
  expect(() => parseTarget("moments:hsv")).toThrow(/moments has no options/);
});

test.each([15, 4])("opponent histograms equal their definition written out, %i bins", async (bins) => {
  for (const [height, width, grid] of CASES) {
    const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
    const got = await describePictures(parseTarget(`opponent:bins=${bins}`), pictures, grid);
    const want = pictures.flatMap((image) =>
      pixelsOfCells(image, grid).flatMap((pixels) => {
        const counts = new Array<number>(3 * bins).fill(0);
        for (const { y, x, share } of pixels) {
          const [r, g, b] = colourAt(image, y, x) as [number, number, number];
          const bin = (value: number, values: number) => Math.floor((value * bins) / values);
          counts[bin(r - g + 255, 511)]! += share;
          counts[bins + bin(r + g - 2 * b + 510, 1021)]! += share;
          counts[2 * bins + bin(r + g + b, 766)]! += share;
        }
        return counts;
      }),
    );
    expect(maxDifference(got, want)).toBeLessThan(1e-5); // sums of a hundred shares in float32
  }
});

test("light that is added to all channels moves only the intensities; gray is in the middle", async () => {
  const image = picture(32, 32, (y, x, c) => 20 + ((7 * x + 3 * y * (c + 1)) % 100));
  const bright = { ...image, pixels: image.pixels.map((v) => v + 120) };
  const gray = picture(32, 32, (y, x) => (5 * (x + y)) % 256);
  const tokens = await describePictures(parseTarget("opponent"), [image, bright, gray], [1, 1]);
  const of = (index: number, first: number, last: number) => tokens.subarray(index * 45 + first, index * 45 + last);
  expect(maxDifference(of(0, 0, 30), of(1, 0, 30))).toBeLessThan(1e-6);
  expect(maxDifference(of(0, 30, 45), of(1, 30, 45))).toBeGreaterThan(0.1);
  expect([of(2, 7, 8)[0], of(2, 22, 23)[0]]).toEqual([1, 1]);
});

test("say what they cannot take", async () => {
  for (const target of ["moments", "opponent"]) {
    const many = describePictures(parseTarget(target), [picture(8, 8, () => 0)], [4, 9]);
    await expect(many).rejects.toThrow(ShapeError);
  }
});
