/**
 * @file Hands jobs to a queue and follows them until all are done. What is done stands in the run folders and what is to do in
 * Redis, so this process may go away and come back: submitting again attaches to the jobs that are there.
 */
import { FlowProducer, Queue, QueueEvents } from "bullmq";
import { DescryError } from "../../data/errors.js";
import { type Job, sharedFolderOf } from "../run/plan.js";
import type { ProgressSink } from "../run/progress.js";
import { Interrupted } from "../run/task-process.js";
import { checkRedis } from "./check-redis.js";
import { flowsOf, nameOf, type RunFlows } from "./flows.js";
import { type JobProgressMessage, JobProgressViewer } from "./job-progress.js";
import type { QueueAddress } from "./queue-address.js";
import { queueNameOf } from "./queue-name.js";
import { tellOutages } from "./tell-outages.js";

/** Between two looks at whether the jobs are still there: events can be missed, and a Redis can forget. */
const LOOK_MS = 10_000;

/** The jobs of a run, and a few words that tell it from the others (empty: not needed). */
export interface PlannedJobs {
  readonly jobs: readonly Job[];
  readonly words: string;
}

export interface SubmitOptions {
  readonly address: QueueAddress;
  readonly progress: ProgressSink;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Have workers do jobs.
 *
 * @param plans one for each run; all runs have the same working folder.
 * @throws {DescryError} tag `QueueError`: no Redis. Tag `JobError`: jobs have failed; all others that could be done are done.
 * @throws {Interrupted} the signal; the jobs stay in the queue.
 */
export async function submitJobs(
  plans: readonly PlannedJobs[],
  { address, progress, signal }: SubmitOptions,
): Promise<void> {
  const queueName = await queueNameOf(sharedFolderOf(plans[0]!.jobs[0]!.of));
  const flows = plans.map(({ jobs }) => flowsOf(jobs, queueName));
  await checkRedis(address);
  const settings = { connection: { ...address.redis, maxRetriesPerRequest: null }, prefix: address.prefix };
  const queue = new Queue(queueName, settings);
  const producer = new FlowProducer(settings);
  const events = new QueueEvents(queueName, settings);
  for (const part of [queue, producer, events]) tellOutages(part, address, progress);
  const board = new Board(plans, progress);
  try {
    await events.waitUntilReady();
    const settled = follow(events, board, signal);
    settled.catch(() => undefined); // awaited below, perhaps after another error
    let workers: number | undefined;
    for (;;) {
      for (const one of flows) await addMissing(queue, producer, one, board);
      workers = await tellWorkers(queue, address, progress, workers);
      if (await Promise.race([settled.then(() => true), wait(LOOK_MS)])) break;
    }
  } finally {
    board.close();
    await Promise.allSettled([queue.close(), producer.close(), events.close()]);
  }
  board.throwFailures();
}

/** Add the jobs of a run that are not in the queue, unless the job that will add them is. */
async function addMissing(
  queue: Queue,
  producer: FlowProducer,
  { first, last }: RunFlows,
  board: Board,
): Promise<void> {
  for (const flow of first) {
    const id = flow.opts!.jobId!;
    if ((await queue.getJob(id)) !== undefined) continue;
    const covers = last.includes(id) ? [id] : last;
    const open = [];
    for (const one of covers) if (!board.isSettled(one) && (await queue.getJob(one)) === undefined) open.push(one);
    if (open.length > 0) await producer.add(flow);
  }
}

/** Resolves when every job is done or cannot be. @throws {Interrupted} */
function follow(events: QueueEvents, board: Board, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () =>
      reject(new Interrupted("interrupted — the jobs stay in the queue: the same command shows them again"));
    if (signal?.aborted === true) stop();
    signal?.addEventListener("abort", stop, { once: true });
    const settle = () => {
      if (board.isDone()) resolve();
    };
    events.on("progress", ({ jobId, data }) => board.show(jobId, data as unknown as JobProgressMessage));
    events.on("stalled", ({ jobId }) => board.lost(jobId));
    events.on("completed", ({ jobId }) => {
      board.complete(jobId);
      settle();
    });
    events.on("failed", ({ jobId, failedReason }) => {
      board.fail(jobId, failedReason);
      settle();
    });
  });
}

/** Say when there are no workers, and when there are some again. */
async function tellWorkers(
  queue: Queue,
  { shown }: QueueAddress,
  progress: ProgressSink,
  before: number | undefined,
): Promise<number> {
  const count = await queue.getWorkersCount();
  if (count === 0 && before !== 0) {
    progress.line(`no worker takes the jobs of this folder yet: descry worker --queue ${shown} --workdir FOLDER`);
  }
  if (count > 0 && (before ?? 0) === 0) progress.line(`${count} worker${count === 1 ? "" : "s"}`);
  return count;
}

/** What became of the jobs so far. */
class Board {
  private readonly jobs = new Map<string, { readonly job: Job; readonly words: string }>();
  private readonly last: readonly string[];
  private readonly done = new Set<string>();
  /** Failed, or after a job that has: with the reason where it is its own. */
  private readonly failed = new Map<string, string | null>();
  private readonly viewer: JobProgressViewer;
  private readonly total;
  private readonly labelWidth: number;

  constructor(
    plans: readonly PlannedJobs[],
    private readonly progress: ProgressSink,
  ) {
    for (const { jobs, words } of plans) for (const job of jobs) this.jobs.set(job.id, { job, words });
    const all = [...this.jobs.values()];
    const needed = new Set(all.flatMap(({ job }) => job.needs));
    this.last = all.flatMap(({ job: { id } }) => (needed.has(id) ? [] : [id]));
    this.labelWidth = Math.max(...[...this.jobs.keys()].map((id) => this.labelOf(id).length));
    this.viewer = new JobProgressViewer(progress);
    this.total = progress.task("jobs", all.length, "jobs");
  }

  isSettled(id: string): boolean {
    return this.done.has(id) || this.failed.has(id);
  }

  isDone(): boolean {
    return this.last.every((id) => this.isSettled(id));
  }

  show(id: string, message: JobProgressMessage): void {
    const entry = this.jobs.get(id);
    if (entry !== undefined) this.viewer.show(id, message, (given) => this.label(given, entry.words));
  }

  lost(id: string): void {
    if (!this.jobs.has(id)) return;
    this.viewer.end(id, "interrupted");
    this.progress.line(`${this.labelOf(id).trimEnd()}: no sign of life from its worker, another one takes it`);
  }

  /** What it needed is done too, perhaps before this process looked. */
  complete(id: string): void {
    const entry = this.jobs.get(id);
    if (entry === undefined || this.done.has(id)) return;
    this.done.add(id);
    this.viewer.end(id, "done");
    for (const need of entry.job.needs) this.complete(need);
    this.total.update(this.done.size);
  }

  fail(id: string, reason: string): void {
    if (!this.jobs.has(id) || this.failed.has(id)) return;
    this.viewer.end(id, "failed");
    this.failed.set(id, reason);
    this.progress.line(`${this.labelOf(id).trimEnd()}: ${oneLine(reason)}`);
    this.block(id);
  }

  close(): void {
    for (const id of this.jobs.keys()) this.viewer.end(id, "");
    const failed = this.failed.size === 0 ? "" : `, ${this.failed.size} failed or not begun`;
    this.total.finish(`${this.done.size} of ${this.jobs.size} done${failed}`);
  }

  /** @throws {DescryError} tag `JobError` */
  throwFailures(): void {
    const own = [...this.failed].filter(([, reason]) => reason !== null);
    const [first] = own;
    if (first === undefined) return;
    const others = own.length === 1 ? "" : ` (and ${own.length - 1} more, see above)`;
    throw new DescryError("JobError", `${this.labelOf(first[0]).trim()}: ${oneLine(first[1]!)}${others}`);
  }

  /** What waits for a failed job never comes. */
  private block(id: string): void {
    for (const { job } of this.jobs.values()) {
      if (!job.needs.includes(id) || this.failed.has(job.id)) continue;
      this.failed.set(job.id, null);
      this.block(job.id);
    }
  }

  private labelOf(id: string): string {
    const { job, words } = this.jobs.get(id)!;
    return this.label(nameOf(job), words);
  }

  private label(given: string, words: string): string {
    return [given.trimEnd(), words].join(" ").padEnd(this.labelWidth ?? 0);
  }
}

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, " ");

function wait(milliseconds: number): Promise<false> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), milliseconds);
  });
}
