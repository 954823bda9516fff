import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type SafeTensor, writeSafetensors } from "../../data/safetensors.js";
import { centreDisc } from "../../features/centre-disc.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import { spatialMetrics } from "../../features/spatial-metrics.js";
import { parseTarget } from "../../features/targets.js";
import { runParity } from "../../src/parity/parity.js";
import { absoluteError, relativeError } from "../../src/parity/suite.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-parity-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("errors", () => {
  test("are relative to the largest reference, or absolute where that is zero", () => {
    expect(relativeError([1, 2.5], [1, 2])).toBe(0.25);
    expect(relativeError([0.5], [0])).toBe(0.5);
    expect(absoluteError([1, -2], [1, 2])).toBe(4);
  });

  test("are infinite where they mean nothing, whatever follows", () => {
    expect(absoluteError([Number.NaN, 1], [0, 1])).toBe(Number.POSITIVE_INFINITY);
    expect(absoluteError([1], [1, 2])).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("a folder of another image, size and parameters", () => {
  const size = 96;
  const image = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 7 + ((i * i) >> 5)) % 256);
  const features = async (target: string, grid: number): Promise<SafeTensor> => {
    const descriptor = parseTarget(target);
    const computer = await openFeatureComputer(descriptor, { imageSizePx: size, grid, batch: 1 });
    const data = await computer.compute(image, 1);
    await computer.dispose();
    return { dtype: "F32", shape: [grid ** 2, descriptor.dim], data };
  };
  const pixels: SafeTensor = { dtype: "U8", shape: [size, size, 3], data: image };
  const write = (tensors: Record<string, SafeTensor>) =>
    writeSafetensors(join(folder, "descriptors.safetensors"), tensors);

  test("passes with the right numbers, fails with one that is wrong, and names what is not built", async () => {
    const hog = await features("hog:d36_ppc4_cb2", 6);
    const wrong = { ...hog, data: (hog.data as Float32Array).map((x, i) => (i === 7 ? x + 1e-3 : x)) };
    const sift = await features("sift", 6);
    await write({
      "a/b/image": pixels,
      "a/b/hog_g6_d36_ppc4_cb2": hog,
      "a/b/sift_opencv_angle0": sift,
      "c/image": pixels,
      "c/hog_g6_d36_ppc4_cb2": wrong,
      "c/sift_unheard_of": sift,
    });
    const lines = await runParity(folder);
    const status = Object.fromEntries(lines.map((line) => [line.tensor, line.status]));
    expect(status).toEqual({
      "a/b/hog_g6_d36_ppc4_cb2": "pass",
      "a/b/sift_opencv_angle0": "pass",
      "c/hog_g6_d36_ppc4_cb2": "fail",
      "c/sift_unheard_of": "not built",
    });
  });

  test("spatial metrics: right, wrong and unknown numbers", async () => {
    const hog = await features("hog:d36_ppc4_cb2", 8);
    await write({ "a/image": pixels, "a/hog": hog });
    const right = spatialMetrics(hog.data as Float32Array, [8, 8], centreDisc([8, 8]));
    const put = (metrics: unknown) =>
      writeFile(join(folder, "spatial-metrics.json"), JSON.stringify({ "a/hog": metrics }));
    const statuses = async () =>
      Object.fromEntries(
        (await runParity(folder))
          .filter(({ suite }) => suite === "spatial-metrics")
          .map((line) => [line.tensor, line.status]),
      );
    await put({ lds: right.lds, cds: right.cds + 0.01 });
    expect(await statuses()).toEqual({ "a/hog/lds": "pass", "a/hog/cds": "fail" });
    await put({ shine: 1 });
    expect(await statuses()).toEqual({ "(all)": "fail" });
  });

  test("a tensor without its image and a damaged file fail, in a line each", async () => {
    await write({ "a/sift_opencv_angle0": await features("sift", 6) });
    const [line] = await runParity(folder);
    expect(line).toMatchObject({ status: "fail", detail: expect.stringContaining("a/image is missing") });
    await writeFile(join(folder, "descriptors.safetensors"), "junk");
    await writeFile(join(folder, "jit.safetensors"), "not read");
    expect((await runParity(folder)).map(({ suite, status }) => [suite, status])).toEqual([
      ["descriptors", "fail"],
      ["jit", "not built"],
    ]);
  });
});

test("a folder that is missing or has nothing to replay is refused", async () => {
  await expect(runParity(join(folder, "none"))).rejects.toThrow("is not a folder");
  await expect(runParity(folder)).rejects.toThrow("has nothing to replay");
});
