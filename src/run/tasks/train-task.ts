import { createHash } from "node:crypto";
import { openRowStore, type RowStore } from "../../../data/row-store.js";
import { variantCount } from "../../../data/variants.js";
import { listCheckpoints } from "../../train/checkpoint.js";
import { trainArm } from "../../train/train-arm.js";
import { isKept, keptWeightsFile } from "../along-training.js";
import { type FeaturesRecord, openCachedStore, readFeaturesRecord } from "../features-record.js";
import { formatDuration } from "../format.js";
import type { ProgressSink } from "../progress.js";
import { armFiles, findArm, isWrittenFile } from "../run-folder.js";
import type { AlignConfig, Experiment } from "../schema.js";
import { sitConfigOf } from "../space.js";
import { taskLabel } from "../steps/step.js";
import { type Film, type FilmInput, openFilm } from "./film.js";
import { keepWeights } from "./keep-weights.js";
import { openSampleDecoder } from "./sample-task.js";

export interface TrainInput {
  readonly runFolder: string;
  readonly experiment: Experiment;
  /** Of the experiment. */
  readonly hash: string;
  readonly arm: string;
}

export interface TrainResult {
  /** False when the signal stopped it, with a checkpoint. */
  readonly finished: boolean;
}

/** Train one arm, or go on after its newest checkpoint. */
export async function trainTask(
  { runFolder, experiment, hash, arm: name }: TrainInput,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<TrainResult> {
  const { align } = findArm(experiment, name);
  const { train, data, seed } = experiment;
  const record = await readFeaturesRecord(runFolder);
  const { latents } = record;
  const images = await openCachedStore(latents ?? record.images);
  const features = align === null ? undefined : await openTarget(record, align.target);
  if (train.precision === "mixed" && train.device === "cpu") {
    progress.line("mixed precision on the cpu is an emulation: the numbers of float16 products, slower than float32");
  }
  const task = progress.task(taskLabel("train", name), train.steps, "steps");
  const began = performance.now();
  const model = sitConfigOf(experiment, record.source.classes.length);
  let last = "";
  let film: Film | undefined;
  try {
    const keep = async (checkpoint: string, step: number): Promise<void> => {
      const file = keptWeightsFile(runFolder, name, step);
      if (!isKept(step, experiment) || (await isWrittenFile(file))) return;
      await keepWeights(checkpoint, file, experiment.sample.weights);
    };
    // Killed between a checkpoint and what is kept of it.
    const newest = (await listCheckpoints(armFiles(runFolder, name).folder)).at(-1);
    if (newest !== undefined) await keep(newest.path, newest.step);
    film = await beginFilm({ runFolder, experiment, arm: name, config: model, images }, record, features, progress);
    const result = await trainArm({
      folder: armFiles(runFolder, name).folder,
      model,
      images,
      ...(latents === undefined ? {} : { latents: { scale: latents.scale, bias: latents.bias } }),
      sourceLength: record.source.length,
      variants: variantCount(data),
      options: train,
      seed,
      threads: train.threads,
      device: train.device,
      resume: true,
      configHash: identityOf(hash, record, align),
      signal,
      ...(align === null || features === undefined ? {} : alignmentOf(align, features)),
      onStep: ({ step, loss, alignment_loss }) => {
        last = `loss ${loss.toFixed(3)}${alignment_loss === undefined ? "" : `, alignment ${alignment_loss.toFixed(3)}`}`;
        task.update(step, last);
      },
      onCheckpoint: async (checkpoint, step) => {
        await keep(checkpoint, step);
        await film?.shoot(checkpoint, step);
      },
    });
    const time = formatDuration((performance.now() - began) / 1000);
    const from = result.resumedFrom === 0 ? "" : `, continued after step ${result.resumedFrom}`;
    task.finish(`${result.step} steps, ${last}, ${time}${from}${result.finished ? "" : ", stopped"}`);
    return { finished: result.finished };
  } finally {
    await film?.dispose();
    await images.close();
    await features?.close();
  }
}

/** The film of an arm; undefined where none is wanted. A control is shown in the colours of the experiment's first target. */
async function beginFilm(
  input: Pick<FilmInput, "runFolder" | "experiment" | "arm" | "config" | "images">,
  record: FeaturesRecord,
  features: RowStore | undefined,
  progress: ProgressSink,
): Promise<Film | undefined> {
  const { experiment, arm } = input;
  if (experiment.sample.film === 0) return undefined;
  const own = findArm(experiment, arm).align;
  const align = own ?? experiment.arms.find((one) => one.align !== null)?.align ?? null;
  const cached = align === null ? undefined : record.targets[align.target];
  const opened: RowStore[] = [];
  const open = async ({ folder, key }: { readonly folder: string; readonly key: string }) => {
    const store = await openRowStore(folder, key);
    opened.push(store);
    return store;
  };
  try {
    const pixels = await open(record.images);
    const store = features ?? (cached === undefined ? undefined : await open(cached));
    const decoder = record.latents === undefined ? undefined : await openSampleDecoder(experiment, record.latents);
    return await openFilm({
      ...input,
      pixels,
      ...(decoder === undefined ? {} : { decoder }),
      sourceLength: record.source.length,
      target: align === null || store === undefined ? null : { align, store },
      onSkipped: (why) => progress.line(why),
    });
  } finally {
    // It has read what it needs of them.
    for (const store of opened) await store.close();
  }
}

function openTarget({ targets }: FeaturesRecord, target: string) {
  const cached = targets[target];
  if (cached === undefined) throw new Error(`features.json lacks ${target}`);
  return openCachedStore(cached);
}

function alignmentOf(align: AlignConfig, store: RowStore) {
  const { projector, kernel, spatialNorm, coefficient, depth, projectorWidth } = align;
  const dim = store.header.columns["features"]!.shape[1]!; // [T,D]
  return {
    projector: { type: projector, width: projectorWidth, ...(kernel === null ? {} : { kernel }) },
    alignDepth: depth,
    target: { store, dim, coefficient, ...(spatialNorm === null ? {} : { spatialNorm }) },
  };
}

/** Names everything that the arm's weights depend on: the experiment, and the very images or latents and features in the cache. */
function identityOf(hash: string, { images, latents, targets }: FeaturesRecord, align: AlignConfig | null): string {
  const target = align === null ? "" : (targets[align.target]?.key ?? "");
  const seen = latents === undefined ? [images.key] : [latents.key, latents.scale, latents.bias];
  return createHash("sha256")
    .update(JSON.stringify([hash, ...seen, target]))
    .digest("hex")
    .slice(0, 16);
}
