/**
 * @file Rows of features or images on disk: a folder of safetensors shards (`shard-00000.safetensors`, …; one tensor per column,
 * `[rows, ...shape of one row]`) and a `manifest.json` that is written last and without which there is no store. Any
 * safetensors reader can read a shard; this one fetches single rows without ever loading a shard whole.
 *
 * What guards the bytes: each shard's metadata holds the store's key, its first row and the sha256 of its data; the manifest
 * holds each shard's size, the sha256 of its header and of the whole file, and a checksum of itself. So opening, which reads
 * headers only, finds every cut, swapped or foreign shard, and `verifyRowStore` every flipped bit.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileError, writeFileAtomic } from "./atomic.js";
import { CacheError, ShapeError } from "./errors.js";
import { type FolderLock, lockFolder } from "./folder-lock.js";
import { FORMAT, FolderRowStore, type Manifest, type RowStore, type RowStoreHeader, VERSION } from "./row-reader.js";
import {
  batchRows,
  COLUMN_DTYPES,
  type Columns,
  damagedFile,
  hashShard,
  type RowBatch,
  rowBytes,
  ShardBuffer,
  type ShardRecord,
  sha256,
  shardFault,
  shardFile,
} from "./row-shard.js";

export type { RowStore, RowStoreHeader } from "./row-reader.js";
export type { Column, RowBatch, RowData } from "./row-shard.js";

export interface WriteRowStoreOptions {
  /** Rows in a shard: what a killed run can lose at most. @default as many as fit in 64 MiB, at least 1 */
  readonly shardRows?: number;
  /** Called with the number of rows taken so far, those of an earlier run included. */
  readonly onRows?: (done: number) => void;
}

const MANIFEST = "manifest.json";
const SHARD_BYTES = 64 * 2 ** 20;

/**
 * Writes a store, or what is missing of it. Shards that an earlier, killed run with the same key has finished are verified and
 * kept; everything else in the way (another key's shards and manifest, temporary files) is replaced. One writer at a time.
 *
 * @param folder   Made if it is not there. Belongs to the store alone.
 * @param batches  Asked once for the rows from `startRow` (a multiple of `shardRows`) on, in order, in batches of any size; not
 *   asked when nothing is missing. Rows must depend on the key and their number only.
 * @throws {ShapeError} a header or a batch that does not fit: names the column. @throws {NumericError} beyond the range of F16.
 * @throws {CacheError} another process writes this folder. @throws {DataError} the folder cannot be written (disk full, …).
 */
export async function writeRowStore(
  folder: string,
  header: RowStoreHeader,
  batches: (startRow: number) => AsyncIterable<RowBatch>,
  { shardRows = defaultShardRows(header.columns), onRows }: WriteRowStoreOptions = {},
): Promise<void> {
  checkHeader(header, shardRows);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make this folder", folder);
  }
  const lock = await lockFolder(folder);
  try {
    const shards = await keepWholeShards(folder, header, shardRows);
    const startRow = Math.min(shards.length * shardRows, header.rows);
    await removeLeftovers(folder, shards.length, startRow === header.rows);
    if (startRow > 0) onRows?.(startRow);
    if (startRow < header.rows) {
      await appendShards(folder, header, shardRows, shards, batches(startRow), lock, onRows);
    }
    const { key, rows, columns, meta } = header;
    const manifest: Manifest = { format: FORMAT, version: VERSION, key, rows, columns, meta, shardRows, shards };
    await lock.check();
    const signed = { ...manifest, checksum: checksum(manifest) };
    await writeFileAtomic(join(folder, MANIFEST), `${JSON.stringify(signed, null, 2)}\n`);
  } finally {
    await lock.release();
  }
}

/**
 * Opens a store, checking the manifest and every shard's size and header (not its data: see `verifyRowStore`).
 *
 * @param expectKey  The key that the store must have. @default any
 * @throws {CacheError} no whole store here, another key, or a damaged, missing or foreign shard: names it and what to do.
 */
export async function openRowStore(folder: string, expectKey?: string): Promise<RowStore> {
  const manifest = await readManifest(folder);
  if (expectKey !== undefined && manifest.key !== expectKey) {
    throw damagedFile(folder, MANIFEST, `made from something else (key "${manifest.key}", want "${expectKey}")`);
  }
  const store = new FolderRowStore(folder, manifest);
  try {
    await store.checkShards();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

/** Whether the folder holds a finished store of this key. Does not look for damage: `openRowStore` does. */
export async function isRowStore(folder: string, key: string): Promise<boolean> {
  try {
    return (await readManifest(folder)).key === key;
  } catch (error) {
    if (error instanceof CacheError) return false;
    throw error;
  }
}

/**
 * Reads every byte of a store and compares it with what was recorded when it was written.
 *
 * @throws {CacheError} as `openRowStore`, and for a shard with changed data: names the first.
 */
export async function verifyRowStore(folder: string, expectKey?: string): Promise<void> {
  const store = await openRowStore(folder, expectKey);
  await store.close();
  for (const { file, sha256: want } of (await readManifest(folder)).shards) {
    const { wholeSha256 } = await hashShard(folder, file);
    if (wholeSha256 !== want) throw damagedFile(folder, file, "its data has changed since it was written");
  }
}

function defaultShardRows(columns: Columns): number {
  const bytes = Object.values(columns).reduce((sum, column) => sum + rowBytes(column), 0);
  return Math.max(1, Math.floor(SHARD_BYTES / Math.max(1, bytes)));
}

function checkHeader({ rows, columns }: RowStoreHeader, shardRows: number): void {
  if (!Number.isSafeInteger(rows) || rows < 0)
    throw new ShapeError(`row store: want a whole number of rows, got ${rows}`);
  if (!Number.isSafeInteger(shardRows) || shardRows < 1) {
    throw new ShapeError(`row store: want shards of 1 row or more, got ${shardRows}`);
  }
  const entries = Object.entries(columns);
  if (entries.length === 0) throw new ShapeError("row store: want at least one column");
  for (const [name, { dtype, shape }] of entries) {
    if (!COLUMN_DTYPES.includes(dtype)) {
      throw new ShapeError(`row store: column "${name}" is ${dtype}; want one of ${COLUMN_DTYPES.join(", ")}`);
    }
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 1)) {
      throw new ShapeError(`row store: column "${name}" has rows of shape [${shape}]; want whole numbers, 1 or more`);
    }
  }
}

/** The leading shards that an earlier run has finished, each read once to be sure. */
async function keepWholeShards(folder: string, header: RowStoreHeader, shardRows: number): Promise<ShardRecord[]> {
  const { key, columns } = header;
  const shards: ShardRecord[] = [];
  for (let firstRow = 0; firstRow < header.rows; firstRow += shardRows) {
    const file = shardFile(shards.length);
    const rows = Math.min(shardRows, header.rows - firstRow);
    try {
      const { header: shard, wholeSha256, dataSha256 } = await hashShard(folder, file);
      const fault = shardFault(shard, { key, columns, firstRow, rows });
      if (fault !== undefined || shard.metadata.dataSha256 !== dataSha256) break;
      const headerSha256 = sha256(shard.bytes);
      shards.push({ file, rows, sizeBytes: shard.sizeBytes, headerSha256, sha256: wholeSha256 });
    } catch (error) {
      // Missing or damaged: from here on it is written anew.
      if (error instanceof CacheError) break;
      throw error;
    }
  }
  return shards;
}

/** Removes what is not to be kept: first, unless all rows are there, the manifest; then temporary files and shards from `keep` on. */
async function removeLeftovers(folder: string, keep: number, isComplete: boolean): Promise<void> {
  try {
    if (!isComplete) await rm(join(folder, MANIFEST), { force: true });
    for (const name of await readdir(folder)) {
      const shard = /^shard-(\d{5,})\.safetensors$/.exec(name);
      const isTemporary = /^\.(shard-\d+\.safetensors|manifest\.json)\.tmp\./.test(name);
      if (isTemporary || (shard !== null && Number(shard[1]) >= keep)) await rm(join(folder, name), { force: true });
    }
  } catch (error) {
    throw fileError(error, "cannot clear this folder", folder);
  }
}

async function appendShards(
  folder: string,
  { key, rows, columns }: RowStoreHeader,
  shardRows: number,
  shards: ShardRecord[],
  batches: AsyncIterable<RowBatch>,
  lock: FolderLock,
  onRows: WriteRowStoreOptions["onRows"],
): Promise<void> {
  let done = shards.length * shardRows;
  const buffer = new ShardBuffer(columns, Math.min(shardRows, rows - done));
  for await (const batch of batches) {
    const count = batchRows(batch, columns);
    if (done + count > rows) throw new ShapeError(`${folder}: got more than the ${rows} rows that were announced`);
    for (let from = 0; from < count; ) {
      const firstRow = shards.length * shardRows;
      const capacity = Math.min(shardRows, rows - firstRow);
      const take = Math.min(count - from, capacity - buffer.rows);
      buffer.append(batch, from, take);
      from += take;
      if (buffer.rows === capacity) {
        const { parts, record } = buffer.finish(key, shards.length, firstRow);
        await lock.check();
        await writeFileAtomic(join(folder, record.file), parts);
        shards.push(record);
      }
    }
    done += count;
    onRows?.(done);
  }
  if (done < rows) throw new ShapeError(`${folder}: the rows ended after ${done} of ${rows}`);
}

const checksum = (manifest: object): string => sha256(Buffer.from(JSON.stringify(manifest)));

async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw fileError(error, "cannot read", path);
    throw new CacheError(`${path}: there is no finished row store here`, {
      hint: "run again to write it",
      cause: error,
    });
  }
  let signed: Partial<Manifest> & { checksum?: string };
  try {
    signed = JSON.parse(text);
  } catch (error) {
    throw damagedFile(folder, MANIFEST, "not JSON", error);
  }
  const { checksum: want, ...manifest } = signed ?? {};
  if (manifest.format !== FORMAT || manifest.version !== VERSION) {
    const got = `${manifest.format} ${manifest.version}`;
    throw damagedFile(folder, MANIFEST, `not a manifest of ${FORMAT} ${VERSION} (it says ${got})`);
  }
  if (checksum(manifest) !== want)
    throw damagedFile(folder, MANIFEST, "damaged or changed by hand: its checksum does not fit");
  return manifest as Manifest;
}
