import { CacheError } from "../../../data/errors.js";
import type { RowFolder } from "../../../data/row-folders.js";
import { checkShards } from "../../../data/row-store.js";
import { missingShards } from "../../../data/row-writer.js";
import { formatBytes, plural } from "../../run/format.js";
import type { ProgressSink } from "../../run/progress.js";

/** What became of one cache. */
export interface VerifiedCache {
  readonly name: string;
  readonly folder: string;
  readonly state: RowFolder["state"];
  readonly bytes: number;
  /** What is wrong and what to do, a line each. */
  readonly faults: readonly string[];
}

/** Reads all of a cache; an unfinished one is checked when it is continued, and only looked at here. */
export async function verifyCache(found: RowFolder, progress: ProgressSink): Promise<VerifiedCache> {
  const { name, folder, state, plan, shards } = found;
  const task = progress.task(`verify    ${name}`, shards.all ?? 0, "shards");
  const faults: string[] = [];
  let bytes = 0;
  if (state === "incomplete" && plan !== undefined) {
    const missing = await missingShards(folder, plan);
    task.finish(`resumable, ${plural(missing.length, "shard")} of ${shards.all} to come`);
    return { name, folder, state, bytes, faults };
  }
  try {
    let done = 0;
    for await (const { sizeBytes, fault } of checkShards(folder)) {
      if (fault !== undefined) faults.push(fault.message);
      bytes += sizeBytes;
      task.update(++done);
    }
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    faults.push(error.message);
  }
  task.finish(faults.length === 0 ? `${formatBytes(bytes)}, whole` : plural(faults.length, "fault"));
  return { name, folder, state, bytes, faults };
}
