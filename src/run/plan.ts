/**
 * @file What there is to do for a run, as jobs and what each waits for. Whoever executes it (this process, one job after the
 * other, or workers that take jobs from a queue) does each job by `doJobs`.
 *
 *     features/1-of-2 ┐
 *     features/2-of-2 ┴─► features ─► train/ARM ─► sample/ARM ─► evaluate/ARM
 *
 * The report is no job: whoever asked for the run writes it.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import type { StorePart } from "../../data/row-plan.js";
import type { Run } from "./run-folder.js";
import { selectArms } from "./steps/step.js";
import type { TargetFeaturesInput } from "./tasks/target-features-task.js";

/** The steps that are jobs, in their order. */
export const JOB_STEPS = ["features", "train", "sample", "evaluate"] as const;
export type JobStep = (typeof JOB_STEPS)[number];

/** Features of any images, without an experiment: what is to be cached, and where. */
export interface BareFeatures {
  /** Folder that all who work share; relative paths are read from it. */
  readonly workingFolder: string;
  /** Its cache folder is relative to the working folder. */
  readonly input: Omit<TargetFeaturesInput, "part">;
}

/** One piece of work, which can be done again at any time: what is there is skipped or continued. */
export interface Job {
  /**
   * RUN/STEP, RUN/STEP/ARM or RUN/features/I-of-N, RUN being the run folder's name, or made of what is to be cached where there is no
   * run: the same wherever it is planned.
   */
  readonly id: string;
  /** What it is done for. */
  readonly of: Run | BareFeatures;
  readonly step: JobStep;
  /** Of all steps but the features. */
  readonly arm: string | null;
  /** Of the features: a part of their shards; null: whatever is missing. */
  readonly part: StorePart | null;
  /** Jobs that must be done before. */
  readonly needs: readonly string[];
}

export interface PlanOptions {
  /** @default all */
  readonly steps?: readonly JobStep[];
  /** Only these; all when left out. */
  readonly arms?: readonly string[] | undefined;
  /** Jobs that the features are divided into. @default 1 */
  readonly parts?: number;
}

/**
 * The jobs of some steps of a run, in an order in which they can be done.
 *
 * @throws {UsageError} an unknown arm.
 */
export function planJobs(run: Run, { steps = JOB_STEPS, arms, parts = 1 }: PlanOptions = {}): Job[] {
  const jobs = new Map<string, Job>();
  const plan = (step: JobStep, piece: string | StorePart | null, needs: readonly string[]): string => {
    const arm = typeof piece === "string" ? piece : null;
    const part = typeof piece === "string" ? null : piece;
    const words = arm ?? (part === null ? undefined : `${part.index}-of-${part.count}`);
    const id = [path.basename(run.folder), step, ...(words === undefined ? [] : [words])].join("/");
    const known = needs.filter((need) => jobs.has(need));
    if (steps.includes(step)) jobs.set(id, { id, of: run, step, arm, part, needs: known });
    return id;
  };
  const count = parts === 1 ? 0 : parts;
  const shares = Array.from({ length: count }, (_, i) => plan("features", { index: i + 1, count }, []));
  const features = plan("features", null, shares);
  const names = selectArms(run, { arms }).map(({ name }) => name);
  const trained = names.map((arm) => plan("train", arm, [features]));
  const sampled = names.map((arm, i) => plan("sample", arm, [trained[i]!]));
  for (const [i, arm] of names.entries()) plan("evaluate", arm, [sampled[i]!]);
  return [...jobs.values()];
}

/** The jobs of features without an experiment, in an order in which they can be done. @param parts 1: one job does all. */
export function planBareJobs(bare: BareFeatures, parts: number): Job[] {
  const hash = createHash("sha256").update(JSON.stringify(bare.input)).digest("hex").slice(0, 8);
  const whole = `cache-${hash}/features`;
  const common = { of: bare, step: "features", arm: null } as const;
  const shares = Array.from({ length: parts === 1 ? 0 : parts }, (_, i): Job => {
    const part = { index: i + 1, count: parts };
    return { ...common, id: `${whole}/${part.index}-of-${part.count}`, part, needs: [] };
  });
  return [...shares, { ...common, id: whole, part: null, needs: shares.map(({ id }) => id) }];
}

/** Whether a job is of no run. */
export const isBare = (of: Run | BareFeatures): of is BareFeatures => "input" in of;

/** The folder that those who do jobs share. */
export const sharedFolderOf = (of: Run | BareFeatures): string =>
  isBare(of) ? of.workingFolder : of.record.workingFolder;
