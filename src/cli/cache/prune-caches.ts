import { CacheError } from "../../../data/errors.js";
import { removeOrphans, removeRowStore } from "../../../data/remove-row-store.js";
import type { RowFolder } from "../../../data/row-folders.js";

/** Which caches go: those that fit everything that is given. */
export interface PruneChoice {
  /** Days since the last use. */
  readonly olderThanDays?: number;
  /** Only those that are not finished. */
  readonly incomplete: boolean;
  /** Not the caches, but what killed processes have left in them. */
  readonly temporary: boolean;
}

export interface Pruned {
  readonly name: string;
  readonly folder: string;
  readonly bytes: number;
  /** `kept` when somebody uses it: `why` says who. */
  readonly outcome: "would go" | "removed" | "kept";
  readonly why?: string;
}

const DAY_MS = 86_400_000;

/** Remove what is chosen, or with `isDry` only say what that is. */
export async function pruneCaches(
  caches: readonly RowFolder[],
  { olderThanDays, incomplete, temporary }: PruneChoice,
  isDry: boolean,
): Promise<Pruned[]> {
  const chosen = caches.filter(
    ({ lastUsedMs, state, ...found }) =>
      (olderThanDays === undefined || Date.now() - lastUsedMs >= olderThanDays * DAY_MS) &&
      (!incomplete || state !== "complete") &&
      (!temporary || found.temporary.count > 0),
  );
  const pruned: Pruned[] = [];
  for (const { name, folder, sizeBytes, holders, ...found } of chosen) {
    const bytes = temporary ? found.temporary.sizeBytes : sizeBytes;
    const one = { name, folder, bytes };
    const [holder] = holders;
    if (holder !== undefined) {
      pruned.push({ ...one, outcome: "kept", why: `process ${holder.pid} on ${holder.host} is ${holder.doing} it` });
    } else if (isDry) pruned.push({ ...one, outcome: "would go" });
    else pruned.push(await remove(one, temporary));
  }
  return pruned;
}

/** Somebody may have come since the look: the lock decides. */
async function remove(one: { name: string; folder: string; bytes: number }, temporary: boolean): Promise<Pruned> {
  try {
    await (temporary ? removeOrphans : removeRowStore)(one.folder);
    return { ...one, outcome: "removed" };
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    return { ...one, outcome: "kept", why: error.message };
  }
}
