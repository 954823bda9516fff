import path from "node:path";
import { isBare, type Job } from "./plan.js";
import { evaluateStep } from "./steps/evaluate.js";
import { featuresStep } from "./steps/features.js";
import { sampleStep } from "./steps/sample.js";
import type { StepOptions, StepOutcome } from "./steps/step.js";
import { trainStep } from "./steps/train.js";
import { runTask } from "./task-process.js";

const ARM_STEPS = { train: trainStep, sample: sampleStep, evaluate: evaluateStep };

/**
 * Do jobs of one run and one step together: arms that are evaluated together share the pass of the real images through the
 * network. The caller has the run's lock, or one for these jobs.
 *
 * @param jobs at least one, all of the same run and step; of the features one; without a run one.
 * @throws {BusyError} another process writes the same cache. @throws {DescryError} what goes wrong; what was done stays.
 * @throws {Interrupted} the user stopped it.
 */
export async function doJobs(
  jobs: readonly Job[],
  { progress, signal, ...options }: Omit<StepOptions, "arms">,
): Promise<StepOutcome[]> {
  const { of, step, part } = jobs[0]!;
  const surroundings = { progress, ...(signal === undefined ? {} : { signal }) };
  if (isBare(of)) {
    const { workingFolder, input } = of;
    const cacheFolder = path.resolve(workingFolder, input.cacheFolder);
    const { targets } = await runTask(
      "targetFeatures",
      { ...input, cacheFolder, part },
      { cwd: workingFolder, ...surroundings },
    );
    return Object.entries(targets).map(([name, { missing }]) => ({ name, state: missing > 0 ? "part" : "done" }));
  }
  const how = { ...options, ...surroundings };
  if (step === "features") return featuresStep(of, part === null ? how : { ...how, part });
  return ARM_STEPS[step](of, { ...how, arms: jobs.map(({ arm }) => arm!) });
}

/** The share of the run's lock that a job is done under: others may do other jobs meanwhile, of other arms and other parts. */
export function shareOf({ step, arm, part }: Pick<Job, "step" | "arm" | "part">): string {
  if (step === "features") return part === null ? "features" : `${part.index}-of-${part.count}`;
  return `arm-${arm}`;
}
