import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { linearProbe } from "../../src/probe/linear-probe.js";
import { meanTokens, poolStoredTokens } from "../../src/probe/pool-tokens.js";
import { formatProbeTable } from "../../src/probe/probe-table.js";
import { fitsOf, type ProbedTarget, probeTargets } from "../../src/probe/probe-targets.js";
import { splitLabels } from "../../src/probe/split-labels.js";
import { writeProbe } from "../../src/probe/write-probe.js";
import { memoryStore } from "../train/tiny-run.js";

const [N, T, D, K] = [150, 3, 4, 3];
const labels = Int32Array.from({ length: N }, (_, i) => (i * 7) % K);
const images = { source: "pictures", fingerprint: "f", classes: ["a", "b", "c"], labels, grid: 2 };
/** Behind the images as they are come those of another variant, which must not be looked at. */
const noise = randomStream(1, "features", 0).normal(2 * N * T * D);
const telling = noise.map((value, i) => {
  const image = Math.floor(i / (T * D));
  return image < N ? value + (i % D === 1 ? 2 * labels[image]! : 0) : 99;
});
let closed = 0;
const stored = (target: string, data: Float32Array): ProbedTarget => ({
  target,
  pool: "mean",
  open: async () => ({
    ...memoryStore({ features: { shape: [T, D], dtype: "F32", data } }),
    close: async () => {
      closed++;
    },
  }),
});

test("tokens are averaged, image by image", async () => {
  const rows = [149, 0, 7];
  const store = await stored("sift", telling).open();
  const pooled = await poolStoredTokens(store, rows);
  for (const [i, row] of rows.entries()) {
    for (let d = 0; d < D; d++) {
      const mean = [0, 1, 2].reduce((sum, t) => sum + telling[(row * T + t) * D + d]!, 0) / T;
      expect(pooled[i * D + d]).toBeCloseTo(mean, 5);
    }
  }
  expect(meanTokens([1, 2, 3, 4, 5, 6, 7, 8], 2, 2, 2)).toEqual(Float32Array.of(2, 3, 6, 7));
});

test("each target is probed by its own features, the best first, and all of it is written down", async () => {
  const targets = [stored("noise", noise), stored("onnx:folder/sift.onnx#x?mean=0&std=1", telling)];
  const told: string[] = [];
  const record = await probeTargets(images, targets, {
    share: 0.3,
    seed: 2,
    onProgress: (done, target) => told.push(`${done} ${target}`),
  });
  expect(closed).toBe(2);
  expect(told.at(-1)).toBe(`${fitsOf(targets)} ${targets[1]!.target}`);
  expect(record.rows.map(({ target }) => target)).toEqual([targets[1]!.target, "noise"]);
  const split = splitLabels(labels, 0.3, 2);
  const pooled = meanTokens(telling, N, T, D);
  const alone = await linearProbe({ features: pooled, labels }, { split, classes: K, name: "x" });
  expect(record.rows[0]).toEqual({ target: targets[1]!.target, pool: "mean", dim: D, ...alone });
  expect(record.rows[0]!.accuracy).toBeGreaterThan(0.8);
  expect(record.rows[1]!.low).toBeLessThan(1 / K);
  expect(record.split).toEqual({ seed: 2, share: 0.3, train: 105, validation: 45, unaskedClasses: 0 });
  expect(record.chance).toBeCloseTo(1 / K, 10);

  const folder = path.join(mkdtempSync(path.join(tmpdir(), "descry-probe-")), "new");
  const files = await writeProbe(record, folder);
  expect(files.map((file) => path.basename(file))).toEqual(["probe.csv", "probe.json"]);
  expect(JSON.parse(readFileSync(path.join(folder, "probe.json"), "utf8"))).toEqual(record);
  const [, best] = readFileSync(path.join(folder, "probe.csv"), "utf8").split("\r\n");
  expect(best).toContain(`,mean,${D},${record.rows[0]!.accuracy},${record.rows[0]!.low},`);
  const table = formatProbeTable(record);
  expect(table).toMatch(/^onnx:sift.onnx#x +mean +4 +\d+\.\d %/m);
  expect(table).toContain("chance 33.3 %; 3 classes, 105 images to learn from, 45 for validation, of 150 of pictures");
});
