/**
 * @file An array of an npz file read from its first row to its last, in batches: for arrays that do not fit into memory. Stored and
 * deflated arrays are read alike, and the checksum is compared when the last row has been read.
 */
import { createReadStream } from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { createInflateRaw } from "node:zlib";
import { ZipPassThrough } from "fflate";
import { fileError } from "./atomic.js";
import { DataError, DescryError } from "./errors.js";
import {
  checkDataBytes,
  DAMAGED,
  listNpz,
  MAX_HEADER_BYTES,
  type NpyHeader,
  type NpzEntry,
  parseNpyHeader,
} from "./npz.js";

export interface NpzRows {
  readonly dtype: NpyHeader["dtype"];
  readonly shape: readonly number[];
  /**
   * The array's bytes, row after row; from the first row again with every call.
   *
   * @param rows of a batch; the last one may have fewer. Its bytes are valid until the next batch is asked for.
   * @throws {DataError} damaged, by then at the latest when all is read.
   */
  batches(rows: number): AsyncGenerator<Uint8Array>;
}

const READ_BYTES = 2 ** 20;

/**
 * Open an array of an npz file; its header is read.
 *
 * @param name without `.npy`.
 * @returns undefined where the file has no such array.
 * @throws {DataError | UnsupportedError} as `readNpz`.
 */
export async function openNpzRows(path: string, name: string): Promise<NpzRows | undefined> {
  const entry = (await listNpz(path)).find((one) => one.name === name);
  if (entry === undefined) return undefined;
  const what = `${path}: ${name}.npy`;
  const header = await readHeader(path, entry, what);
  checkDataBytes(header, entry.sizeBytes, what);
  const { dtype, shape, dataStart, dataBytes } = header;
  const rowBytes = shape[0] === undefined || shape[0] === 0 ? 0 : dataBytes / shape[0];
  return {
    dtype,
    shape,
    async *batches(rows) {
      const batch = new Uint8Array(rows * rowBytes);
      const sum = new ZipPassThrough("");
      sum.ondata = () => undefined;
      let filled = 0;
      let skip = dataStart;
      for await (const part of partsOf(path, entry, what)) {
        sum.push(part);
        for (let at = Math.min(skip, part.length); at < part.length; ) {
          const length = Math.min(part.length - at, batch.length - filled);
          batch.set(part.subarray(at, at + length), filled);
          at += length;
          filled += length;
          if (filled < batch.length) continue;
          yield batch;
          filled = 0;
        }
        skip -= Math.min(skip, part.length);
      }
      sum.push(new Uint8Array(0), true);
      if (sum.size !== entry.sizeBytes) {
        throw new DataError(`${what}: has ${sum.size} bytes, want ${entry.sizeBytes}`, { hint: DAMAGED });
      }
      if (sum.crc >>> 0 !== entry.crc) throw new DataError(`${what}: the checksum does not fit`, { hint: DAMAGED });
      if (filled > 0) yield batch.subarray(0, filled);
    },
  };
}

async function readHeader(path: string, entry: NpzEntry, what: string): Promise<NpyHeader> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of partsOf(path, entry, what)) {
    parts.push(part);
    length += part.length;
    if (length >= Math.min(MAX_HEADER_BYTES, entry.sizeBytes)) break;
  }
  return parseNpyHeader(Buffer.concat(parts), what);
}

/** The bytes of the `.npy` file, unpacked. */
async function* partsOf(path: string, entry: NpzEntry, what: string): AsyncGenerator<Uint8Array> {
  const { isDeflated, offset, storedBytes } = entry;
  const stored = createReadStream(path, { start: offset, end: offset + storedBytes - 1, highWaterMark: READ_BYTES });
  // What goes wrong destroys the last stream of the two, and is thrown where it is read.
  const bytes: Readable = isDeflated ? pipeline(stored, createInflateRaw(), () => undefined) : stored;
  try {
    for await (const part of bytes) yield part as Uint8Array;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (error instanceof DescryError) throw error;
    if (syscall !== undefined) throw fileError(error, "cannot read", path);
    if (!code?.startsWith("Z_")) throw error;
    throw new DataError(`${what}: cannot be decompressed`, { hint: DAMAGED, cause: error });
  } finally {
    stored.destroy();
  }
}
