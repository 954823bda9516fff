/**
 * @file Reading rows from an open row store: which file and bytes a row is in, and files kept open. What a store is and how it is
 * opened is in `row-store.ts`.
 */
import type { FileHandle } from "node:fs/promises";
import { fileError } from "./atomic.js";
import { ShapeError } from "./errors.js";
import { largestRun, type Run, type RunFile, readRuns } from "./read-runs.js";
import type { Manifest } from "./row-manifest.js";
import type { RowStoreHeader } from "./row-plan.js";
import {
  type Column,
  damagedFile,
  newRowData,
  openShard,
  type RowData,
  rowSize,
  sha256,
  shardFault,
  shardFile,
} from "./row-shard.js";
import type { SafetensorsHeader } from "./safetensors.js";

/** ImageNet's SIFT has 313 shards: all of them stay open. Node raises the soft limit of open files to the hard one. */
const MAX_OPEN_FILES = 512;

/** An open store. Reads may run at the same time. */
export interface RowStore {
  readonly header: RowStoreHeader;
  readonly folder: string;
  /**
   * Values of one column in the given rows, in that order: `[rows.length, ...shape]`. Reads only these rows, neighbours in one go, in
   * the order in which they lie on disk.
   *
   * @param into where to write; the array that a batch before was read into saves making a new one, which takes longer than reading
   *   from the page cache. @default a new array
   * @throws {ShapeError} no such column or row, or an array of another type or length. @throws {CacheError} a shard was changed since
   *   the store was opened.
   */
  read(column: string, rows: ArrayLike<number>, into?: RowData): Promise<RowData>;
  /** Waits for running reads, then closes the files. */
  close(): Promise<void>;
}

interface OpenShard {
  readonly handle: FileHandle;
  readonly header: SafetensorsHeader;
}

interface OpenFile {
  readonly opened: Promise<OpenShard>;
  users: number;
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
    for (let shard = 0; shard < this.#manifest.shards.length; shard++) await this.#use([shard], async () => undefined);
  }

  async read(column: string, rows: ArrayLike<number>, into?: RowData): Promise<RowData> {
    if (this.#isClosed) throw new Error(`${this.folder}: read after close`);
    const running = this.#read(column, rows, into);
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

  async #read(name: string, rows: ArrayLike<number>, into?: RowData): Promise<RowData> {
    const { columns } = this.header;
    const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
    if (column === undefined) {
      throw new ShapeError(`${this.folder}: no column "${name}"; it has ${Object.keys(columns).join(", ")}`);
    }
    const result = into ?? newRowData(column, rows.length);
    if (
      Object.getPrototypeOf(result) !== Object.getPrototypeOf(newRowData(column, 0)) ||
      result.length !== rows.length * rowSize(column)
    ) {
      const want = `${newRowData(column, 0).constructor.name} of ${rows.length * rowSize(column)}`;
      throw new ShapeError(
        `${this.folder}: column "${name}" wants ${want}, got ${result.constructor.name} of ${result.length}`,
      );
    }
    const runs = this.#runs(column, rows);
    for (let first = 0; first < runs.length; ) {
      let end = first;
      const shards = new Set<number>();
      while (end < runs.length && (shards.size < MAX_OPEN_FILES / 4 || shards.has(runs[end]!.shard))) {
        shards.add(runs[end++]!.shard);
      }
      await this.#use([...shards], async (fileOf) => {
        await readRuns(name, column, runs.slice(first, end), fileOf, result);
      });
      first = end;
    }
    return result;
  }

  #runs(column: Column, rows: ArrayLike<number>): Run[] {
    const { rows: total, shardRows } = this.#manifest;
    const size = rowSize(column);
    const most = largestRun(column);
    const runs: Run[] = [];
    let next = -1;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i]!;
      if (!Number.isInteger(row) || row < 0 || row >= total) {
        throw new ShapeError(`${this.folder}: no row ${row}; rows are 0 to ${total - 1}`);
      }
      const last = runs.at(-1);
      if (last !== undefined && row === next && row % shardRows !== 0 && last.count + size <= most) last.count += size;
      else {
        const shard = Math.floor(row / shardRows);
        const from = (row % shardRows) * size;
        for (let done = 0; done < size; done += most) {
          runs.push({ shard, from: from + done, count: Math.min(most, size - done), at: i * size + done });
        }
      }
      next = row + 1;
    }
    return runs.sort((a, b) => a.shard - b.shard || a.from - b.from);
  }

  /** Lends open shards; keeps at most `MAX_OPEN_FILES` open that nobody uses. */
  async #use(shards: readonly number[], action: (fileOf: (shard: number) => RunFile) => Promise<void>): Promise<void> {
    const files = new Map<number, OpenFile>();
    for (const shard of shards) {
      const file = this.#files.get(shard) ?? { opened: this.#open(shard), users: 0 };
      this.#files.delete(shard);
      this.#files.set(shard, file);
      file.users++;
      files.set(shard, file);
    }
    try {
      const lent = new Map<number, RunFile>();
      for (const outcome of await Promise.allSettled([...files].map(([shard, file]) => this.#ready(shard, file)))) {
        if (outcome.status === "rejected") throw outcome.reason;
        lent.set(...outcome.value);
      }
      await action((shard) => lent.get(shard)!);
    } catch (error) {
      throw fileError(error, "cannot read", this.folder);
    } finally {
      for (const file of files.values()) file.users--;
      for (const [oldShard, { opened, users }] of this.#files) {
        if (this.#files.size <= MAX_OPEN_FILES) break;
        if (users > 0) continue;
        this.#files.delete(oldShard);
        await (await opened).handle.close();
      }
    }
  }

  async #ready(shard: number, file: OpenFile): Promise<[number, RunFile]> {
    try {
      const { handle, header } = await file.opened;
      return [shard, { fd: handle.fd, header, fault: (what) => damagedFile(this.folder, shardFile(shard), what) }];
    } catch (error) {
      if (this.#files.get(shard) === file) this.#files.delete(shard);
      throw error;
    }
  }

  #open(shard: number): Promise<OpenShard> {
    return openCheckedShard(this.folder, this.#manifest, shard);
  }
}

/**
 * Opens a shard that is, by its header and size, the one that the manifest knows.
 *
 * @throws {CacheError} it is not, or it is missing.
 */
export async function openCheckedShard(folder: string, manifest: Manifest, shard: number): Promise<OpenShard> {
  const { key, columns, shardRows, shards } = manifest;
  const { file, rows, sizeBytes, headerSha256 } = shards[shard]!;
  const opened = await openShard(folder, file);
  const { header } = opened;
  let fault = shardFault(header, { key, columns, firstRow: shard * shardRows, rows });
  if (header.sizeBytes !== sizeBytes) fault ??= `has ${header.sizeBytes} bytes, want ${sizeBytes}`;
  if (sha256(header.bytes) !== headerSha256) fault ??= "not the shard that was written: its header differs";
  if (fault === undefined) return opened;
  await opened.handle.close();
  throw damagedFile(folder, file, fault);
}
