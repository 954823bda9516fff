import { rowsOfShard, type StorePart, shardsOfPart } from "../../../data/row-plan.js";
import { type CachePlan, fillCache } from "../../../features/cache.js";
import { formatDuration, plural } from "../format.js";
import type { ProgressSink } from "../progress.js";

/** A cached row store, closed. */
export interface CacheReport {
  readonly folder: string;
  readonly key: string;
  readonly rows: number;
  readonly reused: boolean;
  /** Shards that other parts have still to make. */
  readonly missing: number;
}

/** When the time that it takes is said, once: after so long, and if so much more is to come. */
const TELL_AFTER_S = 8;
const TELL_FROM_S = 60;

/** Fill (or find) a cache, or one part of it, and tell how far it is; closes the plan. */
export async function cacheWithProgress(
  progress: ProgressSink,
  label: string,
  plan: CachePlan,
  part?: StorePart,
): Promise<CacheReport> {
  const { folder, store } = plan;
  const shards = part === undefined ? undefined : shardsOfPart(store, part);
  const rows =
    shards === undefined ? store.rows : shards.reduce((sum, shard) => sum + sizeOf(rowsOfShard(store, shard)), 0);
  const task = progress.task(label, rows, "images");
  const began = performance.now();
  let first: { seconds: number; rows: number } | undefined;
  let isTold = false;
  const { reused, missing } = await fillCache(plan, {
    ...(part === undefined ? {} : { part }),
    onProgress(done) {
      task.update(done);
      const seconds = (performance.now() - began) / 1000;
      // The first call tells what an earlier run has left, and comes after the opening of what computes.
      first ??= { seconds, rows: done };
      const left = ((rows - done) * (seconds - first.seconds)) / (done - first.rows);
      if (isTold || seconds - first.seconds < TELL_AFTER_S || !(left > TELL_FROM_S)) return;
      isTold = true;
      progress.line(`${label}: about ${formatDuration(left)} for ${(rows - done).toLocaleString("en")} more rows`);
    },
  });
  const seconds = (performance.now() - began) / 1000;
  const made = `${rows} rows, ${formatDuration(seconds)} (${Math.round(rows / seconds)} images/s)`;
  if (reused) task.finish(`${store.rows} rows are cached, skipped`);
  else if (part === undefined) task.finish(made);
  else
    task.finish(
      `part ${part.index}/${part.count}: ${made}${missing === 0 ? ", complete" : `, ${plural(missing, "shard")} to come`}`,
    );
  return { folder, key: store.key, rows: store.rows, reused, missing };
}

const sizeOf = ({ start, end }: { start: number; end: number }): number => end - start;
