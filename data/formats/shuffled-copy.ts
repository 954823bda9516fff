import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { fileError } from "../atomic.js";
import { readFully } from "../safetensors.js";
import type { UnpackedFiles } from "./unpack.js";

/**
 * Byte strings that are costly to read in any but ascending order, copied once in that order into a temporary file: what is packed
 * in blocks (pages of a parquet file) is then unpacked once a block, not once an image.
 */
export class ShuffledCopy {
  /** Ascending. */
  readonly #positions: Uint32Array;
  readonly #read: (position: number) => Promise<Uint8Array>;
  readonly #unpacked: UnpackedFiles;
  readonly #name: string;
  /** Where each of them begins in the copy, and the end of the last one. */
  readonly #offsets: Float64Array;
  #copy: Promise<FileHandle> | undefined;

  /**
   * Nothing is copied before the first read.
   *
   * @param positions which strings, in any order; not kept.
   * @param read      one string; called in ascending order.
   * @param unpacked  owns the temporary file. @param name shown in errors.
   */
  constructor(
    positions: Uint32Array,
    read: (position: number) => Promise<Uint8Array>,
    unpacked: UnpackedFiles,
    name: string,
  ) {
    this.#positions = positions.slice().sort();
    this.#read = read;
    this.#unpacked = unpacked;
    this.#name = name;
    this.#offsets = new Float64Array(positions.length + 1);
  }

  /** @throws {DataError} it, or another of these strings, cannot be read; no room for the copy. */
  async read(position: number): Promise<Uint8Array> {
    this.#copy ??= this.#make();
    const handle = await this.#copy;
    const place = this.#placeOf(position);
    const bytes = new Uint8Array(this.#offsets[place + 1]! - this.#offsets[place]!);
    await readFully(handle, bytes, this.#offsets[place]!, this.#name);
    return bytes;
  }

  async close(): Promise<void> {
    const handle = await this.#copy?.catch(() => undefined);
    await handle?.close();
  }

  async #make(): Promise<FileHandle> {
    const path = await this.#unpacked.unpack([Readable.from(this.#strings())], this.#name);
    try {
      return await open(path, "r");
    } catch (error) {
      throw fileError(error, "cannot read", path);
    }
  }

  async *#strings(): AsyncGenerator<Uint8Array> {
    for (const [place, position] of this.#positions.entries()) {
      const bytes = await this.#read(position);
      this.#offsets[place + 1] = this.#offsets[place]! + bytes.length;
      yield bytes;
    }
  }

  #placeOf(position: number): number {
    let [low, high] = [0, this.#positions.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#positions[middle]! <= position) low = middle;
      else high = middle;
    }
    if (this.#positions[low] !== position) throw new RangeError(`${this.#name}: ${position} was not copied`);
    return low;
  }
}
