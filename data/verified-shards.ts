/**
 * @file Which shards of a finished row store were read to their end and found whole, in `verified.json` beside them: opening it again
 * reads only those that look different from outside since then. `checkShards` and `descry cache verify` read every byte every time.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "./atomic.js";
import { CacheError } from "./errors.js";
import { fileIdentity } from "./file-identity.js";
import { readManifest } from "./row-manifest.js";
import { checkShard, openRowStore, type RowStore } from "./row-store.js";

export const VERIFIED = "verified.json";
const FORMAT = "descry-verified-1";

interface VerifiedRecord {
  readonly format: typeof FORMAT;
  readonly key: string;
  /** By the shard's file: what it looked like. */
  readonly shards: Readonly<Record<string, string>>;
}

/**
 * Open a store as `openRowStore` does, once all of its data were found to be what was written: shards that were found whole before and
 * have not been touched since are not read again.
 *
 * @throws {CacheError} as `openRowStore`, and for a shard with changed data: names the first.
 */
export async function openVerifiedStore(folder: string, expectKey: string): Promise<RowStore> {
  const store = await openRowStore(folder, expectKey);
  try {
    await verifyChangedShards(folder, expectKey);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function verifyChangedShards(folder: string, expectKey: string): Promise<void> {
  const manifest = await readManifest(folder);
  const known = await readVerified(folder, expectKey);
  const shards: Record<string, string> = {};
  let isNew = false;
  for (const [shard, { file }] of manifest.shards.entries()) {
    const before = await look(folder, file);
    if (known[file] !== before.text) {
      const { fault } = await checkShard(folder, manifest, shard);
      if (fault !== undefined) throw fault;
      // One that was just written, or is changed while it is read, is read again next time.
      if (!before.isSettled || (await look(folder, file)).text !== before.text) continue;
      isNew = true;
    }
    shards[file] = before.text;
  }
  if (!isNew) return;
  const record: VerifiedRecord = { format: FORMAT, key: expectKey, shards };
  // Where it cannot be written, all is read again next time.
  await writeFileAtomic(join(folder, VERIFIED), `${JSON.stringify(record, null, 1)}\n`).catch(() => undefined);
}

/** Nothing where nothing is written down, or not for this store, or not legibly. */
async function readVerified(folder: string, key: string): Promise<Readonly<Record<string, string>>> {
  try {
    const record = JSON.parse(await readFile(join(folder, VERIFIED), "utf8")) as VerifiedRecord;
    return record.format === FORMAT && record.key === key ? record.shards : {};
  } catch {
    return {};
  }
}

async function look(folder: string, file: string) {
  try {
    return await fileIdentity(join(folder, file));
  } catch (cause) {
    throw new CacheError(`${join(folder, file)}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}
