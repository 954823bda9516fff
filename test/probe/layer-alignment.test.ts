import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { openRowStore } from "../../data/row-store.js";
import type { AlignmentRecord } from "../../src/probe/alignment-record.js";
import { formatAlignmentTable } from "../../src/probe/alignment-table.js";
import { cknna, findNeighbours } from "../../src/probe/cknna.js";
import { type LayerAlignmentOptions, layerAlignment } from "../../src/probe/layer-alignment.js";
import { meanTokens } from "../../src/probe/pool-tokens.js";
import { writeAlignment } from "../../src/probe/write-alignment.js";
import { readFeaturesRecord } from "../../src/run/features-record.js";
import { SILENT } from "../../src/run/progress.js";
import { resolveExperiment } from "../../src/run/resolve-experiment.js";
import { runExperiment } from "../../src/run/run-experiment.js";
import { createRun, type Run } from "../../src/run/run-folder.js";
import { sitConfigOf } from "../../src/run/space.js";
import { openHiddenTokens } from "../../src/sample/hidden-tokens.js";
import { readCheckpointWeights } from "../../src/sample/network.js";

const TINY = `name: tiny
data: { source: photos, count: 45, sizePx: 16 }
model: { width: 32, depth: 2, heads: 2, patch: 4 }
align: { depth: 1, projectorWidth: 16 }
train: { steps: 6, batch: 4, threads: 1, learningRate: 0.03 }
sample: { steps: 2, count: 8, batch: 8, film: 0, weights: model }
evaluate: { inceptionSplits: 2 }
arms:
  - { name: control }
  - { name: aligned, target: pixels, projector: conv }
  - { name: constant, target: constant, projector: linear }
`;
const OPTIONS: LayerAlignmentOptions = { images: 40, time: 0.3, neighbours: 5, labels: "null", seed: 3 };

let run: Run;
let record: AlignmentRecord;

beforeAll(async () => {
  const cwd = mkdtempSync(path.join(tmpdir(), "descry-alignment-"));
  run = await createRun(resolveExperiment(TINY, "tiny.yaml"), path.join(cwd, "runs"), cwd);
  await runExperiment(run, { progress: SILENT, arms: ["control", "aligned"] }, ["features", "train"]);
  record = await layerAlignment(run, { ...OPTIONS, arms: ["control", "aligned"] });
}, 120_000);

describe("alignment of layers with targets", () => {
  test("is CKNNA of pooled tokens on the same noised images, whatever goes through the model at once", async () => {
    const rows = Array.from(randomStream(3, "alignment/images", 0).permutation(45).slice(0, 40).sort());
    const config = sitConfigOf(run.record.experiment, 9);
    const { images, targets } = await readFeaturesRecord(run.folder);
    const read = async ({ folder }: { folder: string }, column: string) => {
      const store = await openRowStore(path.resolve(run.record.workingFolder, folder));
      return store.read(column, rows).finally(() => store.close());
    };
    const pixels = await read(images, "image");
    const noise = randomStream(3, "alignment/noise", 0).normal(pixels.length);
    const x = new Float32Array(pixels.length);
    for (let i = 0; i < rows.length; i++) {
      for (let c = 0; c < 3; c++) {
        for (let p = 0; p < 256; p++) {
          const to = (i * 3 + c) * 256 + p;
          x[to] = 0.7 * (pixels[(i * 256 + p) * 3 + c]! / 127.5 - 1) + 0.3 * noise[to]!;
        }
      }
    }
    const network = await openHiddenTokens(config, [1, 2], { batch: 40, threads: 1 });
    const file = path.join(run.folder, "arms", "aligned", "checkpoint-0000006.safetensors");
    const { parameters } = await readCheckpointWeights(file, "model");
    const hidden = await network.read(parameters, { x, t: 0.3, labels: new Int32Array(40).fill(9) });
    await network.dispose();
    const features = (await read(targets["pixels"]!, "features")) as Float32Array;
    const target = findNeighbours(meanTokens(features, 40, 16, 768), 40, 5);
    for (const [b, tokens] of hidden.entries()) {
      const want = cknna(findNeighbours(meanTokens(tokens, 40, 16, 32), 40, 5), target);
      const found = record.arms[1]!.blocks[b]!.cknna[0]!;
      expect(found.target).toBe("pixels");
      expect(found.code).toBeCloseTo(want.code, 5);
      expect(found.paper).toBeCloseTo(want.paper, 5);
    }
    const codes = record.arms.flatMap(({ blocks }) => blocks.map(({ cknna }) => cknna[0]!.code!.toFixed(3)));
    expect(new Set(codes).size).toBe(4); // blocks that do nothing would all be the same
    // The colour of a photograph goes through the first block.
    expect(record.arms[1]!.blocks[0]!.cknna[0]!.code).toBeGreaterThan(0.1);
  });

  test("names arms, blocks and what has no neighbours", () => {
    expect(record.targets).toEqual(["pixels", "constant"]);
    expect(record.arms.map(({ name, target, alignedBlock, step }) => [name, target, alignedBlock, step])).toEqual([
      ["control", null, null, 6],
      ["aligned", "pixels", 1, 6],
    ]);
    for (const { blocks } of record.arms) {
      expect(blocks.map(({ block }) => block)).toEqual([1, 2]);
      for (const { cknna } of blocks) expect(cknna[1]).toEqual({ target: "constant", code: null, paper: null });
    }
    expect(record).toMatchObject({
      images: 40,
      neighbours: 5,
      time: 0.3,
      labels: "null",
      weights: "model",
      path: "linear",
    });
  });

  test("table, CSV and figure say the same", async () => {
    const table = formatAlignmentTable(record, "paper");
    const { paper } = record.arms[1]!.blocks[0]!.cknna[0]!;
    expect(table).toMatch(new RegExp(`^aligned +1 \\* +${paper!.toFixed(3)} +–$`, "m"));
    expect(table).toContain("as its paper's formula");
    const folder = mkdtempSync(path.join(tmpdir(), "descry-alignment-"));
    const files = await writeAlignment(record, "paper", folder);
    expect(files.map((file) => path.basename(file))).toEqual(
      ["csv", "json", "svg", "png"].map((end) => `alignment.${end}`),
    );
    const lines = readFileSync(files[0]!, "utf8").trim().split("\r\n");
    expect(lines).toHaveLength(1 + 2 * 2 * 2);
    expect(lines).toContain(`aligned,6,1,1,pixels,${record.arms[1]!.blocks[0]!.cknna[0]!.code},${paper},0.3,5,40`);
    const { width, height } = await sharp(files[3]!).metadata();
    expect(Math.min(width, height)).toBeGreaterThan(200);
    expect(JSON.parse(readFileSync(files[1]!, "utf8"))).toEqual(record);
  });

  test.each<[string, Partial<LayerAlignmentOptions>, RegExp]>([
    ["an arm that is not trained", {}, /the arm constant is not trained yet — first: descry train/],
    ["an arm that is not there", { arms: ["contrl"] }, /no arm "contrl" in tiny/],
    ["too many neighbours", { arms: ["control"], neighbours: 40 }, /at least 42 images for 40 neighbours, got 40/],
  ])("refuses %s", async (_, changed, message) => {
    await expect(layerAlignment(run, { ...OPTIONS, ...changed })).rejects.toThrow(message);
  });

  test("does not tell a model that never saw it that there is no class", async () => {
    const cwd = mkdtempSync(path.join(tmpdir(), "descry-alignment-"));
    const text = TINY.replace("threads: 1,", "threads: 1, labelDropout: 0,");
    const other = await createRun(resolveExperiment(text, "tiny.yaml"), path.join(cwd, "runs"), cwd);
    writeFileSync(path.join(other.folder, "features.json"), readFileSync(path.join(run.folder, "features.json")));
    await expect(layerAlignment(other, OPTIONS)).rejects.toThrow(/--labels own tells the model the classes/);
  });
});
