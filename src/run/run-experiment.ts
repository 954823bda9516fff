/** @file The whole way of an experiment in this process, from images to a report; what is done is skipped. */
import { lockFolder } from "../../data/folder-lock.js";
import { doJobs } from "./do-jobs.js";
import { JOB_STEPS, planJobs } from "./plan.js";
import type { Run } from "./run-folder.js";
import { reportStep } from "./steps/report.js";
import type { StepOptions, StepOutcome } from "./steps/step.js";

/** The steps in their order. */
export const STEPS = [...JOB_STEPS, "report"] as const;
export type StepName = (typeof STEPS)[number];

/** What each step did. */
export type RunOutcome = Readonly<Partial<Record<StepName, readonly StepOutcome[]>>>;

/**
 * Walk some steps, or all, of a run. The jobs of a step are done together.
 *
 * @param steps which; always walked in their order.
 * @throws {DescryError} the first thing that goes wrong; what was done stays and is skipped the next time.
 * @throws {BusyError} another process works on the run.
 * @throws {Interrupted} the user stopped it.
 */
export async function runExperiment(
  run: Run,
  options: StepOptions,
  steps: readonly StepName[] = STEPS,
): Promise<RunOutcome> {
  const { part } = options;
  const lock = await lockFolder(run.folder, part === undefined ? {} : { share: `${part.index}-of-${part.count}` });
  try {
    const outcome: Partial<Record<StepName, readonly StepOutcome[]>> = {};
    const wanted = JOB_STEPS.filter((step) => steps.includes(step));
    const jobs = planJobs(run, { steps: wanted, arms: options.arms });
    const { arms: _, ...others } = options;
    for (const step of wanted) {
      const together = jobs.filter((job) => job.step === step);
      outcome[step] = await doJobs(together, others);
    }
    if (steps.includes("report")) outcome.report = await reportStep(run, options);
    return outcome;
  } finally {
    await lock.release();
  }
}
