import { rowsOfShard, type StorePart, shardsOfPart } from "../../../data/row-plan.js";
import { type CachePlan, fillCache } from "../../../features/cache.js";
import { formatDuration, plural } from "../format.js";
import type { ProgressSink } from "../progress.js";
import { taskLabel } from "../steps/step.js";

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
  name: string,
  plan: CachePlan,
  part?: StorePart,
): Promise<CacheReport> {
  return (await cacheTogether(progress, { [name]: plan }, part))[name]!;
}

/**
 * Fill (or find) several caches at the same time, so that what they have in common is done once, and tell how far they are; closes the
 * plans.
 *
 * @param plans by what they hold, of one number of rows.
 */
export async function cacheTogether(
  progress: ProgressSink,
  plans: Readonly<Record<string, CachePlan>>,
  part?: StorePart,
): Promise<Record<string, CacheReport>> {
  const names = Object.keys(plans);
  const label = taskLabel("features", names.length > 3 ? `${names.length} targets` : names.join(", "));
  const rowsOf = ({ store }: CachePlan) =>
    part === undefined
      ? store.rows
      : shardsOfPart(store, part).reduce((sum, shard) => sum + sizeOf(rowsOfShard(store, shard)), 0);
  const rows = Math.max(...Object.values(plans).map(rowsOf));
  const task = progress.task(label, rows, "images");
  const began = performance.now();
  const tell = estimateOnce((text) => progress.line(`${label}: ${text}`));
  const done = new Map<string, number>();
  const fill = async (name: string): Promise<CacheReport> => {
    const plan = plans[name]!;
    const { folder, store } = plan;
    const { reused, missing } = await fillCache(plan, {
      ...(part === undefined ? {} : { part }),
      onProgress(count) {
        done.set(name, count);
        // The slowest counts: the others are ahead by a few batches only, or were so before.
        const least = Math.min(...done.values());
        task.update(least);
        tell(least, rows);
      },
    });
    return { folder, key: store.key, rows: store.rows, reused, missing };
  };
  const filled = await settleAll(names.map(fill));
  const reports = Object.fromEntries(names.map((name, i) => [name, filled[i]!]));
  const seconds = (performance.now() - began) / 1000;
  const made = `${rows} rows, ${formatDuration(seconds)} (${Math.round(rows / seconds)} images/s)`;
  const kept = names.filter((name) => reports[name]!.reused);
  const missing = filled.reduce((sum, report) => sum + report.missing, 0);
  if (kept.length === names.length) task.finish(`${rows} rows are cached, skipped`);
  else {
    const also = kept.length === 0 ? "" : `; ${kept.join(", ")} cached before`;
    const share = part === undefined ? "" : `part ${part.index}/${part.count}: `;
    const rest = part === undefined ? "" : missing === 0 ? ", complete" : `, ${plural(missing, "shard")} to come`;
    task.finish(`${share}${made}${rest}${also}`);
  }
  return reports;
}

/** All results, or the first error when everything has ended: nothing goes on writing behind it. */
async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  let failure: { error: unknown } | undefined;
  const results = await Promise.all(
    promises.map((promise) =>
      promise.catch((error: unknown) => {
        failure ??= { error };
        return undefined;
      }),
    ),
  );
  if (failure !== undefined) throw failure.error;
  return results as T[];
}

/** Says once how long it takes, when that is known and worth saying. */
function estimateOnce(say: (text: string) => void): (done: number, rows: number) => void {
  let first: { at: number; rows: number } | undefined;
  let isTold = false;
  return (done, rows) => {
    // The first call tells what an earlier run has left, and comes after the opening of what computes.
    first ??= { at: performance.now(), rows: done };
    const seconds = (performance.now() - first.at) / 1000;
    const left = ((rows - done) * seconds) / (done - first.rows);
    if (isTold || seconds < TELL_AFTER_S || !(left > TELL_FROM_S)) return;
    isTold = true;
    say(`about ${formatDuration(left)} for ${(rows - done).toLocaleString("en")} more rows`);
  };
}

const sizeOf = ({ start, end }: { start: number; end: number }): number => end - start;
