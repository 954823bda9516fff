import { expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import type { Grid } from "../../features/descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";
import { CASES, grayOf, turned } from "./naive-cells.js";

/** The paper's definition, point by point: sums over the whole image under a round Gaussian. */
function naiveDaisy(image: Picture, [rows, cols]: Grid, radius: number, rings: number, points: number, bins: number) {
  const gray = grayOf(image);
  const { height, width } = image;
  const histogram = (centreY: number, centreX: number, sigma: number): number[] => {
    const [cy, cx] = [Math.min(Math.max(centreY, 0), height - 1), Math.min(Math.max(centreX, 0), width - 1)];
    const sums = new Array<number>(bins).fill(0);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const weight = Math.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * sigma * sigma));
        const [right, up] = [gray(y, x + 1) - gray(y, x - 1), gray(y - 1, x) - gray(y + 1, x)];
        for (let o = 0; o < bins; o++) {
          const angle = (2 * Math.PI * o) / bins;
          sums[o]! += weight * Math.max(0, right * Math.cos(angle) + up * Math.sin(angle));
        }
      }
    }
    const norm = Math.hypot(...sums);
    return sums.map((v) => (norm === 0 ? 0 : v / norm));
  };
  const tokens: number[] = [];
  for (let t = 0; t < rows * cols; t++) {
    const y = ((Math.floor(t / cols) + 0.5) * height) / rows - 0.5;
    const x = (((t % cols) + 0.5) * width) / cols - 0.5;
    tokens.push(...histogram(y, x, radius / rings / 2));
    for (let ring = 1; ring <= rings; ring++) {
      const distance = (radius * ring) / rings;
      for (let point = 0; point < points; point++) {
        const angle = (2 * Math.PI * point) / points;
        tokens.push(...histogram(y - distance * Math.sin(angle), x + distance * Math.cos(angle), distance / 2));
      }
    }
  }
  return tokens;
}

test("equals sums under round Gaussians", async () => {
  for (const [height, width, grid] of CASES) {
    const image = randomPicture(1, height, width);
    const got = await describePictures(parseTarget("daisy"), [image], grid);
    expect(maxDifference(got, naiveDaisy(image, grid, 15, 3, 8, 8))).toBeLessThan(1e-4); // Gaussians are cut off at 5 σ
  }
  const image = randomPicture(2, 24, 40);
  const odd = parseTarget("daisy:orientations=5,radius=6,rings=2,points=3");
  expect([odd.name, odd.dim]).toEqual(["daisy:radius=6,rings=2,points=3,orientations=5", 35]);
  const got = await describePictures(odd, [image], [3, 5]);
  expect(maxDifference(got, naiveDaisy(image, [3, 5], 6, 2, 3, 5))).toBeLessThan(1e-4);
});

test("does not see brightness and contrast; flat pictures are zero", async () => {
  const image = randomPicture(3, 32, 32);
  const half = { ...image, pixels: image.pixels.map((_, i) => image.pixels[i - (i % 3)]! >> 1) };
  const bright = { ...half, pixels: half.pixels.map((v) => 2 * v + 1) };
  const flat = picture(32, 32, () => 99);
  const tokens = await describePictures(parseTarget("daisy"), [half, bright, flat], [2, 2]);
  expect(maxDifference(tokens.subarray(0, 800), tokens.subarray(800, 1600))).toBeLessThan(1e-5);
  expect(maxDifference(tokens.subarray(1600), new Float32Array(800))).toBe(0);
});

test("a quarter turn of the picture turns points and orientations by two of eight", async () => {
  const image = randomPicture(4, 48, 48);
  const tokens = await describePictures(parseTarget("daisy"), [image, turned(image)], [1, 1]);
  const [plain, other] = [tokens.subarray(0, 200), tokens.subarray(200)];
  const want = Array.from({ length: 200 }, (_, i) => {
    const [histogram, o] = [Math.floor(i / 8), i % 8];
    const from = histogram === 0 ? 0 : 1 + 8 * Math.floor((histogram - 1) / 8) + ((histogram - 1 + 6) % 8);
    return plain[from * 8 + ((o + 6) % 8)]!;
  });
  expect(maxDifference(other, want)).toBeLessThan(1e-5);
  expect(maxDifference(other, plain)).toBeGreaterThan(0.1);
});

test("says what it cannot take", async () => {
  await expect(describePictures(parseTarget("daisy"), [picture(8, 8, () => 0)], [9, 1])).rejects.toThrow(ShapeError);
});
