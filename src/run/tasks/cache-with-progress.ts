import type { RowStore } from "../../../data/row-store.js";
import { formatDuration } from "../format.js";
import type { ProgressSink } from "../progress.js";

/** A cached row store, closed. */
export interface CacheReport {
  readonly folder: string;
  readonly key: string;
  readonly rows: number;
  readonly reused: boolean;
}

/** Fill (or find) a cache and tell how far it is; closes the store. */
export async function cacheWithProgress(
  progress: ProgressSink,
  label: string,
  rows: number,
  fill: (onProgress: (done: number) => void) => Promise<{ store: RowStore; folder: string; reused: boolean }>,
): Promise<CacheReport> {
  const task = progress.task(label, rows, "images");
  const began = performance.now();
  const { store, folder, reused } = await fill((done) => task.update(done));
  const report = { folder, key: store.header.key, rows: store.header.rows, reused };
  await store.close();
  const seconds = (performance.now() - began) / 1000;
  task.finish(
    reused
      ? `${report.rows} rows are cached, skipped`
      : `${report.rows} rows, ${formatDuration(seconds)} (${Math.round(report.rows / seconds)} images/s)`,
  );
  return report;
}
