/**
 * @file How fast random batches come out of a cache: from the page cache, and from disk beside what `dd` reads of the same files one
 * after the other. The store has rows of the size of ImageNet's SIFT, and is made for the occasion.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { planRowStore } from "../../data/row-plan.js";
import { bytesOfRow, type Column, newRowData } from "../../data/row-shard.js";
import { openRowStore, type RowStore, writeRowStore } from "../../data/row-store.js";
import { epochOrder } from "../../data/shuffle.js";
import { type Spread, spreadOf } from "./statistics.js";

/** One image: 16 × 16 tokens of 128 channels. */
const ROW_SHAPE = [256, 128] as const;
const BATCH = 256;
/** Rows that are made at once. */
const MADE = 64;

export const CACHE_CASES = ["F16", "Q8", "F32"] as const;
export type CacheCase = (typeof CACHE_CASES)[number];

/** All rates in bytes on disk a second. */
export interface CacheResult {
  readonly name: CacheCase;
  readonly storeBytes: number;
  readonly rowBytes: number;
  /** From the page cache, into the same memory each time. */
  readonly again: Spread;
  /** From the page cache, into new memory each time. */
  readonly fresh: Spread;
  /** From disk: each row once, in a random order. Absent without a `dd` that can empty the page cache. */
  readonly disk?: Spread;
  /** What `dd` reads of the same files from disk, one after the other. */
  readonly dd?: Spread;
  /** Resident memory after the first epoch, and after the last. */
  readonly memoryBytes: readonly [first: number, last: number];
}

export interface MeasureCacheOptions {
  /** Where the store is made, and removed again: on the disk that is measured. */
  readonly folder: string;
  readonly rows: number;
  readonly turns: number;
}

/** Measure one number format. */
export async function measureCache(
  name: CacheCase,
  { folder, rows, turns }: MeasureCacheOptions,
): Promise<CacheResult> {
  const column: Column = { dtype: name, shape: ROW_SHAPE };
  const columns = { features: column };
  const rowBytes = bytesOfRow(columns);
  const place = await mkdtemp(path.join(folder, "bench-"));
  try {
    const header = { key: `bench-${name}`, rows, columns, meta: {} };
    await writeRowStore(place, header, makeRows, { shardRows: planRowStore(header).shardRows });
    const store = await openRowStore(place);
    try {
      const memory = newRowData(column, BATCH) as Float32Array;
      const rate = (seconds: number) => (Math.floor(rows / BATCH) * BATCH * rowBytes) / seconds;
      await readEpoch(store, 0, memory);
      const first = process.memoryUsage().rss;
      const again: number[] = [];
      for (let turn = 0; turn < turns; turn++) again.push(rate(await readEpoch(store, turn, memory)));
      const last = process.memoryUsage().rss;
      const fresh: number[] = [];
      for (let turn = 0; turn < turns; turn++) fresh.push(rate(await readEpoch(store, turn)));
      const cold = await measureDisk(place, (turn) => readEpoch(store, turn, memory), turns);
      return {
        name,
        storeBytes: rows * rowBytes,
        rowBytes,
        again: spreadOf(again),
        fresh: spreadOf(fresh),
        ...(cold === undefined
          ? {}
          : {
              disk: spreadOf(cold.ours.map(rate)),
              dd: spreadOf(cold.dd.map((seconds) => (rows * rowBytes) / seconds)),
            }),
        memoryBytes: [first, last],
      };
    } finally {
      await store.close();
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** Values like those of descriptors: positive, most of them small. */
async function* makeRows(start: number, end: number): AsyncGenerator<{ features: Float32Array }> {
  const size = ROW_SHAPE[0] * ROW_SHAPE[1];
  const values = new Float32Array(MADE * size);
  for (let i = 0; i < values.length; i++) values[i] = (((i * 2654435761) >>> 8) / 2 ** 24) ** 3;
  for (let row = start; row < end; row += MADE)
    yield { features: values.subarray(0, Math.min(MADE, end - row) * size) };
}

/** Every row once, in a random order. @returns seconds. */
async function readEpoch(store: RowStore, epoch: number, into?: Float32Array): Promise<number> {
  const order = epochOrder(store.header.rows, 0, epoch);
  const began = performance.now();
  for (let first = 0; first + BATCH <= order.length; first += BATCH) {
    await store.read("features", order.subarray(first, first + BATCH), into);
  }
  return (performance.now() - began) / 1000;
}

/** Seconds of `read` and of `dd` with nothing in the page cache, turn by turn; undefined where `dd` cannot empty it. */
async function measureDisk(
  place: string,
  read: (turn: number) => Promise<number>,
  turns: number,
): Promise<{ ours: number[]; dd: number[] } | undefined> {
  const files = (await readdir(place))
    .filter((file) => file.endsWith(".safetensors"))
    .map((file) => path.join(place, file));
  const dd = (...args: string[]) => promisify(execFile)("dd", [...args, "status=none"]);
  const forget = async () => {
    for (const file of files) await dd(`if=${file}`, "iflag=nocache", "count=0");
  };
  const [ours, theirs]: [number[], number[]] = [[], []];
  try {
    for (let turn = 0; turn < turns; turn++) {
      await forget();
      ours.push(await read(turn));
      await forget();
      const began = performance.now();
      for (const file of files) await dd(`if=${file}`, "of=/dev/null", "bs=1M");
      theirs.push((performance.now() - began) / 1000);
    }
  } catch {
    return undefined;
  }
  return { ours, dd: theirs };
}
