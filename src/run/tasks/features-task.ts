import path from "node:path";
import type { ImageSource } from "../../../data/image-source.js";
import { openImageSource } from "../../../data/open-source.js";
import { cacheFeatures, cacheImages } from "../../../features/cache.js";
import { loadDescriptor } from "../../../features/load-descriptor.js";
import { parseTarget } from "../../../features/targets.js";
import { RANDOM_VGG } from "../../evaluate/network-name.js";
import { openFeatureNetwork } from "../../evaluate/open-feature-network.js";
import { writeTargetPictures } from "../../report/target-picture.js";
import { checkCounts } from "../check-experiment.js";
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

/** Images that the report shows with every target. */
const PICTURES = 4;

/**
 * Cache an experiment's images and the features of all of its targets, draw the targets for the report, and write down where
 * everything is.
 */
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
    const skipped = source.skipped;
    await checkBeforehand(experiment, source);
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
    await drawTargets(experiment, source, path.join(runFolder, "targets"), progress);
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

/** What later steps would stumble over, as far as it can be known with the images open: better now than after the training. */
async function checkBeforehand(experiment: Experiment, source: ImageSource): Promise<void> {
  const { name, length } = source;
  const origin = { file: experiment.name, locate: () => experiment.name };
  checkCounts(experiment, { count: length, said: `the ${length} images of ${name}` }, origin);
  for (const target of targetsOf(experiment.arms)) {
    await loadDescriptor(parseTarget(target), { source, flips: experiment.data.flips });
  }
  const { network } = experiment.evaluate;
  if (network !== RANDOM_VGG) await (await openFeatureNetwork(network)).dispose();
}

/** Pictures of the targets on one image of each of the first classes. */
async function drawTargets(
  experiment: Experiment,
  source: ImageSource,
  outFolder: string,
  progress: ProgressSink,
): Promise<void> {
  const targets = targetsOf(experiment.arms);
  if (targets.length === 0) return;
  const firstOfClass = new Map<number, number>();
  for (let i = 0; i < source.length && firstOfClass.size < PICTURES; i++) {
    if (!firstOfClass.has(source.label(i))) firstOfClass.set(source.label(i), i);
  }
  const spatialNorm = experiment.arms.find(({ align }) => align?.spatialNorm != null)?.align?.spatialNorm;
  const task = progress.task(taskLabel("features", "pictures"), 0, "");
  await writeTargetPictures({
    source,
    targets,
    grid: gridOf(experiment),
    imageIndices: [...firstOfClass.values()],
    outFolder,
    ...(spatialNorm == null ? {} : { spatialNorm }),
  });
  task.finish(`${targets.join(", ")} on ${firstOfClass.size} images`);
}

function storeOf({ folder, key }: CacheReport): { folder: string; key: string } {
  return { folder, key };
}
