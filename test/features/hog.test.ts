import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { parseTarget } from "../../features/targets.js";
import { whyNoWebGpu } from "../compile/webgpu.js";
import { describePictures, maxDifference, picture, randomPicture } from "./images.js";
import { naiveHog } from "./naive-hog.js";

describe("hog", () => {
  test("equals scikit-image's definition written out, for other cells, blocks, grids and shapes", async () => {
    for (const [target, grid, [height, width], orientations, cellPx, blockCells] of [
      ["hog", [4, 4], [64, 64], 8, 2, 4],
      ["hog:d36_ppc8_cb2", [3, 5], [48, 80], 9, 8, 2],
      ["hog:d12_ppc4_cb1", [7, 7], [50, 50], 12, 4, 1],
      ["hog:d9_ppc3_cb3", [5, 4], [40, 37], 1, 3, 3],
    ] as const) {
      const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
      const got = await describePictures(parseTarget(target), pictures, grid);
      const want = pictures.flatMap((image) => naiveHog(image, grid, { orientations, cellPx, blockCells }));
      expect(maxDifference(got, want), target).toBeLessThan(2e-5);
    }
  });

  test("its own grid is resized to the one that is asked for", async () => {
    const image = randomPicture(4, 64, 64);
    const own = await describePictures(parseTarget("hog:g2"), [image], [2, 2]);
    const resized = await describePictures(parseTarget("hog:g2"), [image], [4, 4]);
    // Half-pixel centres: the outermost tokens of four from two repeat the corners.
    expect(maxDifference(resized.subarray(0, 128), own.subarray(0, 128))).toBeLessThan(1e-6);
    const second = Array.from({ length: 128 }, (_, d) => 0.75 * own[d]! + 0.25 * own[128 + d]!);
    expect(maxDifference(resized.subarray(128, 256), second)).toBeLessThan(1e-6);
  });

  test("bins are half directions: an edge and its negative vote alike, a vertical and a horizontal one do not", async () => {
    const of = async (colour: (y: number, x: number) => number) =>
      describePictures(parseTarget("hog:d8_ppc8_cb1"), [picture(64, 64, colour)], [4, 4]);
    const across = await of((_, x) => 3 * x);
    expect(maxDifference(await of((_, x) => 3 * (63 - x)), across)).toBeLessThan(1e-6);
    const down = await of((y) => 3 * y);
    const peak = (values: Float32Array) => values.subarray(5 * 8, 6 * 8).indexOf(Math.max(...values.subarray(40, 48)));
    expect(peak(across)).toBe(0);
    expect(peak(down)).toBe(4);
  });

  test("doubling the contrast changes next to nothing; flat pictures are zero, not NaN", async () => {
    const image = randomPicture(6, 64, 64);
    const dark = { ...image, pixels: image.pixels.map((v) => Math.floor(v / 2)) };
    const base = { ...image, pixels: dark.pixels.map((v) => v * 2) };
    const a = await describePictures(parseTarget("hog"), [dark], [4, 4]);
    const b = await describePictures(parseTarget("hog"), [base], [4, 4]);
    expect(maxDifference(a, b)).toBeLessThan(1e-3);
    const flat = await describePictures(parseTarget("hog"), [picture(64, 64, () => 200)], [4, 4]);
    expect(maxDifference(flat, new Float32Array(16 * 128))).toBe(0);
  });

  test("runs the same eagerly", async () => {
    const images = [randomPicture(10, 48, 48)];
    const compiled = await describePictures(parseTarget("hog"), images, [3, 3]);
    const eager = await describePictures(parseTarget("hog"), images, [3, 3], "tfjs-cpu");
    expect(maxDifference(compiled, eager)).toBeLessThan(1e-5);
  });

  test.skipIf(whyNoWebGpu !== "")(`a batch on webgpu equals the CPU's ${whyNoWebGpu}`, async () => {
    const images = [11, 12].map((seed) => randomPicture(seed, 64, 64));
    const cpu = await describePictures(parseTarget("hog"), images, [4, 4]);
    const gpu = await describePictures(parseTarget("hog"), images, [4, 4], "webgpu");
    expect(maxDifference(gpu, cpu)).toBeLessThan(1e-3);
  });

  test("says what it cannot take", async () => {
    await expect(describePictures(parseTarget("hog"), [picture(6, 64, () => 0)], [1, 4])).rejects.toThrow(ShapeError);
    expect(() => parseTarget("hog:d100")).toThrow(/multiple of cb² = 16.*for example d96/);
  });

  test.each([
    ["norm=l1", { norm: "L1" }],
    ["norm=l1-sqrt", { norm: "L1-sqrt" }],
    ["norm=l2", { norm: "L2" }],
    ["norm=l2-hys", { norm: "L2-Hys" }],
    ["norm=l2,transform_sqrt", { norm: "L2", transformSqrt: true }],
    ["transform_sqrt", { transformSqrt: true }],
  ] as const)("hog:d36_ppc8_cb2,%s equals scikit-image's definition", async (options, naive) => {
    const pictures = [1, 2].map((seed) => randomPicture(seed, 48, 80));
    const got = await describePictures(parseTarget(`hog:d36_ppc8_cb2,${options}`), pictures, [3, 5]);
    const layout = { orientations: 9, cellPx: 8, blockCells: 2 };
    const want = pictures.flatMap((image) => naiveHog(image, [3, 5], { ...layout, ...naive }));
    expect(maxDifference(got, want)).toBeLessThan(5e-5);
    const flat = await describePictures(parseTarget(`hog:d36_ppc8_cb2,${options}`), [picture(32, 32, () => 9)], [2, 2]);
    expect(maxDifference(flat, new Float32Array(4 * 36))).toBe(0);
  });

  test("canonical names, and refusals that help", () => {
    expect(parseTarget("hog:d128,transform_sqrt,norm=l1").name).toBe("hog:norm=l1,transform_sqrt");
    expect(parseTarget("hog:norm=l2-hys").name).toBe("hog:norm=l2-hys");
    expect(parseTarget("hog:cb2_d36,norm=l2").name).toBe("hog:d36_cb2,norm=l2");
    expect(parseTarget("hog:dalal,cell=8,clip=0.3").name).toBe("hog:dalal,clip=0.3");
    expect(parseTarget("hog:uoctti,orientations=9").name).toBe("hog:uoctti");
    for (const name of ["hog:norm=l1,transform_sqrt", "hog:dalal,clip=0.3", "hog:uoctti,cell=4"]) {
      expect(parseTarget(name).name).toBe(name);
    }
    expect(() => parseTarget("hog:norm=l3")).toThrow(/want norm=l1\|l1-sqrt\|l2\|l2-hys/);
    expect(() => parseTarget("hog:d36_cb2,root")).toThrow(/unknown option "root"/);
    expect(() => parseTarget("hog:dallal")).toThrow(/did you mean "dalal"/);
    expect(() => parseTarget("hog:dalal,cels=4")).toThrow(/did you mean "hog:dalal,cell=4"/);
  });
});
