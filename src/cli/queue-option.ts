import { UsageError } from "../../data/errors.js";
import type { PlannedJobs } from "../queue/submit-jobs.js";
import type { BareFeatures, JobStep } from "../run/plan.js";
import type { ProgressSink } from "../run/progress.js";
import type { Run } from "../run/run-folder.js";
import { type Arguments, textOption, wholeOption } from "./command.js";
import type { CliContext } from "./context.js";
import { DEFAULT_PARTS } from "./experiment-options.js";

/** A run, and a few words that tell it from the others of a sweep (empty: it is alone). */
export interface QueuedRun {
  readonly run: Run;
  readonly words: string;
}

/**
 * Where `--queue` is given, have workers do some steps of some runs, and wait until they are done.
 *
 * @returns false without `--queue`: nothing was done.
 * @throws {UsageError} `--parts` without it. @throws {DescryError} tags `QueueError`, `JobError`; see `submitJobs`.
 */
export function runByWorkers(
  runs: readonly QueuedRun[],
  steps: readonly JobStep[],
  args: Arguments,
  context: CliContext,
  progress: ProgressSink,
): Promise<boolean> {
  return submit(args, context, progress, async (parts) => {
    const { planJobs } = await import("../run/plan.js");
    const { areFeaturesCached } = await import("../run/steps/features.js");
    const plans = [];
    for (const { run, words } of runs) {
      const jobs = planJobs(run, { steps, parts: (await areFeaturesCached(run)) ? 1 : parts });
      plans.push({ jobs, words });
    }
    return plans;
  });
}

/** The same for features without an experiment. */
export function cacheByWorkers(
  features: BareFeatures,
  args: Arguments,
  context: CliContext,
  progress: ProgressSink,
): Promise<boolean> {
  return submit(args, context, progress, async (parts) => {
    const { planBareJobs } = await import("../run/plan.js");
    return [{ jobs: planBareJobs(features, parts), words: "" }];
  });
}

async function submit(
  args: Arguments,
  { env, signal }: CliContext,
  progress: ProgressSink,
  plan: (parts: number) => Promise<readonly PlannedJobs[]>,
): Promise<boolean> {
  const given = queueAsked(args);
  if (given === undefined) return false;
  const { parseQueueAddress } = await import("../queue/queue-address.js");
  const { submitJobs } = await import("../queue/submit-jobs.js");
  const parts = wholeOption(args, "parts", 1) ?? DEFAULT_PARTS;
  const address = parseQueueAddress(given, env);
  await submitJobs(await plan(parts), { address, progress, signal });
  return true;
}

/** `--queue`. @throws {UsageError} `--parts` without it. */
function queueAsked(args: Arguments): string | undefined {
  const given = textOption(args, "queue");
  if (given === undefined && args["parts"] !== undefined) {
    throw new UsageError("--parts divides the jobs of a queue: wanted with --queue");
  }
  return given;
}

/** @throws {UsageError} `--queue` with an option that starts over: workers only continue. */
export function refuseWithQueue(args: Arguments, option: string, isGiven: boolean): void {
  if (!isGiven || args["queue"] === undefined) return;
  throw new UsageError(`${option} and --queue at once: jobs of a queue continue what is there`, {
    hint: "remove the run's folder to start over",
  });
}

/** @throws {UsageError} `--queue` with `--shard`: a queue divides the features itself. */
export function refuseShardWithQueue(args: Arguments): void {
  if (args["shard"] === undefined || args["queue"] === undefined) return;
  throw new UsageError("--shard and --queue at once: the jobs of a queue are parts already", {
    hint: "--parts says how many",
  });
}
