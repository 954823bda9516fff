import type { FileHandle } from "node:fs/promises";
import { DataError } from "./errors.js";
import { readFully } from "./safetensors.js";

/** What is read at once: small beside a photograph that is passed over, large beside the headers that are looked at. */
const WINDOW_BYTES = 2 ** 15;

/** A file that is read in small pieces from front to back: neighbouring pieces come from one read. Reads must not overlap. */
export class FileWindow {
  readonly name: string;
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  #bytes = Buffer.alloc(0);
  #start = 0;

  /** @param name shown in errors. */
  constructor(handle: FileHandle, name: string, sizeBytes: number) {
    this.#handle = handle;
    this.name = name;
    this.sizeBytes = sizeBytes;
  }

  /**
   * `length` bytes from `position`.
   *
   * @returns a view that the next read may overwrite.
   * @throws {DataError} the file ends before.
   */
  async read(position: number, length: number): Promise<Buffer> {
    if (position + length > this.sizeBytes) {
      throw new DataError(`${this.name} is truncated at byte ${this.sizeBytes}, wanted up to ${position + length}`);
    }
    const from = position - this.#start;
    if (from < 0 || from + length > this.#bytes.length) {
      const size = Math.min(Math.max(length, WINDOW_BYTES), this.sizeBytes - position);
      this.#bytes =
        size <= this.#bytes.buffer.byteLength ? Buffer.from(this.#bytes.buffer, 0, size) : Buffer.alloc(size);
      this.#start = position;
      await readFully(this.#handle, this.#bytes, position, this.name);
    }
    return this.#bytes.subarray(position - this.#start, position - this.#start + length);
  }
}
