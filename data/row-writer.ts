/**
 * @file Filling a row store shard by shard. Each shard is written whole or not at all and depends on the plan and its number only, so
 * any number of processes, on any number of machines with one file system, can fill a store together; whoever finds all shards there
 * writes the manifest. What is finished is never made again, whatever was killed when.
 */
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileError, writeFileAtomic } from "./atomic.js";
import { CacheError, ShapeError } from "./errors.js";
import { type FolderLock, lockFolder } from "./folder-lock.js";
import { findManifest, findPlan, MANIFEST, PLAN, writeManifest, writePlan } from "./row-manifest.js";
import { allShards, type RowStorePlan, rowsOfShard } from "./row-plan.js";
import {
  batchRows,
  hashShard,
  openShard,
  type RowBatch,
  ShardBuffer,
  type ShardRecord,
  sha256,
  shardFault,
  shardFile,
} from "./row-shard.js";

/**
 * Makes rows `start` to `end` (exclusive), in order, in batches of any size. Rows must depend on the store's key and their number
 * only.
 */
export type MakeRows = (start: number, end: number) => AsyncIterable<RowBatch>;

export interface WriteShardsOptions {
  /**
   * Names this process among others that write the same store at the same time, such as `2-of-8`; letters, digits and `-`. Absent:
   * it writes alone.
   */
  readonly part?: string;
  /** Called with the number of rows that are there of those asked for: those that are kept, then as they are made. */
  readonly onRows?: (done: number) => void;
}

/**
 * Writes some shards of a store. Those that are there already are read to the end: whole ones are kept, damaged and foreign ones made
 * again. A process that writes alone also clears away what does not belong to the store.
 *
 * @param folder   Made if it is not there. Belongs to the store alone.
 * @param shards   Their numbers, ascending.
 * @param makeRows Asked once for each run of neighbouring shards that are missing.
 * @throws {ShapeError} batches that do not fit: names the column. @throws {NumericError} beyond the range of F16.
 * @throws {CacheError} another process holds the folder, or is this part. @throws {DataError} the folder cannot be written.
 */
export async function writeShards(
  folder: string,
  plan: RowStorePlan,
  shards: readonly number[],
  makeRows: MakeRows,
  { part, onRows }: WriteShardsOptions = {},
): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make this folder", folder);
  }
  const lock = await lockFolder(folder, part === undefined ? {} : { share: part });
  try {
    let done = 0;
    const tell = (rows: number) => {
      done += rows;
      onRows?.(done);
    };
    const { missing, rows } = await keepWholeShards(folder, plan, shards);
    if (rows > 0) tell(rows);
    await clear(folder, plan, part === undefined ? undefined : missing);
    if (missing.length === 0) return;
    try {
      await rm(join(folder, MANIFEST), { force: true });
    } catch (error) {
      throw fileError(error, "cannot remove", join(folder, MANIFEST));
    }
    if (JSON.stringify(await findPlan(folder)) !== JSON.stringify(plan)) await writePlan(folder, plan);
    for (const [first, last] of runsOf(missing)) await writeRun(folder, plan, first, last, makeRows, lock, tell);
  } finally {
    await lock.release();
  }
}

/**
 * Writes the manifest if all shards are there, by their headers. Any process may do so, also several at once.
 *
 * @returns the shards that are missing or do not fit; empty when the store is whole.
 * @throws {DataError} the folder cannot be read or written.
 */
export async function finishRowStore(folder: string, plan: RowStorePlan): Promise<number[]> {
  const { records, missing } = await findShards(folder, plan);
  if (missing.length === 0) {
    await writeManifest(folder, plan, records);
    await rm(join(folder, PLAN), { force: true });
  }
  return missing;
}

/** The shards of a store that are not there yet, by their headers. @throws {DataError} the folder cannot be read. */
export async function missingShards(folder: string, plan: RowStorePlan): Promise<number[]> {
  return (await findShards(folder, plan)).missing;
}

async function findShards(folder: string, plan: RowStorePlan): Promise<{ records: ShardRecord[]; missing: number[] }> {
  const there = new Set(await filesOf(folder));
  const records: ShardRecord[] = [];
  const missing: number[] = [];
  for (const shard of allShards(plan)) {
    const record = there.has(shardFile(shard)) ? await recordOf(folder, plan, shard) : undefined;
    if (record === undefined) missing.push(shard);
    else records.push(record);
  }
  return { records, missing };
}

/** Names of the files in a folder; none when it is not there. */
async function filesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError(error, "cannot read", folder);
  }
}

/** What the manifest says of a shard; undefined when it is missing or, by its header, not the one. */
async function recordOf(folder: string, plan: RowStorePlan, shard: number): Promise<ShardRecord | undefined> {
  const file = shardFile(shard);
  const { start, end } = rowsOfShard(plan, shard);
  try {
    const { handle, header } = await openShard(folder, file);
    await handle.close();
    if (shardFault(header, { ...plan, firstRow: start, rows: end - start }) !== undefined) return undefined;
    const { minCosine } = header.metadata;
    return {
      file,
      rows: end - start,
      sizeBytes: header.sizeBytes,
      headerSha256: sha256(header.bytes),
      ...(minCosine === undefined ? {} : { minCosine: Number(minCosine) }),
    };
  } catch (error) {
    if (error instanceof CacheError) return undefined;
    throw error;
  }
}

/**
 * Reads the shards that are there and removes those that are not as they should be.
 *
 * @returns what is then missing, and how many rows are not.
 */
async function keepWholeShards(
  folder: string,
  plan: RowStorePlan,
  shards: readonly number[],
): Promise<{ missing: number[]; rows: number }> {
  const missing: number[] = [];
  let rows = 0;
  for (const shard of shards) {
    const { start, end } = rowsOfShard(plan, shard);
    try {
      const { header, dataSha256 } = await hashShard(folder, shardFile(shard));
      const fault = shardFault(header, { ...plan, firstRow: start, rows: end - start });
      if (fault === undefined && header.metadata.dataSha256 === dataSha256) {
        rows += end - start;
        continue;
      }
    } catch (error) {
      if (!(error instanceof CacheError)) throw error; // a CacheError: missing or damaged
    }
    missing.push(shard);
  }
  for (const shard of missing) await rm(join(folder, shardFile(shard)), { force: true });
  return { missing, rows };
}

/**
 * Removes temporary files that killed processes left: of these shards, or with `undefined` everything that does not belong to the
 * store.
 */
async function clear(folder: string, plan: RowStorePlan, shards: readonly number[] | undefined): Promise<void> {
  try {
    if (shards === undefined) {
      const manifest = await findManifest(folder);
      const fits = manifest?.key === plan.key && manifest.shardRows === plan.shardRows;
      if (!fits) await rm(join(folder, MANIFEST), { force: true });
    }
    const mine = shards === undefined ? undefined : new Set(shards.map(shardFile));
    const count = allShards(plan).length;
    for (const name of await readdir(folder)) {
      const temporary = /^\.((?:shard-\d+\.safetensors)|manifest\.json|plan\.json)\.tmp\./.exec(name);
      const shard = /^shard-(\d{5,})\.safetensors$/.exec(name);
      const isLeft = temporary !== null && (mine === undefined || mine.has(temporary[1]!));
      const isForeign = mine === undefined && shard !== null && Number(shard[1]) >= count;
      if (isLeft || isForeign) await rm(join(folder, name), { force: true });
    }
  } catch (error) {
    throw fileError(error, "cannot clear this folder", folder);
  }
}

/** [2, 3, 4, 7] → [[2, 4], [7, 7]]. */
function runsOf(shards: readonly number[]): [first: number, last: number][] {
  const runs: [number, number][] = [];
  for (const shard of shards) {
    const run = runs.at(-1);
    if (run !== undefined && run[1] + 1 === shard) run[1] = shard;
    else runs.push([shard, shard]);
  }
  return runs;
}

async function writeRun(
  folder: string,
  plan: RowStorePlan,
  first: number,
  last: number,
  makeRows: MakeRows,
  lock: FolderLock,
  onRows: (rows: number) => void,
): Promise<void> {
  const { key, columns } = plan;
  const { start } = rowsOfShard(plan, first);
  const { end } = rowsOfShard(plan, last);
  const buffer = new ShardBuffer(columns, Math.min(plan.shardRows, end - start));
  let shard = first;
  let done = start;
  for await (const batch of makeRows(start, end)) {
    const count = batchRows(batch, columns);
    if (done + count > end)
      throw new ShapeError(`${folder}: got more than the ${end - start} rows that were asked for`);
    for (let from = 0; from < count; ) {
      const place = rowsOfShard(plan, shard);
      const take = Math.min(count - from, place.end - place.start - buffer.rows);
      buffer.append(batch, from, take);
      from += take;
      if (buffer.rows === place.end - place.start) {
        await lock.check();
        await writeFileAtomic(join(folder, shardFile(shard)), buffer.finish(key, place.start));
        shard++;
      }
    }
    done += count;
    onRows(count);
  }
  if (done < end) throw new ShapeError(`${folder}: the rows ended after ${done - start} of ${end - start}`);
}
