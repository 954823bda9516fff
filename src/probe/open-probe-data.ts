/** @file Where the features come from that are probed: a run that has cached them, or any images, whose features are cached first. */
import { UsageError } from "../../data/errors.js";
import { planTargets } from "../../features/cache.js";
import { loadDescriptor } from "../../features/load-descriptor.js";
import { parseTarget, parseTargets } from "../../features/targets.js";
import type { Device } from "../compile/compile.js";
import { downloadProgress } from "../run/download-progress.js";
import { openCachedStore, readPlacedFeatures } from "../run/features-record.js";
import type { ProgressSink } from "../run/progress.js";
import type { Run } from "../run/run-folder.js";
import { cacheTogether } from "../run/tasks/cache-with-progress.js";
import { checkDiskSpace } from "../run/tasks/check-disk-space.js";
import { openWithProgress } from "../run/tasks/open-with-progress.js";
import type { ProbedImages, ProbedTarget } from "./probe-targets.js";

export interface ProbeData {
  readonly images: ProbedImages;
  readonly targets: readonly ProbedTarget[];
}

export interface CacheProbeOptions {
  /** Image source, such as `imagefolder:DIR`. */
  readonly data: string;
  readonly targets: readonly string[];
  readonly grid: number;
  /** null: all. */
  readonly count: number | null;
  /** Also the class tokens of the encoders that have one. */
  readonly cls: boolean;
  readonly skipBad: boolean;
  /** Of the choice of images. */
  readonly seed: number;
  readonly cacheFolder: string;
  readonly device: Device;
}

/**
 * Cache the features of targets (or find them cached).
 *
 * @throws {UsageError} an unknown target; one class; `cls` where no target has a class token.
 */
export async function cacheProbeData(options: CacheProbeOptions, progress: ProgressSink): Promise<ProbeData> {
  const { data, grid, count, cls, skipBad, seed, cacheFolder, device } = options;
  const names = parseTargets(options.targets, "probe").map(({ name }) => name);
  const source = await openWithProgress(progress, data, {
    ...(count === null ? {} : { count }),
    seed,
    skipBad,
    cacheFolder,
  });
  try {
    const { skipped } = source;
    if (skipped.length > 0) progress.line(`left out ${skipped.length} undecodable image(s): ${skipped.join(", ")}`);
    if (source.classes.length < 2) {
      throw new UsageError(
        `probe: wanted images with labels of two classes or more; ${data} has ${source.classes.length}`,
        {
          hint: "a linear probe tells classes apart: take data that has labels",
        },
      );
    }
    const onDownload = downloadProgress(progress);
    const probed = names.map((target) => ({ target, pool: "mean" as const, cached: target }));
    const classTokens = cls ? await classTokensOf(names, onDownload) : [];
    const all = [...probed, ...classTokens];
    const targets = [...new Set(all.map(({ cached }) => cached))];
    const planned = await planTargets({
      source,
      targets,
      grid,
      flips: false,
      dtype: "F16",
      cacheFolder,
      device,
      onDownload,
    });
    const plans = Object.fromEntries(targets.map((cached, i) => [cached, planned[i]!]));
    await checkDiskSpace(plans, cacheFolder, progress);
    const reports = await cacheTogether(progress, plans);
    return {
      images: {
        source: source.name,
        fingerprint: source.fingerprint,
        classes: source.classes,
        labels: Int32Array.from({ length: source.length }, (_, i) => source.label(i)),
        grid,
      },
      targets: all.map(({ target, pool, cached }) => ({ target, pool, open: () => openCachedStore(reports[cached]!) })),
    };
  } finally {
    await source.close();
  }
}

/** The encoders with a class token: mixed in wholly, every token is the class token, and so is their mean. */
async function classTokensOf(names: readonly string[], onDownload: ReturnType<typeof downloadProgress>) {
  const found: { target: string; pool: "cls"; cached: string }[] = [];
  for (const target of names) {
    const cached = (await loadDescriptor(parseTarget(target), undefined, onDownload)).mixClassToken?.(1).name;
    if (cached !== undefined) found.push({ target, pool: "cls", cached });
  }
  if (found.length > 0) return found;
  throw new UsageError(`probe --cls: no class token in ${names.join(", ")}`, {
    hint: "encoders have one: onnx:FILE#OUTPUT?…&drop=1",
  });
}

/**
 * The targets of a run, whose features it has cached.
 *
 * @throws {UsageError} the features step was not done; a run of controls only.
 */
export async function readProbeData({ folder, record: { workingFolder } }: Run): Promise<ProbeData> {
  const { source, grid, targets, latents, images } = await readPlacedFeatures(folder, workingFolder);
  const names = Object.keys(targets);
  if (names.length === 0) {
    throw new UsageError(`${folder}: no arm has a target, so there are no features to probe`, {
      hint: "any targets: descry probe --data SOURCE --targets sift,hog",
    });
  }
  const store = await openCachedStore(latents ?? images);
  let labels: ArrayLike<number>;
  try {
    labels = await store.read(
      "label",
      Array.from({ length: source.length }, (_, row) => row),
    );
  } finally {
    await store.close();
  }
  return {
    images: {
      source: source.name,
      fingerprint: source.fingerprint,
      classes: source.classes,
      labels: Int32Array.from(labels),
      grid,
    },
    targets: names.map((target) => ({ target, pool: "mean", open: () => openCachedStore(targets[target]!) })),
  };
}
