import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import { openDescriber } from "../../features/describer.js";
import { loadFitSample } from "../../features/fit-descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { randomPicture } from "./images.js";

const SIZE_PX = 64;
const COUNT = 21;
const options = { imageSizePx: SIZE_PX, grid: 4, batch: 8, threads: 3 };

const images = Uint8Array.from(
  Array.from({ length: COUNT }, (_, seed) => randomPicture(seed, SIZE_PX, SIZE_PX).pixels).flatMap((pixels) => [
    ...pixels,
  ]),
);

describe("openDescriber", () => {
  test("worker threads give the same tokens to the bit, in the order of the images, of several targets at once", async () => {
    const targets = ["sift", "hog", "orb"];
    const describer = await openDescriber(targets.map(parseTarget), options);
    try {
      // Two calls at once, of which the second begins elsewhere.
      const from = 5 * SIZE_PX ** 2 * 3;
      const [all, part] = await Promise.all([
        describer.describe(images, COUNT),
        describer.describe(images.subarray(from), COUNT - 5),
      ]);
      for (const [i, target] of targets.entries()) {
        const computer = await openFeatureComputer(parseTarget(target), { ...options, threads: 1 });
        const want = await computer.compute(images, COUNT);
        await computer.dispose();
        expect([...all[i]!], target).toEqual([...want]);
        expect([...part[i]!], target).toEqual([...want.subarray((want.length / COUNT) * 5)]);
      }
    } finally {
      await describer.dispose();
    }
  });

  test("workers fit what has to be fitted to the sample that they are given", async () => {
    const descriptor = parseTarget("pca3(hog)");
    const source = {
      length: COUNT,
      load: async (row: number) => images.subarray(row * SIZE_PX ** 2 * 3, (row + 1) * SIZE_PX ** 2 * 3),
    };
    const sample = await loadFitSample(source as never, SIZE_PX);
    const describer = await openDescriber([descriptor], { ...options, sample });
    const [got] = await describer.describe(images, COUNT);
    await describer.dispose();
    const fitted = await descriptor.fit!(images, COUNT, { ...options, threads: 1 });
    const computer = await openFeatureComputer(fitted, { ...options, threads: 1 });
    const want = await computer.compute(images, COUNT);
    await computer.dispose();
    expect([...got!]).toEqual([...want]);
    expect(want.some((value) => Math.abs(value) > 0.01)).toBe(true);
  });

  test("says what a worker cannot make ready, and ends it", async () => {
    // The first is traced here, the second is opened in the worker.
    for (const target of ["hog", "blur1(hog)"]) {
      const opening = openDescriber([parseTarget(target)], { ...options, imageSizePx: 6, grid: 1 });
      await expect(opening, target).rejects.toThrow(/^hog: an image of 6 px has no block/);
    }
  });

  test("refuses other sizes before a worker sees them", async () => {
    const describer = await openDescriber([parseTarget("sift")], { ...options, threads: 1 });
    await expect(describer.describe(images, COUNT + 1)).rejects.toThrow(ShapeError);
    await describer.dispose();
  });
});
