import { openImageSource } from "../../../data/open-source.js";
import { cacheFeatures, cacheImages } from "../../../features/cache.js";
import { type FeaturesRecord, writeFeaturesRecord } from "../features-record.js";
import type { ProgressSink } from "../progress.js";
import type { Experiment } from "../schema.js";
import { targetsOf, taskLabel } from "../steps/step.js";
import { type CacheReport, cacheWithProgress } from "./cache-with-progress.js";
import { gridOf } from "./model-config.js";

export interface FeaturesInput {
  readonly runFolder: string;
  readonly cacheFolder: string;
  readonly experiment: Experiment;
}

export interface FeaturesResult {
  /** What was in the cache already: `images` or a target. */
  readonly reused: string[];
}

/** Cache an experiment's images and the features of all of its targets, and write down where they are. */
export async function featuresTask(
  { runFolder, cacheFolder, experiment }: FeaturesInput,
  progress: ProgressSink,
): Promise<FeaturesResult> {
  const { data, align, seed } = experiment;
  const source = await openImageSource(data.source, {
    ...(data.count === null ? {} : { count: data.count }),
    seed,
    skipBad: data.skipBad,
  });
  try {
    const skipped = source.skipped ?? [];
    if (skipped.length > 0) progress.line(`left out ${skipped.length} undecodable image(s): ${skipped.join(", ")}`);
    const rows = source.length * (data.flips ? 2 : 1);
    const images = await cacheWithProgress(progress, taskLabel("features", "images"), rows, (onProgress) =>
      cacheImages({ source, sizePx: data.sizePx, flips: data.flips, cacheFolder, onProgress }),
    );
    const targets: Record<string, CacheReport> = {};
    for (const target of targetsOf(experiment.arms)) {
      targets[target] = await cacheWithProgress(progress, taskLabel("features", target), rows, (onProgress) =>
        cacheFeatures({
          source,
          target,
          grid: gridOf(experiment),
          flips: data.flips,
          dtype: align.cacheDtype,
          cacheFolder,
          onProgress,
        }),
      );
    }
    const record: FeaturesRecord = {
      format: "descry-features-1",
      source: {
        name: source.name,
        fingerprint: source.fingerprint,
        length: source.length,
        classes: source.classes,
        skipped,
      },
      grid: gridOf(experiment),
      images: storeOf(images),
      targets: Object.fromEntries(Object.entries(targets).map(([name, cached]) => [name, storeOf(cached)])),
    };
    await writeFeaturesRecord(runFolder, record);
    const all = { images, ...targets };
    return { reused: Object.entries(all).flatMap(([name, { reused }]) => (reused ? [name] : [])) };
  } finally {
    await source.close();
  }
}

function storeOf({ folder, key }: CacheReport): { folder: string; key: string } {
  return { folder, key };
}
