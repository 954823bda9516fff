/**
 * @file One shard of a row store: a safetensors file with some consecutive rows of every column, and in its metadata the store's
 * key, the number of its first row and the sha256 of its data. The store itself, and what is public, is in `row-store.ts`.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "./atomic.js";
import { CacheError, DataError, NumericError, ShapeError, UnsupportedError } from "./errors.js";
import { float32ToFloat16 } from "./float16.js";
import { quantise } from "./quantise.js";
import { readFully, readHeader, type SafeTensor, type SafetensorsHeader, safetensorsParts } from "./safetensors.js";

/**
 * A column: element type and shape of one row (`[]`: one number). F16 is kept in half the space and read as float32; so is Q8 in a
 * quarter: bytes with a scale and an offset for each vector along the last axis (`quantise`), in a tensor of their own,
 * `NAME_scale` [rows, …, 2].
 */
export interface Column {
  readonly dtype: "F32" | "F16" | "Q8" | "U8" | "I32";
  readonly shape: readonly number[];
}

export type Columns = Readonly<Record<string, Column>>;

/** Values of one column: Float32Array for F32, F16 and Q8, Uint8Array for U8, Int32Array for I32; row-major. */
export type RowData = Float32Array | Uint8Array | Int32Array;

/** Some consecutive rows: every column, all of the same number of rows. */
export type RowBatch = Readonly<Record<string, RowData>>;

/** What a shard must be: of this store, with these rows. */
export interface ShardPlace {
  readonly key: string;
  readonly columns: Columns;
  readonly firstRow: number;
  readonly rows: number;
}

/** What the manifest knows of a shard. */
export interface ShardRecord {
  readonly file: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** The header holds the sha256 of the data, so this stands for every byte. */
  readonly headerSha256: string;
  /** Smallest cosine of the vectors of Q8 columns to what they stand for. */
  readonly minCosine?: number;
}

const HASH_CHUNK_BYTES = 2 ** 22;
/** The smallest float32 that rounds to infinity as a half float. */
const FLOAT16_OVERFLOW = 65520;
const ARRAYS = { F32: Float32Array, F16: Uint16Array, U8: Uint8Array, I32: Int32Array } as const;
const INPUTS = { F32: Float32Array, F16: Float32Array, Q8: Float32Array, U8: Uint8Array, I32: Int32Array } as const;

export const COLUMN_DTYPES = Object.keys(INPUTS);

/** A tensor of a shard. */
interface TensorPlan {
  readonly dtype: keyof typeof ARRAYS;
  /** Of one row. */
  readonly shape: readonly number[];
}

/** The tensors that columns are kept in, by name. */
function tensorsOf(columns: Columns): Map<string, TensorPlan> {
  const tensors = new Map<string, TensorPlan>();
  for (const [name, { dtype, shape }] of Object.entries(columns)) {
    tensors.set(name, { dtype: dtype === "Q8" ? "U8" : dtype, shape });
    if (dtype === "Q8") tensors.set(scaleTensor(name), { dtype: "F32", shape: [...shape.slice(0, -1), 2] });
  }
  return tensors;
}

/** The tensor of the scales and offsets of a Q8 column. */
export const scaleTensor = (column: string): string => `${column}_scale`;

/** Elements of the vectors that a Q8 column is made of. */
export const vectorSize = ({ shape }: Column): number => shape.at(-1)!;

export const shardFile = (index: number): string => `shard-${String(index).padStart(5, "0")}.safetensors`;

export const sha256 = (...parts: readonly Uint8Array[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/** Elements in one row. */
export const rowSize = ({ shape }: Pick<Column, "shape">): number => shape.reduce((product, size) => product * size, 1);

/** Bytes that one row takes on disk. */
export const bytesOfRow = (columns: Columns): number =>
  [...tensorsOf(columns).values()].reduce(
    (sum, { dtype, shape }) => sum + rowSize({ shape }) * ARRAYS[dtype].BYTES_PER_ELEMENT,
    0,
  );

/** An array for the values of so many rows. */
export const newRowData = (column: Column, rows: number): RowData => new INPUTS[column.dtype](rowSize(column) * rows);

/** The error for a file of a store that is not as it was written. */
export const damagedFile = (folder: string, file: string, what: string, cause?: unknown): CacheError =>
  new CacheError(`${join(folder, file)}: ${what}`, {
    hint: "delete this file and run again: only it is made again",
    cause,
  });

/** Rows gathered for the shard being written. Its memory is used again for the next one. */
export class ShardBuffer {
  readonly #columns: Columns;
  readonly #arrays: Map<string, Float32Array | Uint16Array | Uint8Array | Int32Array>;
  #minCosine = 1;
  rows = 0;

  constructor(columns: Columns, capacityRows: number) {
    this.#columns = columns;
    const tensors = [...tensorsOf(columns)];
    this.#arrays = new Map(tensors.map(([name, t]) => [name, new ARRAYS[t.dtype](rowSize(t) * capacityRows)]));
  }

  /** Appends rows `from` to `from + count` of a batch that `batchRows` has checked. */
  append(batch: RowBatch, from: number, count: number): void {
    for (const [name, column] of Object.entries(this.#columns)) {
      const size = rowSize(column);
      const source = batch[name]!.subarray(from * size, (from + count) * size);
      const target = this.#arrays.get(name)!;
      if (column.dtype === "F16") {
        checkFloat16(name, source);
        float32ToFloat16(source as Float32Array, (target as Uint16Array).subarray(this.rows * size));
      } else if (column.dtype === "Q8") {
        const dim = vectorSize(column);
        const bytes = (target as Uint8Array).subarray(this.rows * size);
        const scales = (this.#arrays.get(scaleTensor(name)) as Float32Array).subarray((2 * this.rows * size) / dim);
        const cosine = quantise(source as Float32Array, dim, { bytes, scales });
        this.#minCosine = Math.min(this.#minCosine, cosine);
      } else {
        target.set(source, this.rows * size);
      }
    }
    this.rows += count;
  }

  /** The file's bytes, to be written before the next `append`; starts the next shard. */
  finish(key: string, firstRow: number): Uint8Array[] {
    const { rows } = this;
    const tensors = [...tensorsOf(this.#columns)].map(([name, { dtype, shape }]): [string, SafeTensor] => {
      const data = this.#arrays.get(name)!.subarray(0, rows * rowSize({ shape }));
      return [name, { dtype, shape: [rows, ...shape], data }];
    });
    const byName = Object.fromEntries(tensors);
    const [, ...data] = safetensorsParts(byName);
    const isQuantised = Object.values(this.#columns).some(({ dtype }) => dtype === "Q8");
    const metadata = {
      key,
      firstRow: String(firstRow),
      dataSha256: sha256(...data),
      ...(isQuantised ? { minCosine: String(this.#minCosine) } : {}),
    };
    this.rows = 0;
    this.#minCosine = 1;
    return safetensorsParts(byName, metadata);
  }
}

/** How many rows a batch has. @throws {ShapeError} a column too many, missing, of another type or not of whole or equal rows. */
export function batchRows(batch: RowBatch, columns: Columns): number {
  const stranger = Object.keys(batch).find((name) => !Object.hasOwn(columns, name));
  if (stranger !== undefined) {
    throw new ShapeError(`row store: the batch has a column "${stranger}"; want ${Object.keys(columns).join(", ")}`);
  }
  let rows: number | undefined;
  for (const [name, column] of Object.entries(columns)) {
    const data = batch[name];
    if (!(data instanceof INPUTS[column.dtype])) {
      const want = INPUTS[column.dtype].name;
      throw new ShapeError(
        `row store: column "${name}" (${column.dtype}) wants ${want}, got ${data?.constructor.name}`,
      );
    }
    const count = data.length / rowSize(column);
    if (!Number.isInteger(count)) {
      throw new ShapeError(
        `row store: column "${name}" has ${data.length} elements, not whole rows of [${column.shape}]`,
      );
    }
    rows ??= count;
    if (count !== rows)
      throw new ShapeError(`row store: column "${name}" has ${count} rows, the one before it ${rows}`);
  }
  return rows!;
}

/**
 * Opens a shard and reads its header.
 *
 * @throws {CacheError} missing, or damaged in a way that the header shows.
 */
export async function openShard(
  folder: string,
  file: string,
): Promise<{ handle: FileHandle; header: SafetensorsHeader }> {
  const path = join(folder, file);
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    return { handle, header: await readHeader(handle, path) };
  } catch (error) {
    await handle?.close();
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw damagedFile(folder, file, "this shard is missing", error);
    // Shards have four dtypes, so one that is unknown here was not written: a flipped bit.
    if (!(error instanceof DataError || error instanceof UnsupportedError)) throw fileError(error, "cannot read", path);
    const [what] = error.message.slice(path.length + 2).split(" — ");
    throw damagedFile(folder, file, what ?? "damaged", error);
  }
}

/** What makes a shard unfit for its place, by its header; undefined when it fits. */
export function shardFault(
  header: SafetensorsHeader,
  { key, columns, firstRow, rows }: ShardPlace,
): string | undefined {
  const { metadata, tensors } = header;
  if (metadata.key !== key) return `belongs to another store (key ${JSON.stringify(metadata.key)}, want "${key}")`;
  if (metadata.firstRow !== String(firstRow)) return `starts with row ${metadata.firstRow}, want ${firstRow}`;
  const wanted = tensorsOf(columns);
  for (const [name, { dtype, shape }] of wanted) {
    const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    const want = `${dtype} [${[rows, ...shape]}]`;
    const got = tensor === undefined ? "none" : `${tensor.dtype} [${tensor.shape}]`;
    if (got !== want) return `column "${name}" is ${got}, want ${want}`;
  }
  const stranger = Object.keys(tensors).find((name) => !wanted.has(name));
  return stranger === undefined ? undefined : `has a column "${stranger}" that the store has not`;
}

/** Reads a shard to its end: sha256 of its data. @throws {CacheError} as `openShard`. */
export async function hashShard(
  folder: string,
  file: string,
): Promise<{ header: SafetensorsHeader; dataSha256: string }> {
  const { handle, header } = await openShard(folder, file);
  try {
    const data = createHash("sha256");
    const chunk = new Uint8Array(HASH_CHUNK_BYTES);
    for (let position = header.dataStart; position < header.sizeBytes; position += chunk.length) {
      const part = chunk.subarray(0, Math.min(chunk.length, header.sizeBytes - position));
      await readFully(handle, part, position, join(folder, file));
      data.update(part);
    }
    return { header, dataSha256: data.digest("hex") };
  } catch (error) {
    throw fileError(error, "cannot read", join(folder, file));
  } finally {
    await handle.close();
  }
}

function checkFloat16(name: string, values: RowData): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Math.abs(value) >= FLOAT16_OVERFLOW && Number.isFinite(value)) {
      throw new NumericError(`row store: column "${name}" has the value ${value}; F16 holds at most ±65504`, {
        hint: "store this column as F32",
      });
    }
  }
}
