/** @file Finished runs with features in a cache, made up for tests of the analyses. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { randomStream } from "../../data/random.js";
import { writeRowStore } from "../../data/row-store.js";
import { writeFeaturesRecord } from "../../src/run/features-record.js";
import { hashExperiment } from "../../src/run/resolve-experiment.js";
import type { Experiment } from "../../src/run/schema.js";
import { ARMS, experiment, type RunOptions, writeRun } from "../report/fixture.js";

/** Tokens a side, channels and images of the cached features. */
export const [GRID, DIM, IMAGES] = [8, 3, 10];

/** An arm of the recipe that all arms of a correlation share, changed where told. */
export function arm(name: string, target: string, changed: Record<string, unknown> = {}): (typeof ARMS)[number] {
  const recipe = { projector: "conv", kernel: 3, spatialNorm: 0.6, coefficient: 1, depth: 3, projectorWidth: 512 };
  return { name, align: { target, ...recipe, ...changed } };
}

/** Tokens of the k-th target, [images·2, T, D]: noise, the more smoothed over space the larger k; then as many rows of variants. */
export function tokensOf(k: number): Float32Array {
  const T = GRID ** 2;
  const tokens = new Float32Array(2 * IMAGES * T * DIM);
  for (let image = 0; image < 2 * IMAGES; image++) {
    const noise = randomStream(k, "analyze/tokens", image).normal(T * DIM);
    const waves = randomStream(0, "analyze/waves", image).normal(2 * DIM);
    for (let t = 0; t < T; t++) {
      for (let d = 0; d < DIM; d++) {
        const wave = waves[2 * d]! * (t % GRID) + waves[2 * d + 1]! * Math.floor(t / GRID);
        tokens[(image * T + t) * DIM + d] = noise[t * DIM + d]! + 0.3 * k * Math.sin(wave / 3) + 0.5;
      }
    }
  }
  return tokens;
}

/** Write a run folder as commands take it: named by the hash of its experiment. */
export function writeFinishedRun(options: RunOptions = {}): Promise<string> {
  const { name = "made-up", seed = 0, steps = 60, arms = ARMS } = options;
  const hash = hashExperiment(experiment(name, seed, arms, steps) as unknown as Experiment);
  return writeRun({ ...options, name, hash });
}

/** Write a finished run whose targets' features are cached; the k-th distinct target has the tokens of k. */
export async function writeCachedRun(options: RunOptions & { readonly arms: typeof ARMS }): Promise<string> {
  const { arms } = options;
  const folder = await writeFinishedRun(options);
  const home = path.dirname(folder);
  const file = path.join(folder, "experiment.json");
  const record = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...record, workingFolder: home }));
  const targets = [...new Set(arms.flatMap(({ align }) => (align === null ? [] : [String(align["target"])])))];
  const stores: [string, { folder: string; key: string }][] = [];
  for (const [k, target] of targets.entries()) {
    const store = { folder: path.join(home, ".descry", "cache", `features-${k}`), key: `made-up-${k}` };
    mkdirSync(store.folder, { recursive: true });
    const columns = { features: { dtype: "F32" as const, shape: [GRID ** 2, DIM] } };
    const data = tokensOf(k);
    await writeRowStore(
      store.folder,
      { key: store.key, rows: 2 * IMAGES, columns, meta: {} },
      async function* (start, end) {
        const size = GRID ** 2 * DIM;
        yield { features: data.slice(start * size, end * size) };
      },
    );
    stores.push([target, store]);
  }
  await writeFeaturesRecord(
    folder,
    {
      format: "descry-features-1",
      source: { name: "made-up", fingerprint: "f", length: IMAGES, classes: ["all"], skipped: [] },
      grid: GRID,
      images: { folder: path.join(home, "none"), key: "none" },
      targets: Object.fromEntries(stores),
    },
    home,
  );
  return folder;
}
