import path from "node:path";
import type { ImageSource } from "../../../data/image-source.js";
import type { StorePart } from "../../../data/row-plan.js";
import { subsetSource } from "../../../data/subset-source.js";
import { planLatents } from "../../../features/autoencoder/cache-latents.js";
import { type CachePlan, planImages, planTargets } from "../../../features/cache.js";
import { loadDescriptor } from "../../../features/load-descriptor.js";
import { parseTarget } from "../../../features/targets.js";
import { writeTargetPictures } from "../../report/target-picture.js";
import { checkCounts } from "../check-experiment.js";
import { comparedImages } from "../compared-images.js";
import { downloadProgress } from "../download-progress.js";
import { type CachedStore, type FeaturesRecord, writeFeaturesRecord } from "../features-record.js";
import type { ProgressSink } from "../progress.js";
import type { Experiment } from "../schema.js";
import { gridOf } from "../space.js";
import { targetsOf, taskLabel } from "../steps/step.js";
import { type CacheReport, cacheTogether, cacheWithProgress } from "./cache-with-progress.js";
import { checkDiskSpace } from "./check-disk-space.js";
import { checkEvaluation } from "./check-evaluation.js";
import { type AutoencoderFiles, checkAutoencoder, describeLatents } from "./latents-part.js";
import { openWithProgress } from "./open-with-progress.js";

export interface FeaturesInput {
  readonly runFolder: string;
  readonly workingFolder: string;
  readonly cacheFolder: string;
  readonly experiment: Experiment;
  /** null: all of it, in this process alone. */
  readonly part: StorePart | null;
}

export interface FeaturesResult {
  /** What was in the cache already: `images` or a target. */
  readonly reused: string[];
  /** What other parts have still to make; where there is any, no `features.json` is written yet. */
  readonly incomplete: string[];
}

/** Images that the report shows with every target. */
const PICTURES = 4;

/**
 * Cache an experiment's images and the features of all of its targets (or one part of all of them), draw the targets for the report,
 * and write down where everything is.
 */
export async function featuresTask(
  { runFolder, workingFolder, cacheFolder, experiment, part }: FeaturesInput,
  progress: ProgressSink,
): Promise<FeaturesResult> {
  const { data, latents, align } = experiment;
  const source = await openWithProgress(progress, data.source, {
    ...(data.count === null ? {} : { count: data.count }),
    seed: imagesSeed(experiment),
    skipBad: data.skipBad,
    cacheFolder,
  });
  try {
    const skipped = source.skipped;
    const autoencoder = await checkBeforehand(experiment, source, progress);
    if (skipped.length > 0) progress.line(`left out ${skipped.length} undecodable image(s): ${skipped.join(", ")}`);
    const common = { source, ...variantsOf(experiment), cacheFolder };
    // In latent space the pixels are for the evaluation only, which looks at the centre crops of some of them.
    const compared = () => subsetSource(source, comparedImages(experiment, source.length));
    const pixels = latents === null ? common : { source: compared(), flips: false, cacheFolder };
    const plans: Record<string, CachePlan> = { images: planImages({ ...pixels, sizePx: data.sizePx }) };
    if (latents !== null && autoencoder !== undefined) {
      const { sizePx } = data;
      const { settings } = autoencoder;
      plans["latents"] = await planLatents({ ...common, autoencoder: settings, sizePx, dtype: latents.cacheDtype });
    }
    const targets = targetsOf(experiment.arms);
    const { cacheDtype: dtype, device } = align;
    const planned = await planTargets({ ...common, targets, grid: gridOf(experiment), dtype, device });
    const targetPlans = Object.fromEntries(targets.map((target, i) => [target, planned[i]!]));
    await checkDiskSpace({ ...plans, ...targetPlans }, cacheFolder, progress);
    const caches: Record<string, CacheReport> = {};
    for (const [name, plan] of Object.entries(plans)) {
      caches[name] = await cacheWithProgress(progress, name, plan, part ?? undefined);
    }
    if (targets.length > 0) Object.assign(caches, await cacheTogether(progress, targetPlans, part ?? undefined));
    const namesOf = (is: (report: CacheReport) => boolean) => Object.keys(caches).filter((name) => is(caches[name]!));
    const reused = namesOf((report) => report.reused);
    const incomplete = namesOf((report) => report.missing > 0);
    if (incomplete.length > 0) return { reused, incomplete };
    const { images, latents: cachedLatents } = caches;
    await drawTargets(experiment, source, path.join(runFolder, "targets"), progress);
    const described =
      latents === null || cachedLatents === undefined || autoencoder === undefined
        ? {}
        : {
            latents: await describeLatents(
              experiment,
              latents,
              autoencoder,
              { source, cached: cachedLatents, runFolder },
              progress,
            ),
          };
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
      images: storeOf(images!),
      ...described,
      targets: Object.fromEntries(targets.map((name) => [name, storeOf(caches[name]!)])),
    };
    await writeFeaturesRecord(runFolder, record, workingFolder);
    return { reused, incomplete };
  } finally {
    await source.close();
  }
}

/** The variants of each image that are cached. */
const variantsOf = (experiment: Experiment) => {
  const { flips, variants } = experiment.data;
  return { flips, variants, seed: imagesSeed(experiment) };
};

/** Of the choice of images and of their crops. */
const imagesSeed = ({ data, seed }: Experiment): number => data.seed ?? seed;

/** What later steps would stumble over, as far as it can be known with the images open: better now than after the training. */
async function checkBeforehand(
  experiment: Experiment,
  source: ImageSource,
  progress: ProgressSink,
): Promise<AutoencoderFiles | undefined> {
  const { name, length } = source;
  const origin = { file: experiment.name, locate: () => experiment.name };
  checkCounts(experiment, { count: length, said: `the ${length} images of ${name}` }, origin);
  for (const target of targetsOf(experiment.arms)) {
    await loadDescriptor(parseTarget(target), { source, ...variantsOf(experiment) }, downloadProgress(progress));
  }
  await checkEvaluation(experiment, progress);
  const { latents, data } = experiment;
  return latents === null ? undefined : checkAutoencoder(latents, data.sizePx);
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
    device: experiment.align.device,
    ...(spatialNorm == null ? {} : { spatialNorm }),
  });
  task.finish(`${targets.join(", ")} on ${firstOfClass.size} images`);
}

function storeOf({ folder, key }: CacheReport): CachedStore {
  return { folder, key };
}
