/**
 * @file The pieces of work that run in a process of their own: what each gets, what it gives back, and where its code is. Only
 * the child loads that code; the parent knows the types alone.
 */
import type { ImportedRecord } from "../../report/records.js";
import type { ExportInput, ExportResult } from "../hand-over/export-run.js";
import type { ImportInput } from "../hand-over/import-weights.js";
import type { ProgressSink } from "../progress.js";
import type { EvaluateInput } from "./evaluate-task.js";
import type { FeaturesInput, FeaturesResult } from "./features-task.js";
import type { ReferenceInput, ReferenceResult } from "./reference-task.js";
import type { ReportInput, ReportResult } from "./report-task.js";
import type { SampleInput } from "./sample-task.js";
import type { TargetFeaturesInput, TargetFeaturesResult } from "./target-features-task.js";
import type { TrainInput, TrainResult } from "./train-task.js";

/** What each task is given: plain JSON. */
export interface TaskInputs {
  features: FeaturesInput;
  targetFeatures: TargetFeaturesInput;
  train: TrainInput;
  sample: SampleInput;
  evaluate: EvaluateInput;
  reference: ReferenceInput;
  report: ReportInput;
  export: ExportInput;
  import: ImportInput;
}

/** What each task gives back: plain JSON. */
export interface TaskResults {
  features: FeaturesResult;
  targetFeatures: TargetFeaturesResult;
  train: TrainResult;
  sample: null;
  evaluate: null;
  reference: ReferenceResult;
  report: ReportResult;
  export: ExportResult;
  import: ImportedRecord;
}

export type TaskName = keyof TaskInputs;

type Task<N extends TaskName> = (
  input: TaskInputs[N],
  progress: ProgressSink,
  signal: AbortSignal,
) => Promise<TaskResults[N]>;

const LOADERS: { readonly [N in TaskName]: () => Promise<Task<N>> } = {
  features: async () => (await import("./features-task.js")).featuresTask,
  targetFeatures: async () => (await import("./target-features-task.js")).targetFeaturesTask,
  train: async () => (await import("./train-task.js")).trainTask,
  sample: async () => (await import("./sample-task.js")).sampleTask,
  evaluate: async () => (await import("./evaluate-task.js")).evaluateTask,
  reference: async () => (await import("./reference-task.js")).referenceTask,
  report: async () => (await import("./report-task.js")).reportTask,
  export: async () => (await import("../hand-over/export-run.js")).exportRun,
  import: async () => (await import("../hand-over/import-weights.js")).importWeights,
};

/** Tasks that stop by themselves, leaving everything in order, when their signal is aborted; the others are just ended. */
export const HEEDS_SIGNAL: ReadonlySet<TaskName> = new Set(["train"]);

/** Do a task in this process. */
export async function doTask<N extends TaskName>(
  name: N,
  input: unknown,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<TaskResults[N]> {
  const task = await LOADERS[name]();
  return task(input as TaskInputs[N], progress, signal);
}
