import { expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import type { Grid } from "../../features/descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";
import { CASES, mirroredGrayOf, pixelsOfCells } from "./naive-cells.js";

/** Each filter as a square of complex numbers of sum 0, put on every pixel. */
function naiveGabor(image: Picture, grid: Grid, scales: number, orientations: number): number[] {
  const gray = mirroredGrayOf(image);
  const { height, width } = image;
  const magnitudes: number[][] = [];
  for (let s = 0; s < scales; s++) {
    const frequency = 0.4 * 0.5 ** s;
    const sigma = ((1 / Math.PI) * Math.sqrt(Math.log(2) / 2) * (2 + 1)) / (2 - 1) / frequency;
    const reach = Math.ceil(3 * sigma);
    for (let o = 0; o < orientations; o++) {
      const angle = (Math.PI * o) / orientations;
      const taps: { u: number; v: number; weight: number; re: number; im: number }[] = [];
      for (let v = -reach; v <= reach; v++) {
        for (let u = -reach; u <= reach; u++) {
          const weight = Math.exp(-(u * u + v * v) / (2 * sigma * sigma));
          const phase = 2 * Math.PI * frequency * (u * Math.cos(angle) - v * Math.sin(angle));
          taps.push({ u, v, weight, re: weight * Math.cos(phase), im: weight * Math.sin(phase) });
        }
      }
      const sum = (of: "weight" | "re" | "im") => taps.reduce((total, tap) => total + tap[of], 0);
      const [all, constant] = [sum("weight"), sum("re")];
      for (const tap of taps) {
        tap.re = (tap.re - (tap.weight * constant) / all) / all;
        tap.im /= all;
      }
      magnitudes.push(
        Array.from({ length: height * width }, (_, i) => {
          let [re, im] = [0, 0];
          for (const tap of taps) {
            const level = gray(Math.floor(i / width) + tap.v, (i % width) + tap.u) / 255;
            re += tap.re * level;
            im += tap.im * level;
          }
          return Math.hypot(re, im);
        }),
      );
    }
  }
  return pixelsOfCells(image, grid).flatMap((pixels) =>
    magnitudes.flatMap((map) => {
      const mean = pixels.reduce((sum, { y, x, share }) => sum + share * map[y * width + x]!, 0);
      const variance = pixels.reduce((sum, { y, x, share }) => sum + share * (map[y * width + x]! - mean) ** 2, 0);
      return [mean, Math.sqrt(variance)];
    }),
  );
}

test("equals complex filters on every pixel", async () => {
  for (const [height, width, grid] of CASES) {
    const image = randomPicture(1, height, width);
    const got = await describePictures(parseTarget("gabor:scales=2,orientations=3"), [image], grid);
    expect(maxDifference(got, naiveGabor(image, grid, 2, 3))).toBeLessThan(2e-5);
  }
});

test("a wave answers at its own scale and direction, with half of its amplitude", async () => {
  const dim = 48;
  for (const [scale, orientation] of [
    [1, 0],
    [2, 1],
    [1, 4],
  ] as const) {
    const frequency = 0.4 / 2 ** scale;
    const angle = (Math.PI * orientation) / 6; // counter-clockwise, and y runs downwards
    const wave = picture(64, 64, (y, x) => {
      return 128 + 100 * Math.cos(2 * Math.PI * frequency * (x * Math.cos(angle) - y * Math.sin(angle)));
    });
    const tokens = await describePictures(parseTarget("gabor"), [wave], [4, 4]);
    const inner = tokens.subarray(5 * dim, 6 * dim);
    const means = Array.from({ length: 24 }, (_, filter) => inner[2 * filter]!);
    const best = means.indexOf(Math.max(...means));
    expect([Math.floor(best / 6), best % 6]).toEqual([scale, orientation]);
    expect(means[best]).toBeCloseTo(100 / 255 / 2, 2);
  }
});

test("does not see brightness; flat pictures have magnitudes of zero", async () => {
  const image = randomPicture(2, 32, 32);
  const half = { ...image, pixels: image.pixels.map((_, i) => image.pixels[i - (i % 3)]! >> 1) };
  const bright = { ...half, pixels: half.pixels.map((v) => v + 100) };
  const flat = picture(32, 32, () => 255);
  const tokens = await describePictures(parseTarget("gabor"), [half, bright, flat], [2, 2]);
  expect(maxDifference(tokens.subarray(0, 192), tokens.subarray(192, 384))).toBeLessThan(1e-5);
  expect(maxDifference(tokens.subarray(384), new Float32Array(192))).toBeLessThan(1e-5);
});

test("options are part of the name unless they are the defaults", async () => {
  expect(parseTarget("gabor:orientations=8,scales=4").name).toBe("gabor:orientations=8");
  expect(parseTarget("gabor:orientations=8").dim).toBe(64);
  expect(() => parseTarget("gabor:scales=9")).toThrow(/want scales=1\.\.6/);
  await expect(describePictures(parseTarget("gabor"), [picture(8, 8, () => 0)], [1, 9])).rejects.toThrow(ShapeError);
});
