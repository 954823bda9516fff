import { readFile } from "node:fs/promises";
import { DataError } from "../../../data/errors.js";
import { type EvaluationProgress, openEvaluator } from "../../evaluate/evaluate-samples.js";
import type { Reference } from "../../evaluate/reference-pool.js";
import type { SampleRecord } from "../../sample/sample-arm.js";
import { downloadProgress } from "../download-progress.js";
import { readFeaturesRecord } from "../features-record.js";
import { formatDuration } from "../format.js";
import type { ProgressSink, TaskProgress } from "../progress.js";
import type { Experiment } from "../schema.js";
import { taskLabel } from "../steps/step.js";
import { openCachedSource } from "./cached-source.js";

/** One file to write. */
export interface Evaluation {
  readonly arm: string;
  readonly network: string;
  /** To be written. */
  readonly file: string;
  /** For people: the arm, and where it is not its end the step. */
  readonly label: string;
  /** Whether the samples' influences are wanted: the intervals of the report are those of the end. */
  readonly withInfluence: boolean;
  /** To be read. */
  readonly samples: string;
  readonly samplesRecord: string;
}

export interface EvaluateInput {
  readonly runFolder: string;
  readonly experiment: Experiment;
  readonly evaluations: readonly Evaluation[];
}

/** Evaluate the samples of some arms against one reference, by one network after the other. */
export async function evaluateTask(
  { runFolder, experiment, evaluations }: EvaluateInput,
  progress: ProgressSink,
): Promise<null> {
  const { reference, close } = await openReferenceOf(runFolder, experiment);
  try {
    for (const network of new Set(evaluations.map((one) => one.network))) {
      const wanted = evaluations.filter((one) => one.network === network);
      await evaluateBy(network, wanted, reference, experiment, progress);
    }
  } finally {
    await close();
  }
  return null;
}

/** The reference file, or cached images of the data set. */
async function openReferenceOf(runFolder: string, experiment: Experiment) {
  const { data, evaluate } = experiment;
  const { reference: file } = evaluate;
  if (file !== null) return { reference: { file }, close: async () => {} };
  const record = await readFeaturesRecord(runFolder);
  const source = await openCachedSource(record, data.sizePx, experiment.seed);
  const count = evaluate.referenceCount ?? source.length;
  return { reference: { source, sizePx: data.sizePx, count }, close: () => source.close() };
}

async function evaluateBy(
  network: string,
  evaluations: readonly Evaluation[],
  reference: Reference,
  { evaluate, seed, train }: Experiment,
  progress: ProgressSink,
): Promise<void> {
  const count = "count" in reference ? reference.count : undefined;
  const referenceTask = progress.task(taskLabel("evaluate", "reference"), count ?? 0, "images");
  const began = performance.now();
  const evaluator = await openEvaluator({
    reference,
    network,
    neighbours: evaluate.neighbours,
    kidSubsets: evaluate.kidSubsets,
    kidSubsetSize: evaluate.kidSubsetSize,
    inceptionSplits: evaluate.inceptionSplits,
    seed,
    threads: train.threads,
    onDownload: downloadProgress(progress),
    onProgress: stageProgress(referenceTask, "reference"),
  });
  try {
    const { proxy } = evaluator.network;
    const time = formatDuration((performance.now() - began) / 1000);
    referenceTask.finish(
      `${count === undefined ? "the reference file" : `${count} real images`} through ${network}, ${time}`,
    );
    for (const { arm, file, label, withInfluence, samples, samplesRecord } of evaluations) {
      const drawn = await readSampleRecord(samplesRecord);
      const task = progress.task(taskLabel("evaluate", label), drawn.count, "images");
      const { metrics } = await evaluator.evaluate({
        samplesPath: samples,
        sampleRecord: { ...drawn.sampler },
        arm,
        step: drawn.step ?? train.steps,
        weights: drawn.weights,
        outPath: file,
        withInfluence,
        onProgress: stageProgress(task, "samples"),
      });
      const distance = metrics.frechet_distance;
      const metric = proxy ? "Fréchet distance" : "FID";
      const said = distance === null ? `${metric} not measured` : `${metric} ${distance.toPrecision(4)}`;
      task.finish(`${said}${proxy ? ` (proxy: ${network})` : ""}`);
    }
  } finally {
    await evaluator.dispose();
  }
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
