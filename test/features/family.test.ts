/** @file What every tensor program of the classical family must do: the same on every device, and for any grid. */
import { describe, expect, test } from "vitest";
import { parseTarget } from "../../features/targets.js";
import { whyNoWebGpu } from "../compile/webgpu.js";
import { describePictures, maxDifference, randomPicture } from "./images.js";

const PROGRAMS = [
  "daisy",
  "lbp",
  "lbp:riu2",
  "gabor",
  "moments",
  "opponent",
  "dct",
  "dct:colour,keep=9,size=4",
  "haar",
  "haar:colour,levels=2",
  "pixels",
  "pixels:size=3",
  "pyramid2(lbp)",
] as const;

/** A software GPU takes seconds for each: these have all kinds of operations that the others have. */
const ON_WEBGPU: readonly string[] = ["daisy", "lbp", "moments"];

/** Cube roots of third moments that are nearly nothing. */
const tolerance = (target: string): number => (target === "moments" ? 1e-3 : 5e-5);

describe.each(PROGRAMS)("%s", (target) => {
  const descriptor = parseTarget(target);
  const pictures = [1, 2, 3].map((seed) => randomPicture(seed, 21, 34));

  test("compiled equals eager, on a batch that is not full and on broken cells", async () => {
    const compiled = await describePictures(descriptor, pictures, [3, 4]);
    expect(compiled).toHaveLength(3 * 12 * descriptor.dim);
    const eager = await describePictures(descriptor, pictures, [3, 4], "tfjs-cpu");
    expect(maxDifference(compiled, eager)).toBeLessThan(tolerance(target));
  });

  test("takes one cell and cells of one pixel", async () => {
    const small = [randomPicture(4, 5, 8)];
    for (const grid of [
      [1, 1],
      [5, 8],
    ] as const) {
      const tokens = await describePictures(descriptor, small, grid);
      expect(tokens.every(Number.isFinite)).toBe(true);
      expect(tokens.some((v) => v !== 0)).toBe(true);
    }
  });

  test.skipIf(whyNoWebGpu !== "" || !ON_WEBGPU.includes(target))(`webgpu equals the CPU ${whyNoWebGpu}`, async () => {
    const cpu = await describePictures(descriptor, pictures, [3, 4]);
    const gpu = await describePictures(descriptor, pictures, [3, 4], "webgpu");
    // A comparison of LBP that ties may be decided by a rounding.
    const off = Array.from(cpu, (v, i) => Math.abs(v - gpu[i]!)).sort((a, b) => a - b);
    expect(off[Math.floor(0.99 * off.length)]).toBeLessThan(1e-3);
  });
});
