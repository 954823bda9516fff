/** @file What a job carries through Redis. It is checked when it is taken: anybody may write into a Redis. */
import path from "node:path";
import { z } from "zod";
import { CacheError, DescryError, UsageError } from "../../data/errors.js";
import { readVersions } from "../run/machine.js";
import { JOB_STEPS, type Job } from "../run/plan.js";
import { hashExperiment } from "../run/resolve-experiment.js";
import { cacheFolderOf, openRun, type Run } from "../run/run-folder.js";
import type { Experiment } from "../run/schema.js";

const stepSchema = z.enum(JOB_STEPS);

const jobDataSchema = z.strictObject({
  /** Of descry and the libraries that numbers depend on, where the job was made. */
  versions: z.record(z.string(), z.string()),
  /** Relative to the working folder, with slashes. */
  runFolder: z.string().regex(/^[^/\\:][^\\]*$/),
  /** Values that change no result (threads, …) may differ from those in the run folder; the hash may not. */
  experiment: z.looseObject({}),
  step: stepSchema,
  arm: z.string().nullable(),
  part: z.strictObject({ index: z.int().min(1), count: z.int().min(1) }).nullable(),
  /** What becomes possible when the job is done and is added then: BullMQ's jobs have one parent, the features have many. */
  next: z.strictObject({ steps: z.array(stepSchema), arms: z.array(z.string()) }).nullable(),
});
export type JobData = z.output<typeof jobDataSchema>;

/** What follows a job that several others wait for. */
export type NextJobs = JobData["next"];

/**
 * A job as it goes into Redis.
 *
 * @throws {UsageError} the run's folder is not in the working folder, which is all that workers share.
 */
export function toJobData({ run, step, arm, part }: Job, next: NextJobs): JobData {
  const { workingFolder, experiment } = run.record;
  const relative = path.relative(workingFolder, run.folder);
  if (relative === "" || path.isAbsolute(relative) || relative.split(path.sep)[0] === "..") {
    throw new UsageError(`${run.folder} is not in the working folder ${workingFolder}, which the workers share`, {
      hint: "choose --runs in it",
    });
  }
  const runFolder = relative.split(path.sep).join("/");
  return { versions: sharedVersions(), runFolder, experiment: { ...experiment }, step, arm, part, next };
}

/**
 * A job out of Redis.
 *
 * @param workingFolder of this machine, absolute.
 * @throws {DescryError} tag `QueueError`: not made by this version of descry. @throws {UsageError} no such run here.
 * @throws {CacheError} another experiment than the run folder's.
 */
export async function fromJobData(
  id: string,
  given: unknown,
  workingFolder: string,
): Promise<{ job: Job; next: NextJobs }> {
  refuseOtherVersions((given as { versions?: unknown } | null)?.versions);
  const parsed = jobDataSchema.safeParse(given);
  if (!parsed.success || parsed.data.runFolder.split("/").includes("..")) {
    throw new DescryError("QueueError", `job ${id}: not a job of descry`, { hint: "another program uses this prefix" });
  }
  const { runFolder, step, arm, part, next } = parsed.data;
  const experiment = parsed.data.experiment as unknown as Experiment;
  const run = await openSharedRun(path.join(workingFolder, runFolder), workingFolder, experiment);
  return { job: { id, run, step, arm, part, needs: [] }, next };
}

async function openSharedRun(folder: string, workingFolder: string, experiment: Experiment): Promise<Run> {
  const run = await openRun(folder, workingFolder);
  if (hashExperiment(experiment) !== run.record.hash) {
    throw new CacheError(`${folder}: holds another experiment than the job's`, { hint: "submit the experiment again" });
  }
  // Whatever the folder is called where the run was made, here it is this one.
  return { folder, cacheFolder: cacheFolderOf(workingFolder), record: { ...run.record, experiment, workingFolder } };
}

/** Node's own version changes no numbers. */
function sharedVersions(): Record<string, string> {
  const { node: _, ...versions } = readVersions();
  return versions;
}

function refuseOtherVersions(theirs: unknown): void {
  const versions = (theirs ?? {}) as Readonly<Record<string, unknown>>;
  for (const [name, here] of Object.entries(sharedVersions())) {
    if (versions[name] === here) continue;
    throw new DescryError(
      "QueueError",
      `the job was submitted with ${name} ${String(versions[name] ?? "?")}, this worker has ${here}`,
      { hint: "install the same version of descry everywhere" },
    );
  }
}
