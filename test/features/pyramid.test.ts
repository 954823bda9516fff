import { expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import { resampleTokens } from "../../features/resample-tokens.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";

/** Averages over areas that need not be whole pixels, then rounded. */
function smaller({ height, width, pixels }: Picture, tall: number, wide: number): Picture {
  const overlap = (pixel: number, i: number, from: number, to: number): number =>
    Math.max(0, Math.min(pixel + 1, ((i + 1) * from) / to) - Math.max(pixel, (i * from) / to));
  return picture(tall, wide, (y, x, c) => {
    let sum = 0;
    for (let row = Math.floor((y * height) / tall); row < Math.min(height, ((y + 1) * height) / tall); row++) {
      for (let col = Math.floor((x * width) / wide); col < Math.min(width, ((x + 1) * width) / wide); col++) {
        const area = overlap(row, y, height, tall) * overlap(col, x, width, wide);
        sum += (area * pixels[(row * width + col) * 3 + c]! * tall * wide) / (height * width);
      }
    }
    return sum;
  });
}

test.each([
  ["hog:d36_ppc8_cb2", 36, 96, 64, [6, 4]],
  ["daisy:radius=6,rings=1", 72, 50, 38, [5, 3]],
  ["sift", 128, 64, 64, [4, 4]],
] as const)(
  "pyramid3(%s) is the target of three images, resized to one grid",
  async (target, dim, height, width, grid) => {
    const images = [1, 2].map((seed) => randomPicture(seed, height, width));
    const got = await describePictures(parseTarget(`pyramid3(${target})`), images, grid);
    for (let level = 0; level < 3; level++) {
      const [tall, wide] = [Math.ceil(height / 2 ** level), Math.ceil(width / 2 ** level)];
      const small = [Math.ceil(grid[0] / 2 ** level), Math.ceil(grid[1] / 2 ** level)] as const;
      const own = await describePictures(
        parseTarget(target),
        images.map((image) => smaller(image, tall, wide)),
        small,
      );
      const want = resampleTokens(own, images.length, dim, small, grid);
      const channels = got.filter((_, i) => Math.floor((i % (3 * dim)) / dim) === level);
      const off = Array.from(channels, (v, i) => Math.abs(v - want[i]!)).sort((a, b) => b - a);
      // A mean that is half way between two gray levels may round either way; SIFT's tokens are 500 times as long.
      const unit = target === "sift" ? 512 : 1;
      expect(off[Math.floor(off.length / 100)]).toBeLessThan(0.005 * unit);
      expect(off[0]).toBeLessThan((level === 0 ? 1e-5 : 0.05) * unit);
    }
  },
);

test("halving a picture moves its tokens down one level", async () => {
  // Of pixels that are doubled, the smaller image is the picture itself.
  const image = randomPicture(3, 32, 32);
  const doubled = picture(64, 64, (y, x, c) => image.pixels[((y >> 1) * 32 + (x >> 1)) * 3 + c]!);
  const target = parseTarget("pyramid2(lbp)");
  const large = await describePictures(target, [doubled], [2, 2]);
  const small = await describePictures(parseTarget("lbp"), [image], [1, 1]);
  for (let token = 0; token < 4; token++) {
    expect(maxDifference(large.subarray(token * 118 + 59, token * 118 + 118), small)).toBeLessThan(1e-6);
  }
});

test("names, widths and what it cannot take", () => {
  expect(parseTarget("pyramid2( hog:cb4 )").name).toBe("pyramid2(hog)");
  expect(parseTarget("pyramid4(gabor)").dim).toBe(4 * 48);
  expect(parseTarget("pca64(pyramid3(lbp))").dim).toBe(64);
  for (const [target, message] of [
    ["pyramid(hog)", /wanted a number of scales of 2\.\.4/],
    ["pyramid9(hog)", /got "pyramid9"/],
    ["pyramid2(hog,sift)", /wanted one target in the parentheses/],
    ["pyramid2(orb)", /orb is no tensor program/],
  ] as const) {
    expect(() => parseTarget(target)).toThrow(UsageError);
    expect(() => parseTarget(target)).toThrow(message);
  }
});
