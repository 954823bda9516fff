/**
 * @file NumPy's files: `.npy` (one array) and `.npz` (a zip of them), read stored or deflated (`savez_compressed`), zip64 included,
 * checksums verified. C order, little-endian, plain numbers only. Written by `write-npz.ts`.
 *
 * @source NEP 1 / numpy.lib.format (npy 1.0 to 3.0); PKWARE APPNOTE 6.3 (zip).
 */
import { constants } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import { inflateRawSync } from "node:zlib";
import { ZipPassThrough } from "fflate";
import { fileError } from "./atomic.js";
import { DataError, ShapeError, UnsupportedError } from "./errors.js";
import { readFully } from "./safetensors.js";

/** Element types, in NumPy's spelling. */
export type NpyDType = keyof typeof ARRAYS;

/** What an array's elements are kept in: `<f2` as its bits in a `Uint16Array`, `|b1` as 0 and 1 in a `Uint8Array`. */
export type NpyData =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** An array, row-major. */
export interface NpyArray {
  readonly dtype: NpyDType;
  readonly shape: readonly number[];
  readonly data: NpyData;
}

/** An array to write; without a dtype it is the one of its typed array (`Uint8Array` is `|u1`, `Uint16Array` is `<u2`). */
export interface NpyInput {
  readonly dtype?: NpyDType;
  readonly shape: readonly number[];
  readonly data: NpyData;
}

interface DataConstructor {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NpyData;
}

// In this order, the first entry for a typed array is its default.
const ARRAYS = {
  "|u1": Uint8Array,
  "|b1": Uint8Array,
  "|i1": Int8Array,
  "<u2": Uint16Array,
  "<f2": Uint16Array,
  "<i2": Int16Array,
  "<u4": Uint32Array,
  "<i4": Int32Array,
  "<u8": BigUint64Array,
  "<i8": BigInt64Array,
  "<f4": Float32Array,
  "<f8": Float64Array,
} as const satisfies Record<string, DataConstructor>;
const MAGIC = Buffer.from("\x93NUMPY", "latin1");
const ALIGNMENT = 64;
/** Deflate cannot shrink more than this; a larger claim comes from a damaged directory. */
const MAX_DEFLATE_RATIO = 1032;
const U32_MAX = 0xffffffff;
/** Of an npy header of version 1; plain arrays need no longer one. */
export const MAX_HEADER_BYTES = 10 + 0xffff;
export const DAMAGED = "the file is damaged or was cut short: remove it and make or fetch it again";

/** The bytes of an `.npy` file, version 1.0. @throws {ShapeError} data of another length or type than shape and dtype say. */
export function encodeNpy(array: NpyInput): Uint8Array {
  return Buffer.concat(npyParts("array", array));
}

/** What an `.npy` file says of its array. */
export interface NpyHeader {
  readonly dtype: NpyDType;
  readonly shape: readonly number[];
  /** Offset of the array's bytes in the file. */
  readonly dataStart: number;
  readonly dataBytes: number;
}

/**
 * The header of an `.npy` file, without reading its array; the file's size is checked.
 *
 * @throws {DataError} missing or damaged. @throws {UnsupportedError} as `decodeNpy`.
 */
export async function readNpyHeader(path: string): Promise<NpyHeader> {
  try {
    const handle = await open(path, "r");
    try {
      const { size } = await handle.stat();
      return await readNpyHeaderAt(handle, 0, size, path);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(error, "cannot read", path);
  }
}

/** As `readNpyHeader`, of an `.npy` file of `size` bytes that lies at `offset` of another one; `dataStart` is counted from there. */
export async function readNpyHeaderAt(
  handle: FileHandle,
  offset: number,
  size: number,
  name: string,
): Promise<NpyHeader> {
  const bytes = new Uint8Array(Math.min(size, MAX_HEADER_BYTES));
  await readFully(handle, bytes, offset, name);
  const header = parseNpyHeader(bytes, name);
  checkDataBytes(header, size, name);
  return header;
}

/**
 * The array in an `.npy` file, a view on `bytes` (a copy where they are not aligned).
 *
 * @param name  What to call the file in errors.
 * @throws {DataError} damaged. @throws {UnsupportedError} Fortran order, big-endian, objects, records.
 */
export function decodeNpy(bytes: Uint8Array, name: string): NpyArray {
  const header = parseNpyHeader(bytes, name);
  checkDataBytes(header, bytes.length, name);
  const { dtype, shape, dataStart, dataBytes } = header;
  const array: DataConstructor = ARRAYS[dtype];
  const data = bytes.subarray(dataStart);
  const aligned = data.byteOffset % array.BYTES_PER_ELEMENT === 0 ? data : new Uint8Array(data);
  return { dtype, shape, data: new array(aligned.buffer, aligned.byteOffset, dataBytes / array.BYTES_PER_ELEMENT) };
}

/** @throws {DataError} an `.npy` file of another length than its header says. */
export function checkDataBytes(
  { dtype, shape, dataStart, dataBytes }: NpyHeader,
  sizeBytes: number,
  name: string,
): void {
  const got = sizeBytes - dataStart;
  if (got === dataBytes) return;
  throw new DataError(`${name}: array ${dtype} [${shape}] has ${got} bytes, want ${dataBytes}`, { hint: DAMAGED });
}

/** @param bytes the beginning of the file, with the header whole. @throws {DataError | UnsupportedError} as `readNpyHeader`. */
export function parseNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const damaged = (what: string) => new DataError(`${name}: ${what}`, { hint: DAMAGED });
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) throw damaged("not an npy file");
  if (bytes.length < 12) throw damaged(`only ${bytes.length} bytes long`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6]!;
  if (major < 1 || major > 3) throw new UnsupportedError(`${name}: npy version ${major}; supported: 1 to 3`);
  const dataStart = major === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (dataStart > bytes.length) throw damaged(`the header ends at byte ${dataStart}, the file at ${bytes.length}`);
  const header = Buffer.from(bytes.subarray(major === 1 ? 10 : 12, dataStart)).toString(
    major === 3 ? "utf8" : "latin1",
  );

  const descr = /'descr'\s*:\s*(?:'([^']*)'|[[(])/.exec(header);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(header);
  const sizes = /'shape'\s*:\s*\(((?:\s*\d+L?\s*,?)*)\s*\)/.exec(header);
  if (descr === null || order === null || sizes === null)
    throw damaged("the header does not say dtype, order and shape");
  const dtype = descr[1] ?? "a record";
  if (!isDType(dtype)) {
    throw new UnsupportedError(`${name}: dtype ${dtype}; supported: ${Object.keys(ARRAYS).join(" ")}`, {
      hint: `convert the array with .astype("<f4") or another of these and save it again`,
    });
  }
  const shape = [...sizes[1]!.matchAll(/\d+/g)].map(Number);
  if (order[1] === "True" && shape.length > 1) {
    throw new UnsupportedError(`${name}: the array [${shape}] is in Fortran order; want C order`, {
      hint: "save numpy.ascontiguousarray(array) instead",
    });
  }
  const dataBytes = npyDataBytes(dtype, shape);
  return { dtype, shape, dataStart, dataBytes };
}

/**
 * Reads an npz file, each array into memory of its own.
 *
 * @param only  Names of the arrays to read (without `.npy`). @default all
 * @throws {DataError} missing or damaged (also: a checksum that does not fit), or without an array in `only`.
 * @throws {UnsupportedError} encrypted, another compression than deflate, content other than `.npy`, and as `decodeNpy`.
 */
export async function readNpz(path: string, only?: readonly string[]): Promise<Record<string, NpyArray>> {
  try {
    const handle = await open(path, "r");
    try {
      const members = await readDirectory(handle, path);
      const missing = only?.find((name) => !members.has(`${name}.npy`));
      if (missing !== undefined) throw new DataError(`${path}: there is no array "${missing}" in this file`);
      const arrays: [string, NpyArray][] = [];
      for (const [file, member] of members) {
        const name = file.replace(/\.npy$/, "");
        if (only !== undefined && !only.includes(name)) continue;
        if (name === file) throw new UnsupportedError(`${path}: holds "${file}", which is not an .npy array`);
        arrays.push([name, decodeNpy(await readMember(handle, member, `${path}: ${file}`), `${path}: ${file}`)]);
      }
      return Object.fromEntries(arrays);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(error, "cannot read", path);
  }
}

/** An array of an npz file that was not read: where it lies. */
export interface NpzEntry {
  /** Without `.npy`. */
  readonly name: string;
  /** Deflated: the `.npy` file has to be unpacked before parts of it can be read. */
  readonly isDeflated: boolean;
  /** Offset and length in the npz file of the `.npy` file, deflated or as it is. */
  readonly offset: number;
  readonly storedBytes: number;
  /** Of the `.npy` file. */
  readonly sizeBytes: number;
  /** CRC-32 of the `.npy` file. */
  readonly crc: number;
}

/**
 * The arrays of an npz file, none of them read: for those that do not fit into memory.
 *
 * @throws {DataError} missing or damaged. @throws {UnsupportedError} encrypted, or another compression than deflate.
 */
export async function listNpz(path: string): Promise<NpzEntry[]> {
  try {
    const handle = await open(path, "r");
    try {
      const entries: NpzEntry[] = [];
      for (const [file, member] of await readDirectory(handle, path)) {
        const offset = await dataOffset(handle, member, `${path}: ${file}`);
        const { method, storedBytes, sizeBytes, crc } = member;
        const name = file.replace(/\.npy$/, "");
        entries.push({ name, isDeflated: method === 8, offset, storedBytes, sizeBytes, crc });
      }
      return entries;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(error, "cannot read", path);
  }
}

/** @throws {ShapeError} data of another length or type than shape and dtype say. */
export function npyParts(
  name: string,
  { dtype: asked, shape, data }: NpyInput,
): [header: Uint8Array, data: Uint8Array] {
  const fits = (dtype: NpyDType) => data instanceof ARRAYS[dtype];
  const dtype = asked ?? (Object.keys(ARRAYS) as NpyDType[]).find(fits);
  if (dtype === undefined || !fits(dtype)) {
    const want = asked === undefined ? "a typed array" : `${ARRAYS[asked].name} for ${asked}`;
    throw new ShapeError(`npy: "${name}": want ${want}, got ${data.constructor.name}`);
  }
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new ShapeError(`npy: "${name}" has shape [${shape}]; want whole numbers, 0 or more`);
  }
  const count = shape.reduce((product, size) => product * size, 1);
  if (data.length !== count) {
    throw new ShapeError(`npy: "${name}" [${shape}] wants ${count} elements, got ${data.length}`);
  }
  return [npyHeader(dtype, shape), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
}

/** The beginning of an `.npy` file, version 1.0, up to its array. */
export function npyHeader(dtype: NpyDType, shape: readonly number[]): Uint8Array {
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const dict = `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((MAGIC.length + 4 + dict.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = Buffer.alloc(length, " ");
  MAGIC.copy(header);
  header.writeUInt8(1, 6);
  header.writeUInt8(0, 7);
  header.writeUInt16LE(length - 10, 8);
  header.write(dict, 10, "latin1");
  header.write("\n", length - 1);
  return header;
}

/** Bytes of an array's elements. */
export const npyDataBytes = (dtype: NpyDType, shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, ARRAYS[dtype].BYTES_PER_ELEMENT);

interface Member {
  readonly method: number;
  readonly crc: number;
  readonly storedBytes: number;
  readonly sizeBytes: number;
  readonly headerOffset: number;
}

/** The zip's central directory, by file name. */
async function readDirectory(handle: FileHandle, path: string): Promise<Map<string, Member>> {
  const damaged = (what: string) => new DataError(`${path}: ${what}`, { hint: DAMAGED });
  const { size } = await handle.stat();
  const tail = Buffer.alloc(Math.min(size, 22 + 0xffff));
  await readFully(handle, tail, size - tail.length, path);
  // The end record is the last thing in the file, but for its own comment.
  let end = tail.length - 22;
  while (end >= 0 && !(tail.readUInt32LE(end) === 0x06054b50 && end + 22 + tail.readUInt16LE(end + 20) === tail.length))
    end--;
  if (end < 0) throw damaged("not an npz file: no zip directory at its end");
  let count = tail.readUInt16LE(end + 10);
  let length = tail.readUInt32LE(end + 12);
  let offset = tail.readUInt32LE(end + 16);
  if (end >= 20 && tail.readUInt32LE(end - 20) === 0x07064b50) {
    const record = Buffer.alloc(56);
    await readFully(handle, record, wholeNumber(tail, end - 12, damaged), path);
    if (record.readUInt32LE(0) !== 0x06064b50) throw damaged("the zip64 directory is not where it should be");
    count = wholeNumber(record, 32, damaged);
    length = wholeNumber(record, 40, damaged);
    offset = wholeNumber(record, 48, damaged);
  }
  if (offset + length > size) throw damaged("the zip directory lies beyond the end of the file");
  const directory = Buffer.alloc(length);
  await readFully(handle, directory, offset, path);

  const members = new Map<string, Member>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > length || directory.readUInt32LE(at) !== 0x02014b50) throw damaged("the zip directory is broken");
    const nameEnd = at + 46 + directory.readUInt16LE(at + 28);
    const extraEnd = nameEnd + directory.readUInt16LE(at + 30);
    if (extraEnd > length) throw damaged("the zip directory is broken");
    const name = directory.toString("utf8", at + 46, nameEnd);
    if ((directory.readUInt16LE(at + 8) & 1) !== 0) throw new UnsupportedError(`${path}: "${name}" is encrypted`);
    if (members.has(name)) throw damaged(`holds "${name}" twice`);
    // Fields that are all ones stand, 8 bytes each and in this order, in the zip64 extra field.
    const large = zip64Extra(directory.subarray(nameEnd, extraEnd));
    const field = (position: number): number => {
      const value = directory.readUInt32LE(at + position);
      if (value !== U32_MAX || large === undefined) return value;
      if (large.bytes.length < large.next + 8) throw damaged(`the directory entry of "${name}" is broken`);
      large.next += 8;
      return wholeNumber(large.bytes, large.next - 8, damaged);
    };
    const sizeBytes = field(24);
    const storedBytes = field(20);
    const headerOffset = field(42);
    const method = directory.readUInt16LE(at + 10);
    members.set(name, { method, crc: directory.readUInt32LE(at + 16), storedBytes, sizeBytes, headerOffset });
    at = extraEnd + directory.readUInt16LE(at + 32);
  }
  if (at !== length) throw damaged("the zip directory is broken");
  return members;
}

function zip64Extra(extra: Buffer): { bytes: Buffer; next: number } | undefined {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === 1)
      return { bytes: extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2)), next: 0 };
  }
  return undefined;
}

function wholeNumber(bytes: Buffer, at: number, damaged: (what: string) => DataError): number {
  const value = Number(bytes.readBigUInt64LE(at));
  if (!Number.isSafeInteger(value)) throw damaged("the zip directory is broken");
  return value;
}

/** Where a member's bytes begin, its entry in the directory checked. */
async function dataOffset(handle: FileHandle, member: Member, name: string): Promise<number> {
  const damaged = (what: string) => new DataError(`${name}: ${what}`, { hint: DAMAGED });
  const { method, storedBytes, sizeBytes, headerOffset } = member;
  if (method !== 0 && method !== 8) {
    throw new UnsupportedError(`${name}: zip compression ${method}; supported: stored (0) and deflated (8)`);
  }
  const limit = method === 0 ? storedBytes : storedBytes * MAX_DEFLATE_RATIO;
  if (sizeBytes > limit || (method === 0 && sizeBytes !== storedBytes)) {
    throw damaged(`${sizeBytes} bytes cannot come from ${storedBytes}`);
  }
  const header = Buffer.alloc(30);
  await readFully(handle, header, headerOffset, name);
  if (header.readUInt32LE(0) !== 0x04034b50) throw damaged("is not where the zip directory says");
  const start = headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (start + storedBytes > (await handle.stat()).size) throw damaged("ends beyond the end of the file");
  return start;
}

async function readMember(handle: FileHandle, member: Member, name: string): Promise<Uint8Array> {
  const damaged = (what: string, cause?: unknown) => new DataError(`${name}: ${what}`, { hint: DAMAGED, cause });
  const { method, crc, storedBytes, sizeBytes } = member;
  const start = await dataOffset(handle, member, name);
  if (sizeBytes > constants.MAX_LENGTH) {
    throw new UnsupportedError(
      `${name}: has ${sizeBytes} bytes; this Node.js holds at most ${constants.MAX_LENGTH} in one array`,
    );
  }
  const stored = new Uint8Array(storedBytes);
  await readFully(handle, stored, start, name);
  const bytes = method === 0 ? stored : inflate(stored, sizeBytes, damaged);
  if (bytes.length !== sizeBytes) throw damaged(`has ${bytes.length} bytes, want ${sizeBytes}`);
  if (checksum(bytes) !== crc) throw damaged("the checksum does not fit");
  return bytes;
}

function inflate(
  bytes: Uint8Array,
  sizeBytes: number,
  damaged: (what: string, cause: unknown) => DataError,
): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(sizeBytes, 1) });
  } catch (error) {
    throw damaged("cannot be decompressed", error);
  }
}

/** CRC-32 as zip has it; fflate computes it as it writes. */
function checksum(bytes: Uint8Array): number {
  const file = new ZipPassThrough("");
  file.ondata = () => undefined;
  file.push(bytes, true);
  return file.crc >>> 0;
}

const isDType = (name: string): name is NpyDType => Object.hasOwn(ARRAYS, name);
