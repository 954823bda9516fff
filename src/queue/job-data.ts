/** @file What a job carries through Redis. It is checked when it is taken: anybody may write into a Redis. */
import path from "node:path";
import { z } from "zod";
import { CacheError, DescryError, UsageError } from "../../data/errors.js";
import { CACHE_DTYPES } from "../../features/cache-dtypes.js";
import { DEVICES } from "../compile/step.js";
import { readVersions } from "../run/machine.js";
import { isBare, JOB_STEPS, type Job } from "../run/plan.js";
import { hashExperiment } from "../run/resolve-experiment.js";
import { cacheFolderOf, openRun, type Run } from "../run/run-folder.js";
import type { Experiment } from "../run/schema.js";

const stepSchema = z.enum(JOB_STEPS);

/** Of every job. */
const commonSchema = z.strictObject({
  /** Of descry and the libraries that numbers depend on, where the job was made. */
  versions: z.record(z.string(), z.string()),
  part: z.strictObject({ index: z.int().min(1), count: z.int().min(1) }).nullable(),
});

/** A path in the working folder, relative to it, with slashes. */
const sharedPath = z
  .string()
  .regex(/^[^/\\:][^\\]*$/)
  .refine((text) => !text.split("/").includes(".."));

const runJobSchema = commonSchema.extend({
  runFolder: sharedPath,
  /** Values that change no result (threads, …) may differ from those in the run folder; the hash may not. */
  experiment: z.looseObject({}),
  step: stepSchema,
  arm: z.string().nullable(),
  /** What becomes possible when the job is done and is added then: BullMQ's jobs have one parent, the features have many. */
  next: z.strictObject({ steps: z.array(stepSchema), arms: z.array(z.string()) }).nullable(),
});

/** Features without an experiment. */
const bareJobSchema = commonSchema.extend({
  features: z.strictObject({
    data: z.string(),
    targets: z.array(z.string()).min(1),
    grid: z.int().min(2),
    count: z.int().min(1).nullable(),
    flips: z.boolean(),
    skipBad: z.boolean(),
    dtype: z.enum(CACHE_DTYPES),
    cacheFolder: sharedPath,
    device: z.enum(DEVICES),
  }),
});
const jobDataSchema = z.union([runJobSchema, bareJobSchema]);
export type JobData = z.output<typeof jobDataSchema>;

/** What follows a job that several others wait for. */
export type NextJobs = z.output<typeof runJobSchema>["next"];

/**
 * A job as it goes into Redis.
 *
 * @throws {UsageError} the run's folder, or the cache, is not in the working folder, which is all that workers share.
 */
export function toJobData({ of, step, arm, part }: Job, next: NextJobs): JobData {
  const versions = sharedVersions();
  if (isBare(of)) {
    const cacheFolder = inSharedFolder(of.input.cacheFolder, of.workingFolder, "--cache");
    return { versions, features: { ...of.input, targets: [...of.input.targets], cacheFolder }, part };
  }
  const { workingFolder, experiment } = of.record;
  const runFolder = inSharedFolder(of.folder, workingFolder, "--runs");
  return { versions, runFolder, experiment: { ...experiment }, step, arm, part, next };
}

/** @param option that chooses the folder. */
function inSharedFolder(folder: string, workingFolder: string, option: string): string {
  const relative = path.relative(workingFolder, path.resolve(workingFolder, folder));
  if (relative === "" || path.isAbsolute(relative) || relative.split(path.sep)[0] === "..") {
    throw new UsageError(`${folder} is not in the working folder ${workingFolder}, which the workers share`, {
      hint: `choose ${option} in it`,
    });
  }
  return relative.split(path.sep).join("/");
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
  if (!parsed.success) {
    throw new DescryError("QueueError", `job ${id}: not a job of descry`, { hint: "another program uses this prefix" });
  }
  const { data } = parsed;
  const { part } = data;
  if ("features" in data) {
    const bare = { workingFolder, input: data.features };
    return { job: { id, of: bare, step: "features", arm: null, part, needs: [] }, next: null };
  }
  const { runFolder, step, arm, next } = data;
  const experiment = data.experiment as unknown as Experiment;
  const run = await openSharedRun(path.join(workingFolder, runFolder), workingFolder, experiment);
  return { job: { id, of: run, step, arm, part, needs: [] }, next };
}

async function openSharedRun(folder: string, workingFolder: string, experiment: Experiment): Promise<Run> {
  const run = await openRun(folder, workingFolder);
  if (hashExperiment(experiment) !== run.record.hash) {
    throw new CacheError(`${folder}: holds another experiment than the job's`, { hint: "submit the experiment again" });
  }
  // Whatever the folder is called where the run was made, here it is this one.
  const record = { ...run.record, experiment, workingFolder };
  return { folder, cacheFolder: cacheFolderOf(workingFolder), record, isNew: false };
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
