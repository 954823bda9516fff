import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../../data/errors.js";
import { encodeSafetensors } from "../../data/safetensors.js";
import { generationMetricsSuite } from "../../src/parity/suites/generation-metrics.js";

const golden = path.resolve(import.meta.dirname, "../../../shared/golden");
const files = ["generation-metrics.safetensors", "generation-metrics.json"] as const;
const isHere = files.every((file) => existsSync(path.join(golden, file)));

describe.skipIf(!isHere)(
  "generation metrics against the reference (skipped where there is no ../shared/golden)",
  () => {
    test("every number is within its tolerance", async () => {
      const lines = await generationMetricsSuite.run(golden);
      expect(lines).toHaveLength(13);
      for (const { key, error, tolerance } of lines) expect(error, key).toBeLessThanOrEqual(tolerance);
    });

    test("a number that is off by a thousandth is found", async () => {
      const folder = await mkdtemp(path.join(tmpdir(), "descry-"));
      try {
        await copyFile(path.join(golden, files[0]), path.join(folder, files[0]));
        const numbers = JSON.parse(await readFile(path.join(golden, files[1]), "utf8"));
        for (const metrics of Object.values<Record<string, unknown>>(numbers)) {
          for (const [name, value] of Object.entries(metrics)) {
            if (typeof value === "number" && name !== "splits") metrics[name] = value * 1.001;
          }
        }
        await writeFile(path.join(folder, files[1]), JSON.stringify(numbers));
        const lines = await generationMetricsSuite.run(folder);
        const passed = lines.filter(({ error, tolerance }) => error <= tolerance).map(({ key }) => key);
        expect(passed).toEqual(["rank_deficient/fid"]); // of which the bound is a hundredth
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  },
);

describe("other folders of the layout", () => {
  let folder = "";
  const write = async (numbers: unknown) => writeFile(path.join(folder, files[1]), JSON.stringify(numbers));

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "descry-"));
    const tensors = {
      "mine/real": { dtype: "F64" as const, shape: [2, 1], data: Float64Array.of(1, 3) },
      "mine/fake": { dtype: "F64" as const, shape: [2, 1], data: Float64Array.of(0, 2) },
      "score/probabilities": { dtype: "F32" as const, shape: [2, 2], data: Float32Array.of(1, 0, 0, 1) },
    };
    await writeFile(path.join(folder, files[0]), encodeSafetensors(tensors));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("may name cases and settings as they like", async () => {
    // Equal variances, means 1 apart; linear kernel xy + 1 by hand: 4 + 1 − (1 + 3 + 1 + 7)/2.
    await write({
      mine: { fid: 1, kid_poly1: -1, precision_k1: 0.5, recall_k1: 0.5 },
      score: { mean: 2, std: 0, splits: 1 },
    });
    const lines = await generationMetricsSuite.run(folder);
    const errors = Object.fromEntries(lines.map(({ key, error }) => [key, error]));
    expect(errors["mine/fid"]).toBeLessThan(1e-9);
    expect(errors["mine/kid_poly1"]).toBe(0);
    // Both radii are 2, so everything is covered: 1 against the 0.5 written here.
    expect([errors["mine/precision_k1"], errors["mine/recall_k1"]]).toEqual([1, 1]);
    expect([errors["score/mean"], errors["score/std"]]).toEqual([expect.closeTo(0, 12), expect.closeTo(0, 12)]);
  });

  test("what cannot be compared is a line that says why and never passes; the other cases go on", async () => {
    await write({
      mine: { fod: 1, fid: "big", kid_poly1: -1 },
      yours: { fid: 1 },
      none: { x: [1, 1], y: [1, 2], pearson: 1 },
      score: { splits: 1 },
    });
    expect(await generationMetricsSuite.run(folder)).toEqual([
      {
        key: "mine/fod",
        error: Number.NaN,
        tolerance: Number.NaN,
        detail: "descry has no such number",
        notBuilt: true,
      },
      { key: "mine/fid", error: Number.NaN, tolerance: Number.NaN, detail: "the reference's value is not a number" },
      { key: "mine/kid_poly1", error: 0, tolerance: 1e-4 },
      expect.objectContaining({
        key: "yours/(all)",
        error: Number.NaN,
        detail: expect.stringMatching(/"yours\/real" is missing/),
      }),
      expect.objectContaining({
        key: "none/(all)",
        error: Number.NaN,
        detail: expect.stringMatching(/all values of x are 1/),
      }),
      expect.objectContaining({ key: "score/(all)", error: Number.NaN, detail: "the case has no numbers to compare" }),
    ]);
  });

  test("a file that is no JSON is refused by name", async () => {
    await writeFile(path.join(folder, files[1]), "{");
    await expect(generationMetricsSuite.run(folder)).rejects.toThrow(DataError);
    await expect(generationMetricsSuite.run(folder)).rejects.toThrow(/generation-metrics.json: not JSON/);
  });
});
