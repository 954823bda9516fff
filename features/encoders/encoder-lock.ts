/**
 * @file What was taken from the hub for encoders whose commit is pinned nowhere else: the file `lock.json` in the folder of encoders, one
 * entry an encoder. Written at the first use; later uses take that commit, and refuse other bytes.
 */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";
import { encoderFolder } from "./encoder-folder.js";

const entry = z.object({
  repo: z.string(),
  revision: z.string().regex(/^[0-9a-f]{40}$/),
  /** SHA-256 (hex) by path in the repository: the model, and files with its weights. */
  files: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});

export type LockEntry = z.infer<typeof entry>;

export const lockFile = (): string => join(encoderFolder(), "lock.json");

/** The entries by encoder; none where there is no such file. @throws {DataError} a file that is none. */
export function readLock(): Record<string, LockEntry> {
  const file = lockFile();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw fileError(error, "cannot read", file);
  }
  try {
    return z.record(z.string(), entry).parse(JSON.parse(text));
  } catch (cause) {
    throw new DataError(`${file}: is no lock file of encoders`, {
      hint: "delete it to take what the hub has now",
      cause,
    });
  }
}

/** The entry of an encoder; one of another repository was written by another version of the table, and counts for nothing. */
export function lockedEntry(name: string, repo: string, lock = readLock()): LockEntry | undefined {
  const found = lock[name];
  return found?.repo === repo ? found : undefined;
}

/** Add the entry of an encoder, or replace it. */
export async function writeLock(name: string, added: LockEntry): Promise<void> {
  const entries = Object.entries({ ...readLock(), [name]: added }).sort(([a], [b]) => (a < b ? -1 : 1));
  const folder = encoderFolder();
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw fileError(error, "cannot make", folder);
  });
  await writeFileAtomic(lockFile(), `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`);
}
