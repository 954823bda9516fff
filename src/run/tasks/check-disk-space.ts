import { statfs } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../../../data/atomic.js";
import { DataError } from "../../../data/errors.js";
import { rowsOfShard, shardCount } from "../../../data/row-plan.js";
import { bytesOfRow } from "../../../data/row-shard.js";
import { missingShards } from "../../../data/row-writer.js";
import type { CachePlan } from "../../../features/cache.js";
import { formatBytes, plural } from "../format.js";
import type { ProgressSink } from "../progress.js";

/**
 * Say in one line what caches are going to take and what is free, before the first row is computed; nothing when all is there.
 *
 * @param plans by what they hold: `images` or a target.
 * @throws {DataError} the disk has not the space for what is missing.
 */
export async function checkDiskSpace(
  plans: Readonly<Record<string, CachePlan>>,
  cacheFolder: string,
  progress: ProgressSink,
): Promise<void> {
  const said: string[] = [];
  let wanted = 0;
  for (const [name, { folder, store }] of Object.entries(plans)) {
    const missing = await missingShards(folder, store);
    if (missing.length === 0) continue;
    const rows = missing
      .map((shard) => rowsOfShard(store, shard))
      .reduce((sum, { start, end }) => sum + end - start, 0);
    const bytes = rows * bytesOfRow(store.columns);
    const columns = Object.values(store.columns).filter(({ shape }) => shape.length > 0);
    const each = columns
      .map(({ shape, dtype }) => `${shape.join(" × ")} × ${dtype === "Q8" ? "U8" : dtype}`)
      .join(" + ");
    const count = shardCount(store);
    const shards = missing.length === count ? plural(count, "shard") : `${missing.length} of ${plural(count, "shard")}`;
    wanted += bytes;
    said.push(`${name}: ${rows.toLocaleString("en")} rows × ${each} = ${formatBytes(bytes)} in ${shards}`);
  }
  if (said.length === 0) return;
  const free = await freeBytes(cacheFolder);
  if (wanted > free) {
    throw new DataError(
      `${cacheFolder}: ${said.join("; ")}: that is ${formatBytes(wanted)}, but ${formatBytes(free)} are free`,
      { hint: "free some space (descry cache prune), take fewer images or a smaller number format, or another disk" },
    );
  }
  progress.line(`to cache: ${said.join("; ")}; ${formatBytes(free)} are free`);
}

/** What this user may still write on the disk of a folder that need not be there yet. */
async function freeBytes(folder: string): Promise<number> {
  for (let place = folder; ; place = path.dirname(place)) {
    try {
      const { bavail, bsize } = await statfs(place);
      return bavail * bsize;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" || place === path.dirname(place)) throw fileError(error, "cannot look at", place);
    }
  }
}
