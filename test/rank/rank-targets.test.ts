import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { centreDisc } from "../../features/centre-disc.js";
import { type SpatialMetrics, spatialMetrics } from "../../features/spatial-metrics.js";
import { parseTarget } from "../../features/targets.js";
import { RANK_METRICS } from "../../src/rank/metrics.js";
import { rankChart } from "../../src/rank/rank-chart.js";
import { type RankOptions, rankTargets } from "../../src/rank/rank-targets.js";
import { formatRankingTable } from "../../src/rank/ranking-table.js";
import { writeRanking } from "../../src/rank/write-ranking.js";
import { describePictures, randomPicture } from "../features/images.js";

const GRID = 8;
const T = GRID ** 2;
const SIZE = GRID * 16;
const IMAGES = 3;

const source: ImageSource = {
  name: "pictures",
  classes: ["all"],
  length: IMAGES,
  fingerprint: "f",
  skipped: [],
  id: (index) => `picture ${index}`,
  label: () => 0,
  load: async (index, sizePx) => randomPicture(index, sizePx, sizePx).pixels,
  close: async () => {},
};
const pictures = Array.from({ length: IMAGES }, (_, i) => randomPicture(i, SIZE, SIZE));

const rank = (changed: Partial<RankOptions> = {}) =>
  rankTargets({ source, targets: ["hog", "sift"], grid: GRID, alpha: 0.6, by: "lds", seed: 0, ...changed });

/** (x − alpha · mean) / std of each channel of one image, by its definition. */
function normalized(tokens: Float32Array, dim: number, alpha: number): Float32Array {
  const result = new Float32Array(tokens.length);
  for (let d = 0; d < dim; d++) {
    const channel = Array.from({ length: T }, (_, t) => tokens[t * dim + d]!);
    const mean = channel.reduce((a, b) => a + b) / T;
    const std = Math.sqrt(channel.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (T - 1));
    for (let t = 0; t < T; t++) result[t * dim + d] = (channel[t]! - alpha * mean) / (std + 1e-6);
  }
  return result;
}

describe("ranking", () => {
  test("its means are those of the metrics of each image, before and after normalization", async () => {
    const { rows } = await rank();
    const tokens = await describePictures(parseTarget("hog"), pictures, [GRID, GRID]);
    const images = pictures.map((_, i) => tokens.subarray(i * T * 128, (i + 1) * T * 128));
    for (const [alpha, all] of [
      [null, images],
      [0.6, images.map((one) => normalized(one, 128, 0.6))],
    ] as const) {
      const want = all.map((one) => spatialMetrics(one, [GRID, GRID], centreDisc([GRID, GRID])));
      const row = rows.find(({ target, spatialNorm }) => target === "hog" && spatialNorm === alpha)!;
      for (const { key } of RANK_METRICS) {
        const meanOf = (metric: keyof SpatialMetrics) => want.reduce((sum, one) => sum + one[metric], 0) / IMAGES;
        expect(row.metrics[key].mean, key).toBeCloseTo(meanOf(key), 4);
        expect(row.metrics[key].low!).toBeLessThanOrEqual(row.metrics[key].mean!);
        expect(row.metrics[key].high!).toBeGreaterThanOrEqual(row.metrics[key].mean!);
        expect(row.metrics[key].images).toBe(IMAGES);
      }
    }
  });

  test("the order is that of the metric asked for, and controls are at its end", async () => {
    const targets = ["noise", "shuffle(sift)", "blur2(sift)", "sift", "pca4(sift)"];
    for (const by of ["lds", "rmsc"] as const) {
      const { rows } = await rank({ targets, by });
      for (const norm of [null, 0.6]) {
        const own = rows.filter(({ spatialNorm }) => spatialNorm === norm);
        expect(own.map((row) => row.rank)).toEqual([1, 2, 3, 4, 5]);
        const means = own.map(({ metrics }) => metrics[by].mean!);
        expect(means).toEqual([...means].sort((a, b) => b - a));
      }
      const names = rows.slice(0, 5).map(({ target }) => target);
      // Noise has the largest contrast and no locality: that is why there is more than one metric.
      if (by === "rmsc") expect(names[0]).toBe("noise");
      else expect(new Set(names.slice(3))).toEqual(new Set(["noise", "shuffle(sift)"]));
    }
  });

  test("masks decide what the foreground is; images whose mask is too small have no SRSS", async () => {
    const left = Uint8Array.from({ length: T }, (_, t) => (t % GRID < 4 ? 1 : 0));
    const masks = { folder: "masks", load: async (index: number) => (index === 1 ? null : left) };
    const { rows, foreground } = await rank({ targets: ["sift"], masks });
    const tokens = await describePictures(parseTarget("sift"), pictures, [GRID, GRID]);
    const srss = [0, 2].map(
      (i) => spatialMetrics(tokens.subarray(i * T * 128, (i + 1) * T * 128), [GRID, GRID], left).srss,
    );
    expect(rows[0]!.metrics.srss.mean).toBeCloseTo((srss[0]! + srss[1]!) / 2, 6);
    expect(rows[0]!.metrics.srss.images).toBe(2);
    expect(rows[0]!.metrics.lds.images).toBe(3);
    expect(foreground).toBe(
      "masks of masks; 1 images left out, whose foreground or background has less than a quarter of the tokens",
    );
  });

  test("table, CSV and figures say the same and name the variants", async () => {
    const ranking = await rank({ targets: ["sift", "concat(sift,hog)"], grid: 4 });
    const folder = path.join(mkdtempSync(path.join(tmpdir(), "descry-rank-")), "new");
    const files = await writeRanking(ranking, folder);
    expect(files.map((file) => path.basename(file))).toEqual([
      "ranking.csv",
      "ranking.json",
      "ranking.svg",
      "ranking.png",
    ]);
    const read = (name: string) => readFileSync(path.join(folder, name), "utf8");
    expect(JSON.parse(read("ranking.json"))).toEqual(ranking);
    const lines = read("ranking.csv").trim().split("\r\n");
    expect(lines).toHaveLength(5);
    const row = ranking.rows.find(({ target }) => target === "concat(sift,hog)")!;
    expect(lines[row.rank]).toContain(`${row.rank},"concat(sift,hog)",256,,${row.metrics.lds.mean},`);
    expect(read("ranking.svg")).toMatch(/^<svg xmlns=/);
    const { width, height } = await sharp(path.join(folder, "ranking.png")).metadata();
    expect(Math.min(width, height)).toBeGreaterThan(100);
    const table = formatRankingTable(ranking);
    expect(table).toContain("concat(sift,hog)  256");
    expect(table).toContain("after spatial normalization, alpha 0.6");
    expect(table).toMatch(/LDS code: as iREPA's code.*\nLDS paper: as iREPA's paper/);
    expect(table).toContain("foreground of SRSS: no masks");
  });

  test("what cannot be measured on a small grid is left open", async () => {
    const ranking = await rank({ targets: ["sift"], grid: 3 });
    expect(ranking.rows[0]!.metrics.lds).toEqual({ mean: null, low: null, high: null, images: 0 });
    expect(formatRankingTable(ranking)).toContain("–");
    expect(await rankChart(ranking)).not.toContain("LDS code");
  });

  test.each<[string, Partial<RankOptions>, RegExp]>([
    ["a target that is not known", { targets: ["sift", "hgo"] }, /did you mean "hog"/],
    ["a target given twice", { targets: ["hog", "hog:d128"] }, /hog is given twice/],
    ["no target", { targets: [] }, /at least one target/],
    ["an alpha above 1", { alpha: 1.5 }, /alpha between 0 and 1, got 1.5/],
    ["a grid of one token", { grid: 1 }, /grid of 2 or more/],
  ])("refuses %s", async (_, changed, message) => {
    await expect(rank(changed)).rejects.toThrow(UsageError);
    await expect(rank(changed)).rejects.toThrow(message);
  });

  test("stops when it is told to", async () => {
    await expect(rank({ signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});
