/** @file Linear probing of targets from their cached features. Computes and returns; tables and files are made of the result elsewhere in this room. */
import type { RowStore } from "../../data/row-store.js";
import type { Device } from "../compile/compile.js";
import { linearProbe, WEIGHT_DECAYS } from "./linear-probe.js";
import { poolStoredTokens } from "./pool-tokens.js";
import { type Pooling, PROBE_FORMAT, type ProbeRecord, type ProbeRow } from "./probe-record.js";
import { type Split, splitLabels } from "./split-labels.js";

/** Cached features to be probed. */
export interface ProbedTarget {
  /** Canonical target string. */
  readonly target: string;
  readonly pool: Pooling;
  /** Rows 0 to N−1 of its column `features` [T,D] are the images as they are. */
  open(): Promise<RowStore>;
}

/** The images that features were computed of. */
export interface ProbedImages {
  readonly source: string;
  readonly fingerprint: string;
  readonly classes: readonly string[];
  /** [N] class indices. */
  readonly labels: Int32Array;
  /** Tokens a side. */
  readonly grid: number;
}

export interface ProbeOptions {
  /** Share of each class that is kept for validation, between 0 and 1. */
  readonly share: number;
  readonly seed: number;
  readonly device?: Device;
  /** After every fit: how many are done of {@link fitsOf} the targets, and of which target. */
  onProgress?(done: number, target: string): void;
  readonly signal?: AbortSignal;
}

/** How many classifiers are fitted. */
export const fitsOf = (targets: readonly ProbedTarget[]): number => targets.length * WEIGHT_DECAYS.length;

/**
 * Probe every target with the same split.
 *
 * @throws {UsageError} labels that cannot be told apart, see `splitLabels`. @throws {CacheError} features that cannot be read.
 */
export async function probeTargets(
  images: ProbedImages,
  targets: readonly ProbedTarget[],
  { share, seed, device, onProgress, signal }: ProbeOptions,
): Promise<ProbeRecord> {
  const { labels, classes } = images;
  const split = splitLabels(labels, share, seed);
  const all = Array.from(labels.keys());
  const stopping = signal === undefined ? {} : { signal };
  const rows: ProbeRow[] = [];
  for (const [i, { target, pool, open }] of targets.entries()) {
    const tell = (done: number) => onProgress?.(i * WEIGHT_DECAYS.length + done, target);
    tell(0);
    const store = await open();
    let features: Float32Array;
    try {
      features = await poolStoredTokens(store, all, stopping);
    } finally {
      await store.close();
    }
    const found = await linearProbe(
      { features, labels },
      {
        split,
        classes: classes.length,
        name: target,
        onProgress: tell,
        ...(device === undefined ? {} : { device }),
        ...stopping,
      },
    );
    rows.push({ target, pool, dim: features.length / labels.length, ...found });
  }
  return {
    format: PROBE_FORMAT,
    source: images.source,
    fingerprint: images.fingerprint,
    images: labels.length,
    classes: classes.filter((_, k) => labels.includes(k)),
    grid: images.grid,
    split: {
      seed,
      share,
      train: split.train.length,
      validation: split.validation.length,
      unaskedClasses: unasked(labels, split),
    },
    chance: mostFrequent(labels, split.validation),
    classifier: "multinomial logistic regression on standardized features, L-BFGS",
    weightDecays: WEIGHT_DECAYS,
    interval: "95 %, Wilson, over validation images",
    rows: rows.sort((a, b) => b.accuracy - a.accuracy),
  };
}

/** Classes that only the training images have. */
function unasked(labels: Int32Array, { train, validation }: Split): number {
  const classesOf = (rows: Uint32Array) => new Set(Array.from(rows, (row) => labels[row]!));
  return classesOf(train).size - classesOf(validation).size;
}

/** Share of the class that is the most frequent among some images. */
function mostFrequent(labels: Int32Array, rows: Uint32Array): number {
  const counts = new Map<number, number>();
  for (const row of rows) counts.set(labels[row]!, (counts.get(labels[row]!) ?? 0) + 1);
  return Math.max(...counts.values()) / rows.length;
}
