/** @file The whole way of an experiment, from images to a report: five steps, each of which skips what is done. */
import { lockFolder } from "../../data/folder-lock.js";
import type { Run } from "./run-folder.js";
import { evaluateStep } from "./steps/evaluate.js";
import { featuresStep } from "./steps/features.js";
import { reportStep } from "./steps/report.js";
import { sampleStep } from "./steps/sample.js";
import type { StepOptions, StepOutcome } from "./steps/step.js";
import { trainStep } from "./steps/train.js";

/** The steps in their order. */
export const STEPS = {
  features: featuresStep,
  train: trainStep,
  sample: sampleStep,
  evaluate: evaluateStep,
  report: reportStep,
} satisfies Record<string, (run: Run, options: StepOptions) => Promise<StepOutcome[]>>;
export type StepName = keyof typeof STEPS;

/** What each step did. */
export type RunOutcome = Readonly<Partial<Record<StepName, readonly StepOutcome[]>>>;

/**
 * Walk some steps, or all, of a run.
 *
 * @param steps which; always walked in their order.
 * @throws {DescryError} the first thing that goes wrong; what was done stays and is skipped the next time.
 * @throws {CacheError} another process works on the run.
 * @throws {Interrupted} the user stopped it.
 */
export async function runExperiment(
  run: Run,
  options: StepOptions,
  steps: readonly StepName[] = Object.keys(STEPS) as StepName[],
): Promise<RunOutcome> {
  const { part } = options;
  const lock = await lockFolder(run.folder, part === undefined ? {} : { share: `${part.index}-of-${part.count}` });
  try {
    const outcome: Partial<Record<StepName, readonly StepOutcome[]>> = {};
    for (const name of Object.keys(STEPS) as StepName[]) {
      if (steps.includes(name)) outcome[name] = await STEPS[name](run, options);
    }
    return outcome;
  } finally {
    await lock.release();
  }
}
