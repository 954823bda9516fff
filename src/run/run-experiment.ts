/** @file The whole way of an experiment in this process, from images to a report; what is done is skipped. */
import { type FolderLock, lockFolder } from "../../data/folder-lock.js";
import { discardUntouched } from "./discard-untouched.js";
import { doJobs, shareOf } from "./do-jobs.js";
import { JOB_STEPS, type Job, planJobs } from "./plan.js";
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
 * @throws {DescryError} the first thing that goes wrong; what was done stays and is skipped the next time. A run that was
 *   just made and in which nothing was done is gone again.
 * @throws {BusyError} another process works on the run.
 * @throws {Interrupted} the user stopped it.
 */
export async function runExperiment(
  run: Run,
  options: StepOptions,
  steps: readonly StepName[] = STEPS,
): Promise<RunOutcome> {
  const { arms, ...others } = options;
  const wanted = JOB_STEPS.filter((step) => steps.includes(step));
  const jobs = planJobs(run, { steps: wanted, arms });
  const locks: FolderLock[] = [];
  let isDone = false;
  try {
    for (const share of sharesOf(jobs, options, steps)) locks.push(await lockFolder(run.folder, share));
    const outcome: Partial<Record<StepName, readonly StepOutcome[]>> = {};
    for (const step of wanted) {
      const together = jobs.filter((job) => job.step === step);
      outcome[step] = await doJobs(together, others);
    }
    if (steps.includes("report")) outcome.report = await reportStep(run, options);
    isDone = true;
    return outcome;
  } finally {
    for (const lock of locks) await lock.release();
    if (!isDone) await discardUntouched([run]);
  }
}

/** What of the run nobody else may work on meanwhile: all of it, or the part or the arms that were asked for. */
function sharesOf(
  jobs: readonly Job[],
  { arms, part }: StepOptions,
  steps: readonly StepName[],
): { readonly share?: string }[] {
  if (part !== undefined) return [{ share: shareOf({ step: "features", arm: null, part }) }];
  if (arms === undefined || steps.includes("features") || steps.includes("report")) return [{}];
  return [...new Set(jobs.map(shareOf))].map((share) => ({ share }));
}
