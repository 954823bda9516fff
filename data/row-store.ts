/**
 * @file Rows of features or images on disk: a folder of safetensors shards (`shard-00000.safetensors`, …; one tensor per column,
 * `[rows, ...shape of one row]`) and a `manifest.json` that is written last and without which there is no store. Any
 * safetensors reader can read a shard; this one fetches single rows without ever loading a shard whole.
 *
 * What guards the bytes: each shard's metadata holds the store's key, its first row and the sha256 of its data; the manifest
 * holds each shard's size, the sha256 of its header and a checksum of itself. So opening, which reads headers only, finds every cut,
 * swapped or foreign shard, and `verifyRowStore` every flipped bit.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "./atomic.js";
import { CacheError } from "./errors.js";
import { findManifest, MANIFEST, type Manifest, readManifest } from "./row-manifest.js";
import { allShards, planRowStore, type RowStoreHeader } from "./row-plan.js";
import { FolderRowStore, openCheckedShard, type RowStore } from "./row-reader.js";
import { damagedFile, hashShard } from "./row-shard.js";
import { finishRowStore, type MakeRows, writeShards } from "./row-writer.js";

export type { RowStoreHeader } from "./row-plan.js";
export type { RowStore } from "./row-reader.js";
export type { Column, RowBatch, RowData } from "./row-shard.js";

export interface WriteRowStoreOptions {
  /** @default see `planRowStore` */
  readonly shardRows?: number;
  /** Called with the number of rows that are there so far, those of an earlier run included. */
  readonly onRows?: (done: number) => void;
}

/**
 * Writes a store, or what is missing of it, as its only writer; see `writeShards` for what is kept, and for the errors.
 */
export async function writeRowStore(
  folder: string,
  header: RowStoreHeader,
  makeRows: MakeRows,
  { shardRows, onRows }: WriteRowStoreOptions = {},
): Promise<void> {
  const plan = planRowStore(header, shardRows);
  await writeShards(folder, plan, allShards(plan), makeRows, onRows === undefined ? {} : { onRows });
  await finishRowStore(folder, plan);
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

/**
 * Whether the folder holds a finished store of this key, with all of its shards. Does not look for damage: `openRowStore` does.
 */
export async function isRowStore(folder: string, key: string): Promise<boolean> {
  const manifest = await findManifest(folder);
  if (manifest?.key !== key) return false;
  for (const { file } of manifest.shards) {
    try {
      await stat(join(folder, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw fileError(error, "cannot read", join(folder, file));
    }
  }
  return true;
}

/**
 * Reads every byte of a store and compares it with what was recorded when it was written.
 *
 * @throws {CacheError} as `openRowStore`, and for a shard with changed data: names the first.
 */
export async function verifyRowStore(folder: string, expectKey?: string): Promise<void> {
  await (await openRowStore(folder, expectKey)).close();
  for await (const { fault } of checkShards(folder)) if (fault !== undefined) throw fault;
}

/** A shard that was read to its end. */
export interface CheckedShard {
  readonly file: string;
  readonly sizeBytes: number;
  /** What is wrong with it and what to do; absent: nothing. */
  readonly fault?: CacheError;
}

/**
 * Reads every byte of the shards of a finished store, one after the other; goes on after a damaged one.
 *
 * @throws {CacheError} the manifest is missing or damaged.
 */
export async function* checkShards(folder: string): AsyncGenerator<CheckedShard> {
  const manifest = await readManifest(folder);
  for (const shard of manifest.shards.keys()) yield checkShard(folder, manifest, shard);
}

/** Reads every byte of a shard. */
export async function checkShard(folder: string, manifest: Manifest, shard: number): Promise<CheckedShard> {
  const { file, sizeBytes } = manifest.shards[shard]!;
  try {
    await (await openCheckedShard(folder, manifest, shard)).handle.close();
    const { header, dataSha256 } = await hashShard(folder, file);
    if (dataSha256 !== header.metadata.dataSha256) {
      throw damagedFile(folder, file, "its data has changed since it was written");
    }
    return { file, sizeBytes };
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    return { file, sizeBytes, fault: error };
  }
}
