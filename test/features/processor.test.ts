/** @file The halves of a program for a processor against the whole program, which is the definition. */
import { describe, expect, test } from "vitest";
import { openImageSource } from "../../data/open-source.js";
import type { ProgramDescriptor } from "../../features/descriptor.js";
import { packColumns } from "../../features/packed-columns.js";
import { isPixelPassSmall } from "../../features/pixel-pass.js";
import { siftWindow } from "../../features/sift-window.js";
import { parseTarget } from "../../features/targets.js";
import { traceProgram } from "../../features/trace-program.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";

/** Five gray levels: half of the gradients are 0 or lie exactly on a border of two bins. */
const fewLevels = (seed: number, height: number, width: number): Picture => {
  const { pixels } = randomPicture(seed, height, width);
  return picture(height, width, (y, x) => 50 * Math.floor(pixels[3 * (y * width + x)]! / 51.2));
};

async function photograph(index: number, sizePx: number): Promise<Picture> {
  const source = await openImageSource("photos", { count: index + 1 });
  return { height: sizePx, width: sizePx, pixels: await source.load(index, sizePx) };
}

/** By the pass and what follows it, and by the whole program; both compiled for the processor. */
async function bothWays(target: string, pictures: readonly Picture[], grid: readonly [number, number]) {
  const descriptor = parseTarget(target) as ProgramDescriptor;
  const { height, width } = pictures[0]!;
  const options = { imageSizePx: [height, width] as const, grid, batch: 2 };
  const { onProcessor, ...whole } = descriptor;
  expect(traceProgram(descriptor, options).pass, target).toBeDefined();
  expect(traceProgram(whole, options).pass).toBeUndefined();
  return [await describePictures(descriptor, pictures, grid), await describePictures(whole, pictures, grid)] as const;
}

/** How far sums of votes may differ: SIFT's are of gray levels up to 255, HOG's blocks have norm 1. */
const tolerance = (target: string): number => (target.startsWith("sift") ? 0.02 : 2e-5);

describe("the halves of a program equal the whole", () => {
  test.each([
    // Nothing, one, two and three pixels behind whole vectors; the last batch is not full.
    { size: [48, 64], grid: [3, 4] },
    { size: [33, 45], grid: [3, 3] },
    { size: [54, 30], grid: [9, 5] },
    { size: [36, 27], grid: [4, 3] },
  ] as const)("on pictures of $size px, $grid tokens", async ({ size: [height, width], grid }) => {
    const pictures = [1, 2].map((seed) => randomPicture(seed, height, width)).concat(fewLevels(3, height, width));
    for (const target of ["sift:norm=none", "hog", "hog:d36_ppc8_cb2", "hog:d27_ppc3_cb3", "hog:g3_d12_ppc4_cb1"]) {
      const [halves, whole] = await bothWays(target, pictures, grid);
      expect(maxDifference(halves, whole), target).toBeLessThan(tolerance(target));
      expect(Math.max(...halves), target).toBeGreaterThan(0.1);
    }
  });

  test.each([
    "sift:norm=none",
    "sift:opencv,norm=none",
    "sift:angle=20,orientations=5,bins=3,norm=none",
    "sift:orientations=1,size=9,norm=none",
    "hog",
    "hog:d36_ppc8_cb2,norm=l1,transform_sqrt",
  ])("on photographs: %s", async (target) => {
    const [halves, whole] = await bothWays(target, [await photograph(4, 64), await photograph(5, 64)], [8, 8]);
    expect(maxDifference(halves, whole)).toBeLessThan(tolerance(target));
    expect(Math.max(...halves)).toBeGreaterThan(0.1);
  });
});

test("sift of images of 3 pixels, less than the blur reaches", async () => {
  const [halves, whole] = await bothWays("sift:norm=none", [randomPicture(5, 3, 3), randomPicture(6, 3, 3)], [1, 1]);
  expect(maxDifference(halves, whole)).toBeLessThan(1e-3);
  expect(Math.max(...halves)).toBeGreaterThan(0.05);
});

test("hog of images of one line, which have no gradient across it", async () => {
  for (const [height, width] of [
    [1, 9],
    [9, 1],
  ] as const) {
    const [halves, whole] = await bothWays("hog:d4_ppc1_cb1", [randomPicture(7, height, width)], [1, 1]);
    expect([...halves]).toEqual([...whole]);
  }
});

test("what no 32-bit memory holds goes the whole way", () => {
  const { pass } = (parseTarget("sift") as ProgramDescriptor).onProcessor!([64, 64], [4, 4]);
  expect(isPixelPassSmall(pass, 1, 64 * 64 * 3)).toBe(true);
  expect(isPixelPassSmall({ ...pass, shape: [2 ** 14, 2 ** 15] }, 1, 64 * 64 * 3)).toBe(false);
});

describe("columns in packs", () => {
  const window = (sizePx: number, grid: number) =>
    siftWindow([sizePx, sizePx], [grid, grid], { bins: 4, sizePx: undefined, turnDeg: 0 }).cols;

  test.each([
    [64, 4, 8, 4], // bins of 24 px, whose corners lie between packs from pixel -4 on
    [128, 4, 8, 0], // of 48 px: at multiples of 8
    [32, 4, 4, 0], // of 12 px: corners in every pack
    [31, 4, 4, 0],
  ])(
    "%d px on a grid of %d: packs of %d from pixel -%d on, and their product is the window",
    (sizePx, grid, packPx, leadPx) => {
      const matrix = window(sizePx, grid);
      const columns = packColumns(matrix);
      expect([columns.packPx, columns.leadPx]).toEqual([packPx, leadPx]);
      const { packed, weights } = columns;
      const product = matrix.values.map((_, i) => {
        const [row, at] = [Math.floor(i / sizePx), (i % sizePx) + leadPx];
        const first = row * packed.cols + 4 * Math.floor(at / packPx);
        return [0, 1, 2, 3].reduce((sum, k) => sum + packed.values[first + k]! * weights[4 * at + k]!, 0);
      });
      expect(maxDifference(product, matrix.values)).toBeLessThan(1.5e-6);
    },
  );
});
