import { readdir, rm, rmdir } from "node:fs/promises";
import path from "node:path";
import { RUN_RECORD, type Run } from "./run-folder.js";

/**
 * Remove the folders of runs that were just made and in which nothing was done yet, so that a mistake leaves nothing behind. A folder
 * that was there before, or where anybody wrote anything, stays.
 */
export async function discardUntouched(runs: readonly Run[]): Promise<void> {
  for (const { folder, isNew } of runs) {
    const files = isNew ? await readdir(folder).catch(() => []) : [];
    if (files.length !== 1 || files[0] !== RUN_RECORD) continue;
    await rm(path.join(folder, RUN_RECORD));
    await rmdir(folder).catch(() => {}); // someone began to work there meanwhile
  }
}
