/**
 * @file From planned jobs to BullMQ's flows. A flow is a tree whose parents wait for their children, and a job has one parent.
 * A plan has one job that many wait for, the features: its own flow comes first, and whoever has done it adds the rest.
 */
import type { FlowJob } from "bullmq";
import type { Job, JobStep } from "../run/plan.js";
import { taskLabel } from "../run/steps/step.js";
import { type NextJobs, toJobData } from "./job-data.js";

/** An arm that is begun is finished before another begins: the later step has the smaller number, and goes first. */
const PRIORITIES: Readonly<Record<JobStep, number>> = { features: 1, evaluate: 2, sample: 3, train: 4 };

/** How often a job is tried whose process died without a word (out of memory, say). What it knows how to say is final. */
const ATTEMPTS = 3;
const RETRY_MS = 2000;

/** What a job is called: the step and what it is done for. */
export function nameOf({ step, arm, part }: Job): string {
  return taskLabel(step, arm ?? (part === null ? "" : `part ${part.index}/${part.count}`)).trimEnd();
}

/** The jobs of one run. */
export interface RunFlows {
  /** To be added now. */
  readonly first: readonly FlowJob[];
  /** Ids of the jobs that no other waits for: when they are done, all is. */
  readonly last: readonly string[];
}

/**
 * @param jobs  of one run, as planned.
 */
export function flowsOf(jobs: readonly Job[], queueName: string): RunFlows {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const needed = new Set(jobs.flatMap(({ needs }) => needs));
  const roots = jobs.filter(({ id }) => !needed.has(id));
  const gate = jobs.find(({ step, part }) => step === "features" && part === null);
  const treeOf = (job: Job, next: NextJobs): FlowJob => ({
    name: nameOf(job).replace(/ +/g, " "),
    queueName,
    data: toJobData(job, next),
    opts: {
      jobId: job.id,
      priority: PRIORITIES[job.step],
      attempts: ATTEMPTS,
      backoff: { type: "exponential", delay: RETRY_MS },
      failParentOnFailure: true,
      // What is done stands in the run's folder. Redis remembers only what is still to do, so that a job can come again.
      removeOnComplete: true,
      removeOnFail: true,
    },
    children: job.needs.filter((id) => id !== gate?.id).map((id) => treeOf(byId.get(id)!, null)),
  });
  const last = roots.map(({ id }) => id);
  if (gate === undefined) return { first: roots.map((root) => treeOf(root, null)), last };
  const after = jobs.filter(({ step }) => step !== "features");
  const next = {
    steps: [...new Set(after.map(({ step }) => step))],
    arms: [...new Set(after.flatMap(({ arm }) => arm ?? []))],
  };
  return { first: [treeOf(gate, next.steps.length === 0 ? null : next)], last };
}
