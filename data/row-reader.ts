/**
 * @file Reading rows from an open row store: which file and bytes a row is in, and a few files kept open. What a store is and how
 * it is opened is in `row-store.ts`.
 */
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { fileError } from "./atomic.js";
import { DataError, ShapeError } from "./errors.js";
import { float16ToFloat32 } from "./float16.js";
import type { Manifest } from "./row-manifest.js";
import type { RowStoreHeader } from "./row-plan.js";
import {
  type Column,
  damagedFile,
  openShard,
  type RowData,
  rowBytes,
  sha256,
  shardFault,
  shardFile,
} from "./row-shard.js";
import { readFully, type SafetensorsHeader } from "./safetensors.js";

const MAX_OPEN_FILES = 8;
const PARALLEL_READS = 8;

/** An open store. Reads may run at the same time. */
export interface RowStore {
  readonly header: RowStoreHeader;
  readonly folder: string;
  /**
   * Values of one column in the given rows, in that order: `[rows.length, ...shape]`, a new array. Reads only these rows,
   * neighbours in one go.
   *
   * @throws {ShapeError} no such column or row. @throws {CacheError} a shard was changed since the store was opened.
   */
  read(column: string, rows: ArrayLike<number>): Promise<RowData>;
  /** Waits for running reads, then closes the files. */
  close(): Promise<void>;
}

interface OpenFile {
  readonly opened: Promise<{ handle: FileHandle; header: SafetensorsHeader }>;
  users: number;
}

/** A run of neighbouring rows in one shard, and where in the result its bytes go. */
interface Run {
  readonly shard: number;
  readonly row: number;
  rows: number;
  readonly at: number;
}

/** A store whose manifest has been checked; `checkShards` checks the rest. */
export class FolderRowStore implements RowStore {
  readonly header: RowStoreHeader;
  readonly folder: string;
  readonly #manifest: Manifest;
  /** Least recently used first. */
  readonly #files = new Map<number, OpenFile>();
  readonly #running = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(folder: string, manifest: Manifest) {
    const { key, rows, columns, meta } = manifest;
    this.header = { key, rows, columns, meta };
    this.folder = folder;
    this.#manifest = manifest;
  }

  async checkShards(): Promise<void> {
    for (let shard = 0; shard < this.#manifest.shards.length; shard++) await this.#use(shard, async () => undefined);
  }

  async read(column: string, rows: ArrayLike<number>): Promise<RowData> {
    if (this.#isClosed) throw new Error(`${this.folder}: read after close`);
    const running = this.#read(column, rows);
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#running);
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const { opened } of files) await (await opened).handle.close();
  }

  async #read(name: string, rows: ArrayLike<number>): Promise<RowData> {
    const { columns } = this.header;
    const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (column === undefined) {
      throw new ShapeError(`${this.folder}: no column "${name}"; it has ${Object.keys(columns).join(", ")}`);
    }
    const size = rowBytes(column);
    const bytes = new Uint8Array(rows.length * size);
    const runs = this.#runs(rows).values();
    const worker = async () => {
      for (const run of runs) {
        const into = bytes.subarray(run.at * size, (run.at + run.rows) * size);
        await this.#use(run.shard, async ({ handle, header }) => {
          const { begin } = header.tensors[name]!;
          const path = join(this.folder, shardFile(run.shard));
          await readFully(handle, into, header.dataStart + begin + run.row * size, path);
        });
      }
    };
    const results = await Promise.allSettled(Array.from({ length: PARALLEL_READS }, worker));
    for (const result of results) if (result.status === "rejected") throw result.reason;
    return typedRows(column, bytes.buffer);
  }

  #runs(rows: ArrayLike<number>): Run[] {
    const { rows: total, shardRows } = this.#manifest;
    const runs: Run[] = [];
    let next = -1;
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!;
      if (!Number.isInteger(row) || row < 0 || row >= total) {
        throw new ShapeError(`${this.folder}: no row ${row}; rows are 0 to ${total - 1}`);
      }
      const last = runs.at(-1);
      if (last !== undefined && row === next && row % shardRows !== 0) last.rows++;
      else runs.push({ shard: Math.floor(row / shardRows), row: row % shardRows, rows: 1, at });
      next = row + 1;
    }
    return runs;
  }

  /** Lends an open shard; keeps at most `MAX_OPEN_FILES` open that nobody uses. */
  async #use(
    shard: number,
    action: (file: { handle: FileHandle; header: SafetensorsHeader }) => Promise<void>,
  ): Promise<void> {
    const file = this.#files.get(shard) ?? { opened: this.#open(shard), users: 0 };
    this.#files.delete(shard);
    this.#files.set(shard, file);
    file.users++;
    try {
      const opened = await file.opened.catch((error) => {
        if (this.#files.get(shard) === file) this.#files.delete(shard);
        throw error;
      });
      await action(opened);
    } catch (error) {
      const name = shardFile(shard);
      if (error instanceof DataError) throw damagedFile(this.folder, name, "was cut short since it was opened", error);
      throw fileError(error, "cannot read", join(this.folder, name));
    } finally {
      file.users--;
      for (const [oldShard, { opened, users }] of this.#files) {
        if (this.#files.size <= MAX_OPEN_FILES) break;
        if (users > 0) continue;
        this.#files.delete(oldShard);
        await (await opened).handle.close();
      }
    }
  }

  async #open(shard: number): Promise<{ handle: FileHandle; header: SafetensorsHeader }> {
    const { key, columns, shardRows, shards } = this.#manifest;
    const { file, rows, sizeBytes, headerSha256 } = shards[shard]!;
    const opened = await openShard(this.folder, file);
    const { header } = opened;
    let fault = shardFault(header, { key, columns, firstRow: shard * shardRows, rows });
    if (header.sizeBytes !== sizeBytes) fault ??= `has ${header.sizeBytes} bytes, want ${sizeBytes}`;
    if (sha256(header.bytes) !== headerSha256) fault ??= "not the shard that was written: its header differs";
    if (fault === undefined) return opened;
    await opened.handle.close();
    throw damagedFile(this.folder, file, fault);
  }
}

function typedRows({ dtype }: Column, buffer: ArrayBuffer): RowData {
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer);
    case "F16":
      return float16ToFloat32(new Uint16Array(buffer));
    case "U8":
      return new Uint8Array(buffer);
    case "I32":
      return new Int32Array(buffer);
    default:
      dtype satisfies never;
      throw new Error(`dtype ${dtype}`);
  }
}
