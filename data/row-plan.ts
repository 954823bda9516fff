/** @file What a row store is to be, before a row of it is made: its columns, and how its rows fall into shards. */
import { ShapeError } from "./errors.js";
import { bytesOfRow, COLUMN_DTYPES, type Columns, scaleTensor, vectorSize } from "./row-shard.js";
import { SLOT_BYTES } from "./widen.js";

/** What a store is. */
export interface RowStoreHeader {
  /** Names the content: a hash of everything that changes it. Two stores of one key are taken to be equal. */
  readonly key: string;
  readonly rows: number;
  readonly columns: Columns;
  /** Anything that JSON can hold, for the reader's use. */
  readonly meta: Readonly<Record<string, unknown>>;
}

/** A header, and the rows of every shard but the last, which has the rest. */
export interface RowStorePlan extends RowStoreHeader {
  readonly shardRows: number;
}

const MIN_SHARD_BYTES = 16 * 2 ** 20;
const MAX_SHARD_BYTES = 256 * 2 ** 20;
/** Large stores are to have about so many shards. */
const WANTED_SHARDS = 256;

/**
 * @param shardRows what a killed process can lose at most. @default rows of 16 MiB, in large stores more, up to 256 MiB
 * @throws {ShapeError} a header that cannot be: names the column.
 */
export function planRowStore(header: RowStoreHeader, shardRows = defaultShardRows(header)): RowStorePlan {
  const { key, rows, columns, meta } = header;
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
    if (dtype === "Q8" && (shape.length === 0 || vectorSize(columns[name]!) > SLOT_BYTES)) {
      throw new ShapeError(`row store: column "${name}" is Q8 of [${shape}]; want vectors of at most ${SLOT_BYTES}`);
    }
    if (dtype === "Q8" && Object.hasOwn(columns, scaleTensor(name))) {
      throw new ShapeError(`row store: column "${scaleTensor(name)}" has the name of the scales of "${name}"`);
    }
  }
  return { key, rows, columns, meta, shardRows };
}

/**
 * @param multiple shards begin at multiples of it: rows that are computed so many at a time are then computed in the same company
 *   whichever shards a process makes, and have the same bytes. @default 1
 */
export function defaultShardRows({ rows, columns }: Pick<RowStoreHeader, "rows" | "columns">, multiple = 1): number {
  const bytes = bytesOfRow(columns);
  const shard = Math.min(MAX_SHARD_BYTES, Math.max(MIN_SHARD_BYTES, (rows * bytes) / WANTED_SHARDS));
  return Math.max(1, Math.floor(shard / Math.max(1, bytes) / multiple)) * multiple;
}

/** How many shards a store has. */
export const shardCount = ({ rows, shardRows }: RowStorePlan): number => Math.ceil(rows / shardRows);

/** Rows `start` to `end` (exclusive) are in a shard. */
export function rowsOfShard({ rows, shardRows }: RowStorePlan, shard: number): { start: number; end: number } {
  return { start: shard * shardRows, end: Math.min((shard + 1) * shardRows, rows) };
}

/** All shards of a store, in order. */
export const allShards = (plan: RowStorePlan): number[] => Array.from({ length: shardCount(plan) }, (_, i) => i);

/** One of several processes that fill a store together: `index` is 1 … `count`. */
export interface StorePart {
  readonly index: number;
  readonly count: number;
}

/** The shards of one part: neighbours, and as many as of any other part, or one fewer. */
export function shardsOfPart(plan: RowStorePlan, { index, count }: StorePart): number[] {
  const shards = shardCount(plan);
  const first = Math.floor(((index - 1) * shards) / count);
  const end = Math.floor((index * shards) / count);
  return Array.from({ length: end - first }, (_, i) => first + i);
}
