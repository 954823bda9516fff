/**
 * @file A worker: takes one job after the other from the queue of its working folder. The work itself is done in a child
 * process, so the event loop here is free and BullMQ renews the job's lock however long native code computes.
 */
import { hostname } from "node:os";
import {
  DelayedError,
  FlowProducer,
  Queue,
  type Job as QueueJob,
  UnrecoverableError,
  WaitingError,
  Worker,
} from "bullmq";
import { unexpectedFileError } from "../../data/atomic.js";
import { lockFolder } from "../../data/folder-lock.js";
import { doJobs, shareOf } from "../run/do-jobs.js";
import { isBare, planJobs } from "../run/plan.js";
import type { ProgressSink } from "../run/progress.js";
import { Interrupted } from "../run/task-process.js";
import { checkRedis } from "./check-redis.js";
import { flowsOf } from "./flows.js";
import { fromJobData } from "./job-data.js";
import { type JobProgressMessage, sendingProgress } from "./job-progress.js";
import type { QueueAddress } from "./queue-address.js";
import { queueNameOf } from "./queue-name.js";
import { tellOutages } from "./tell-outages.js";

/** A job's worker may be lost so often (machines that are taken away, power cuts) before the job itself is suspected. */
const MOST_LOSSES = 20;
/** Until a job is looked at again whose folder another process is writing. */
const BUSY_MS = 3000;

export interface WorkOptions {
  readonly address: QueueAddress;
  /** Absolute: the folder that all workers and submitters share, under whatever path. */
  readonly workingFolder: string;
  /** A worker that has given no sign of life for so long is taken for lost, and its job goes to another. */
  readonly lostAfterSeconds: number;
  readonly progress: ProgressSink;
  /** Stops the worker; the job under way is handed back, for another to continue. */
  readonly signal: AbortSignal;
}

/**
 * Work until the signal comes.
 *
 * @returns how many jobs were done.
 * @throws {DescryError} tag `QueueError`: no Redis.
 */
export async function work(options: WorkOptions): Promise<number> {
  const { address, workingFolder, lostAfterSeconds, progress, signal } = options;
  await checkRedis(address);
  const queueName = await queueNameOf(workingFolder);
  const settings = { connection: { ...address.redis, maxRetriesPerRequest: null }, prefix: address.prefix };
  const queue = new Queue(queueName, settings);
  const producer = new FlowProducer(settings);
  let done = 0;
  const worker = new Worker(
    queueName,
    async (queued, token, lost) => {
      await doJob(queued, token!, lost as AbortSignal | undefined, { ...options, queue, producer });
      done++;
    },
    {
      ...settings,
      name: `${hostname()}:${process.pid}`,
      concurrency: 1,
      lockDuration: lostAfterSeconds * 1000,
      stalledInterval: lostAfterSeconds * 1000,
      maxStalledCount: MOST_LOSSES,
      autorun: false,
    },
  );
  for (const part of [worker, queue, producer]) tellOutages(part, address, progress);
  worker.on("lockRenewalFailed", (ids) => {
    for (const id of ids) worker.cancelJob(id);
  });
  try {
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([stopped, worker.run()]);
  } finally {
    await worker.close();
    await Promise.all([queue.close(), producer.close()]);
  }
  return done;
}

interface JobSurroundings extends WorkOptions {
  readonly queue: Queue;
  readonly producer: FlowProducer;
}

/** @param lost aborted when the lock is lost: another worker has the job now. */
async function doJob(
  queued: QueueJob,
  token: string,
  lost: AbortSignal | undefined,
  { workingFolder, progress, signal, queue, producer }: JobSurroundings,
): Promise<void> {
  const id = queued.id!;
  // Progress is for people: where it cannot be sent, the work goes on.
  const send = (message: JobProgressMessage) => void queued.updateProgress(message).catch(() => undefined);
  try {
    const { job, next } = await fromJobData(id, queued.data, workingFolder);
    // Where there is no run, the caches are locked only.
    const lock = isBare(job.of) ? undefined : await lockFolder(job.of.folder, { share: shareOf(job) });
    try {
      const until = lost === undefined ? signal : AbortSignal.any([signal, lost]);
      await doJobs([job], { progress: sendingProgress(progress, send), signal: until });
    } finally {
      await lock?.release();
    }
    if (next === null || isBare(job.of)) return;
    const { first } = flowsOf(planJobs(job.of, next), queue.name);
    // One that is there is whole, and further on: added again, it would wait for what is done and gone.
    for (const flow of first) if ((await queue.getJob(flow.opts!.jobId!)) === undefined) await producer.add(flow);
  } catch (thrown) {
    const error = unexpectedFileError(thrown);
    if (lost?.aborted === true) {
      progress.line(`${queued.name}: Redis did not hear of this worker for too long, another one has the job`);
      throw error;
    }
    if (error instanceof Interrupted) {
      await queued.moveToWait(token);
      progress.line(`${queued.name}: handed back`);
      throw new WaitingError();
    }
    const tag = (error as { tag?: unknown } | null)?.tag;
    const message = error instanceof Error ? error.message : String(error);
    if (tag === "BusyError") {
      tellBusy(`${queued.name}: ${message}`, progress, send);
      await queued.moveToDelayed(Date.now() + BUSY_MS, token);
      throw new DelayedError();
    }
    const said = `${message} (on ${hostname()})`;
    if (typeof tag !== "string") progress.line(error instanceof Error ? (error.stack ?? message) : message);
    progress.line(`${queued.name}: ${message}`);
    // The process died without a word: out of memory, perhaps, or killed. Whatever has words would say them again.
    if (tag === "ProcessError") throw new Error(said);
    throw new UnrecoverableError(said);
  }
}

const toldBusy = new Set<string>();

/** Once, however often it is tried again. */
function tellBusy(text: string, progress: ProgressSink, send: (message: JobProgressMessage) => void): void {
  if (toldBusy.has(text)) return;
  toldBusy.add(text);
  progress.line(text);
  send({ kind: "line", text });
}
