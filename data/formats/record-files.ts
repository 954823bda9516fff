import type { Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { fileError } from "../atomic.js";
import { DataError } from "../errors.js";
import { readFully } from "../safetensors.js";

/** Bytes that `scan` reads at once. */
const SCAN_BYTES = 2 ** 20;

/** Where records lie one after the other: a whole file or a part of one. */
export interface RecordFile {
  /** For people. */
  readonly name: string;
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Records of one fixed length in one or more files, read from any place. */
export class RecordFiles {
  readonly length: number;
  readonly #files: readonly RecordFile[];
  readonly #recordBytes: number;
  /** Of each file. */
  readonly #firsts: readonly number[];
  /** By path. */
  readonly #handles: ReadonlyMap<string, FileHandle>;

  private constructor(files: readonly RecordFile[], recordBytes: number, handles: ReadonlyMap<string, FileHandle>) {
    const firsts = [0];
    for (const { sizeBytes } of files) firsts.push(firsts.at(-1)! + sizeBytes / recordBytes);
    this.length = firsts.pop()!;
    this.#firsts = firsts;
    this.#files = files;
    this.#recordBytes = recordBytes;
    this.#handles = handles;
  }

  /** @throws {DataError} a file that cannot be read, is empty, or is no whole number of records. */
  static async open(files: readonly RecordFile[], recordBytes: number): Promise<RecordFiles> {
    for (const { name, sizeBytes } of files) {
      if (sizeBytes > 0 && sizeBytes % recordBytes === 0) continue;
      throw new DataError(`${name} has ${sizeBytes} bytes, wanted a whole number of ${recordBytes}`, {
        hint: "it is truncated, or of another format",
      });
    }
    const handles = new Map<string, FileHandle>();
    try {
      for (const { path } of files) if (!handles.has(path)) handles.set(path, await open(path, "r"));
    } catch (error) {
      for (const handle of handles.values()) await handle.close();
      throw fileError(error, "cannot read", (error as NodeJS.ErrnoException).path ?? "");
    }
    return new RecordFiles(files, recordBytes, handles);
  }

  /** File of a record, and its number in it. */
  placeOf(position: number): { name: string; record: number } {
    const file = this.#fileOf(position);
    return { name: this.#files[file]!.name, record: position - this.#firsts[file]! };
  }

  /** Fills `into` with the bytes of a record from `skip` on. @throws {DataError} the file was cut short. */
  async read(position: number, into: Uint8Array, skip = 0): Promise<void> {
    const file = this.#fileOf(position);
    const { path, offset, name } = this.#files[file]!;
    const start = offset + (position - this.#firsts[file]!) * this.#recordBytes + skip;
    await readFully(this.#handles.get(path)!, into, start, name);
  }

  /** All records in order, some at a time. @yields a view of whole records that the next one overwrites. */
  async *scan(): AsyncGenerator<Uint8Array> {
    const block = new Uint8Array(Math.max(1, Math.floor(SCAN_BYTES / this.#recordBytes)) * this.#recordBytes);
    for (const { path, offset, sizeBytes, name } of this.#files) {
      for (let at = 0; at < sizeBytes; at += block.length) {
        const part = block.subarray(0, Math.min(block.length, sizeBytes - at));
        await readFully(this.#handles.get(path)!, part, offset + at, name);
        yield part;
      }
    }
  }

  /** Adds all records to a hash, and then which of them are taken: at the speed of the disk, in whatever files they are packed. */
  async addContents(hash: Hash, positions: Uint32Array, onHashed: (share: number) => void): Promise<void> {
    let done = 0;
    for await (const block of this.scan()) {
      hash.update(block);
      done += block.length / this.#recordBytes;
      onHashed(done / this.length);
    }
    hash.update(new Uint8Array(positions.buffer, positions.byteOffset, positions.byteLength));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#handles.values()].map((handle) => handle.close()));
  }

  #fileOf(position: number): number {
    let file = this.#firsts.length - 1;
    while (this.#firsts[file]! > position) file--;
    return file;
  }
}
