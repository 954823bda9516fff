/**
 * @file Which layers of trained models see what a target sees: CKNNA of the tokens after every block of every arm with every target of
 * the run, on the same noised images. Computes and returns; table, figure and files are made of the result elsewhere in this room.
 *
 * As REPA's figures: tokens averaged over patches, no class told to the model, images noised to one time.
 */
import { NumericError, UsageError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import type { RowStore } from "../../data/row-store.js";
import type { Device } from "../compile/compile.js";
import { gridSide } from "../models/sit-sizes.js";
import { type CachedStore, openCachedStore, readPlacedFeatures } from "../run/features-record.js";
import { armFiles, findArm, type Run } from "../run/run-folder.js";
import { sitConfigOf } from "../run/space.js";
import { openHiddenTokens } from "../sample/hidden-tokens.js";
import { readCheckpointWeights } from "../sample/network.js";
import { readClean } from "../train/batch-reader.js";
import { listCheckpoints } from "../train/checkpoint.js";
import { addNoise } from "../train/interpolant.js";
import type { AlignedArm, AlignmentRecord, ToldLabels } from "./alignment-record.js";
import { cknna, findNeighbours, type Neighbourhoods } from "./cknna.js";
import { meanTokens, poolStoredTokens } from "./pool-tokens.js";

/** Images that go through a model at once. */
const BATCH = 32;

export interface LayerAlignmentOptions {
  /** Only these; absent: all. */
  readonly arms?: readonly string[];
  /** How many images at most, of a seeded choice. */
  readonly images: number;
  /** Of the noise, 0 data … 1 noise. */
  readonly time: number;
  /** k */
  readonly neighbours: number;
  readonly labels: ToldLabels;
  /** Of the choice of images and of the noise. */
  readonly seed: number;
  readonly device?: Device;
  /** Images that went through models, of those of all arms. */
  onProgress?(done: number, total: number, arm: string): void;
  readonly signal?: AbortSignal;
}

/**
 * Compare the layers of a run's models with its targets.
 *
 * @throws {UsageError} an arm that is unknown or not trained, no target, too few images; `null` labels where none was ever dropped.
 * @throws {NumericError} a token that is not finite. @throws the signal's reason when it is aborted.
 */
export async function layerAlignment(run: Run, options: LayerAlignmentOptions): Promise<AlignmentRecord> {
  const { experiment, hash, workingFolder } = run.record;
  const { time, neighbours: k, seed, labels: told, signal } = options;
  const { train, sample } = experiment;
  const { source, targets, latents, images } = await readPlacedFeatures(run.folder, workingFolder);
  const names = Object.keys(targets);
  if (names.length === 0) throw new UsageError(`${run.folder}: no arm has a target to compare the layers with`);
  if (told === "null" && train.labelDropout === 0) {
    throw new UsageError(
      `${run.folder}: trained without dropping labels (train.labelDropout 0), so "no class" means nothing to it`,
      {
        hint: "--labels own tells the model the classes of the images",
      },
    );
  }
  const checkpoints = await newestCheckpoints(run, options.arms ?? experiment.arms.map(({ name }) => name));
  const rows = chooseRows(source.length, options.images, seed);

  const seen = new Map<string, Neighbourhoods>();
  for (const target of names) {
    const pooled = await withStore(targets[target]!, (store) =>
      poolStoredTokens(store, rows, signal === undefined ? {} : { signal }),
    );
    seen.set(target, findNeighbours(pooled, rows.length, k));
  }

  const config = sitConfigOf(experiment, source.classes.length);
  const { clean, own } = await withStore(latents ?? images, async (store) => ({
    clean: await readClean({ images: store, model: config, ...(latents === undefined ? {} : { latents }) }, rows),
    own: Int32Array.from(await store.read("label", rows)),
  }));
  const x = addNoise(train.path, clean, randomStream(seed, "alignment/noise", 0).normal(clean.length), time);
  const labels = told === "own" ? own : new Int32Array(rows.length).fill(config.classes);
  const blocks = Array.from({ length: config.depth }, (_, i) => i + 1);
  const network = await openHiddenTokens(config, blocks, {
    batch: Math.min(BATCH, rows.length),
    device: options.device ?? train.device,
    threads: train.threads,
  });
  const arms: AlignedArm[] = [];
  try {
    for (const [i, { arm, file, step }] of checkpoints.entries()) {
      const { parameters } = await readCheckpointWeights(file, sample.weights);
      const size = clean.length / rows.length;
      const pooled = blocks.map(() => new Float32Array(rows.length * config.width));
      const batch = Math.min(BATCH, rows.length);
      for (let first = 0; first < rows.length; first += batch) {
        signal?.throwIfAborted();
        // The last batch is filled up with images of the one before.
        const start = Math.min(first, rows.length - batch);
        const hidden = await network.read(parameters, {
          x: x.slice(start * size, (start + batch) * size),
          t: time,
          labels: labels.slice(start, start + batch),
        });
        for (const [b, tokens] of hidden.entries()) {
          pooled[b]!.set(meanTokens(tokens, batch, gridSide(config) ** 2, config.width), start * config.width);
        }
        options.onProgress?.(i * rows.length + start + batch, checkpoints.length * rows.length, arm);
      }
      const { align } = findArm(experiment, arm);
      arms.push({
        name: arm,
        target: align?.target ?? null,
        alignedBlock: align?.depth ?? null,
        step,
        blocks: blocks.map((block, b) => {
          const features = pooled[b]!;
          if (!features.every(Number.isFinite))
            throw new NumericError(`${arm}: block ${block} gives tokens that are not finite`);
          const layer = findNeighbours(features, rows.length, k);
          return { block, cknna: names.map((target) => ({ target, ...orNull(cknna(layer, seen.get(target)!)) })) };
        }),
      });
    }
  } finally {
    await network.dispose();
  }
  return {
    format: "descry-alignment-1",
    experiment: experiment.name,
    hash,
    source: source.name,
    images: rows.length,
    neighbours: k,
    time,
    path: train.path,
    labels: told,
    weights: sample.weights,
    seed,
    targets: names,
    arms,
  };
}

const orNull = ({ code, paper }: { code: number; paper: number }) =>
  Number.isNaN(paper) ? { code: null, paper: null } : { code, paper };

async function newestCheckpoints(run: Run, arms: readonly string[]) {
  const found: { arm: string; file: string; step: number }[] = [];
  for (const arm of arms) {
    findArm(run.record.experiment, arm);
    const newest = (await listCheckpoints(armFiles(run.folder, arm).folder)).at(-1);
    if (newest === undefined) {
      throw new UsageError(`${run.folder}: the arm ${arm} is not trained yet`, {
        hint: `first: descry train ${run.folder} --arm ${arm}, or name the arms that are: --arm`,
      });
    }
    found.push({ arm, file: newest.path, step: newest.step });
  }
  return found;
}

/** Some images of a source, rising. */
function chooseRows(length: number, count: number, seed: number): number[] {
  return Array.from(randomStream(seed, "alignment/images", 0).permutation(length).slice(0, count).sort());
}

async function withStore<T>(cached: CachedStore, use: (store: RowStore) => Promise<T>): Promise<T> {
  const store = await openCachedStore(cached);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
