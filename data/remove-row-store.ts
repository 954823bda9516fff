/** @file Taking row stores away, and what killed processes have left of them; never what somebody uses, nor a file that is not ours. */
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "./atomic.js";
import { lockFolder } from "./folder-lock.js";
import { SHARD, TEMPORARY } from "./row-folders.js";
import { MANIFEST, PLAN } from "./row-manifest.js";
import { VERIFIED } from "./verified-shards.js";

/**
 * Removes a store; the folder too, unless it holds other files.
 *
 * @throws {CacheError} a process writes or reads it. @throws {DataError} it cannot be removed.
 */
export async function removeRowStore(folder: string): Promise<void> {
  const lock = await lockFolder(folder);
  try {
    // The manifest first: whatever happens in between, no half of a store is taken for a whole one.
    await rm(join(folder, MANIFEST), { force: true });
    for (const name of await readdir(folder)) {
      if (name === PLAN || name === VERIFIED || SHARD.test(name) || TEMPORARY.test(name))
        await rm(join(folder, name), { force: true });
    }
  } catch (error) {
    throw fileError(error, "cannot remove", folder);
  } finally {
    await lock.release();
  }
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw fileError(error, "cannot remove", folder);
  });
}

/**
 * Removes the temporary files of processes that were killed, and their locks.
 *
 * @throws {CacheError} a process writes or reads the store: then they may not be orphans.
 */
export async function removeOrphans(folder: string): Promise<void> {
  const lock = await lockFolder(folder);
  try {
    for (const name of await readdir(folder)) if (TEMPORARY.test(name)) await rm(join(folder, name), { force: true });
  } catch (error) {
    throw fileError(error, "cannot remove from", folder);
  } finally {
    await lock.release();
  }
}
