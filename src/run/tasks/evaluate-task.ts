import { readFile } from "node:fs/promises";
import { DataError } from "../../../data/errors.js";
import { type EvaluationProgress, openEvaluator } from "../../evaluate/evaluate-samples.js";
import type { SampleRecord } from "../../sample/sample-arm.js";
import type { AlongPoint } from "../along-training.js";
import { comparedImages } from "../compared-images.js";
import { readFeaturesRecord } from "../features-record.js";
import { formatDuration } from "../format.js";
import type { ProgressSink, TaskProgress } from "../progress.js";
import { armFiles } from "../run-folder.js";
import type { Experiment } from "../schema.js";
import { taskLabel } from "../steps/step.js";
import { openCachedSource } from "./cached-source.js";

export interface EvaluateInput {
  readonly runFolder: string;
  readonly experiment: Experiment;
  readonly arms: readonly string[];
  /** Points along the training of arms. */
  readonly along?: readonly { readonly arm: string; readonly point: AlongPoint }[];
}

/** Evaluate the samples of some arms against one reference. */
export async function evaluateTask(
  { runFolder, experiment, arms, along = [] }: EvaluateInput,
  progress: ProgressSink,
): Promise<null> {
  const { data, evaluate, seed, train } = experiment;
  const record = await readFeaturesRecord(runFolder);
  const cached = record.latents === undefined ? undefined : comparedImages(experiment, record.source.length);
  const source = await openCachedSource(record, data.sizePx, cached);
  const count = evaluate.referenceCount ?? source.length;
  const referenceTask = progress.task(taskLabel("evaluate", "reference"), count, "images");
  const began = performance.now();
  const evaluator = await openEvaluator({
    reference: { source, sizePx: data.sizePx, count },
    network: evaluate.network,
    neighbours: evaluate.neighbours,
    kidSubsets: evaluate.kidSubsets,
    kidSubsetSize: evaluate.kidSubsetSize,
    inceptionSplits: evaluate.inceptionSplits,
    seed,
    threads: train.threads,
    onProgress: stageProgress(referenceTask, "reference"),
  });
  const time = formatDuration((performance.now() - began) / 1000);
  referenceTask.finish(`${count} real images through ${evaluator.network.name}, ${time}`);
  try {
    const sets = [
      ...along.map(({ arm, point }) => ({ arm, files: point, label: `${arm}, step ${point.step}` })),
      ...arms.map((arm) => ({ arm, files: armFiles(runFolder, arm), label: arm })),
    ];
    for (const { arm, files, label } of sets) {
      const drawn = await readSampleRecord(files.samplesRecord);
      const task = progress.task(taskLabel("evaluate", label), drawn.count, "images");
      const record = await evaluator.evaluate({
        samplesPath: files.samples,
        sampleRecord: { ...drawn.sampler },
        arm,
        step: drawn.step ?? train.steps,
        weights: drawn.weights,
        outPath: files.evaluation,
        onProgress: stageProgress(task, "samples"),
      });
      const distance = record.metrics.frechet_distance;
      const said = distance === null ? "Fréchet distance not measured" : `Fréchet distance ${distance.toPrecision(4)}`;
      task.finish(`${said}${record.network.proxy ? ` (proxy: ${record.network.name})` : ""}`);
    }
  } finally {
    await evaluator.dispose();
    await source.close();
  }
  return null;
}

async function readSampleRecord(file: string): Promise<SampleRecord> {
  const text = await readFile(file, "utf8");
  try {
    return JSON.parse(text) as SampleRecord;
  } catch (cause) {
    throw new DataError(`${file}: not valid JSON`, {
      hint: "draw the samples again: descry sample RUN --again",
      cause,
    });
  }
}

/** Follow one stage of an evaluation; the others are quick or belong to another task. */
function stageProgress(task: TaskProgress, followed: Parameters<EvaluationProgress>[0]): EvaluationProgress {
  return (stage, done) => {
    if (stage === followed) task.update(done);
  };
}
