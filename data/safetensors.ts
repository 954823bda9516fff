/**
 * @file The safetensors format, both ways: 8 bytes (little-endian u64) length of the header, the header (JSON: for each tensor
 * its dtype, shape and byte range; free text pairs under `__metadata__`), then the tensors' bytes without holes or overlaps,
 * row-major, little-endian. Reading is strict: a file that breaks any of this is refused, never read in part.
 *
 * @source https://huggingface.co/docs/safetensors (section "Format").
 */
import fs from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { fileError, writeFileAtomic } from "./atomic.js";
import { DataError, ShapeError, UnsupportedError } from "./errors.js";
import { bfloat16ToFloat32, float16ToFloat32 } from "./float16.js";

/** Element types that are read and written. The format's types of fewer than 8 bits, of 8-bit floats and of complex numbers are not. */
export type SafeDType =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL";

/** What a tensor's elements are kept in; which one goes with which dtype: see `SafeTensor`. */
export type SafeData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** A tensor, row-major. F16 and BF16 are kept as their bits in a `Uint16Array`, BOOL as 0 and 1 in a `Uint8Array`. */
export interface SafeTensor {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  readonly data: SafeData;
}

/** Where a tensor lies in a file: bytes `begin` to `end` (exclusive), counted from `dataStart` of the header. */
export interface SafeTensorEntry {
  readonly dtype: SafeDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** What a file says about itself. */
export interface SafetensorsHeader {
  readonly tensors: Readonly<Record<string, SafeTensorEntry>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Offset of the tensors' bytes in the file: 8 + length of the JSON. */
  readonly dataStart: number;
  readonly sizeBytes: number;
  /** The first `dataStart` bytes of the file, as they are. */
  readonly bytes: Uint8Array;
}

interface DataConstructor {
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): SafeData;
}

const ARRAYS: Readonly<Record<SafeDType, DataConstructor>> = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};
const PREFIX_BYTES = 8;
/** The bound of the reference implementation; a damaged length would otherwise ask for terabytes. */
const MAX_HEADER_BYTES = 100_000_000;
const MAX_READ_BYTES = 2 ** 30;
const METADATA = "__metadata__";
const DAMAGED = "the file is damaged or was cut short: remove it and make or fetch it again";

/**
 * The file as parts to be written one after the other, tensors not copied. The layout is canonical, as the reference
 * implementation writes it: widest dtype first (so that every tensor is aligned), then by name; the bytes do not depend on the
 * order of the keys.
 *
 * @throws {ShapeError} data of another length or array type than dtype and shape say.
 */
export function safetensorsParts(
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const names = Object.keys(tensors).sort((a, b) => {
    const width = ARRAYS[tensors[b]!.dtype].BYTES_PER_ELEMENT - ARRAYS[tensors[a]!.dtype].BYTES_PER_ELEMENT;
    return width !== 0 ? width : a < b ? -1 : 1;
  });
  const entries: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) {
    const pairs = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
    entries.push([METADATA, Object.fromEntries(pairs)]);
  }
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const name of names) {
    const { dtype, shape, data } = tensors[name]!;
    if (name === METADATA) throw new ShapeError(`safetensors: a tensor cannot be called "${METADATA}"`);
    const array = ARRAYS[dtype];
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      throw new ShapeError(`safetensors: tensor "${name}" has shape [${shape}]; want whole numbers, 0 or more`);
    }
    if (Object.getPrototypeOf(data) !== array.prototype && !(array === Uint8Array && data instanceof Uint8Array)) {
      throw new ShapeError(
        `safetensors: tensor "${name}" is ${dtype}: want ${array.name}, got ${data.constructor.name}`,
      );
    }
    const count = shape.reduce((product, size) => product * size, 1);
    if (data.length !== count) {
      throw new ShapeError(`safetensors: tensor "${name}" [${shape}] wants ${count} elements, got ${data.length}`);
    }
    entries.push([name, { dtype, shape, data_offsets: [offset, offset + data.byteLength] }]);
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  // Object.fromEntries and not assignment: a tensor may be called "__proto__".
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)), "utf8");
  if (json.length > MAX_HEADER_BYTES - 8) {
    throw new ShapeError(
      `safetensors: the header would have ${json.length} bytes; at most ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  const header = Buffer.alloc(PREFIX_BYTES + Math.ceil(json.length / 8) * 8, " ");
  header.writeBigUInt64LE(BigInt(header.length - PREFIX_BYTES));
  json.copy(header, PREFIX_BYTES);
  return [header, ...parts];
}

/** The bytes of a safetensors file; see `safetensorsParts` for layout and errors. */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const parts = safetensorsParts(tensors, metadata);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

/**
 * Tensors and metadata of a whole file in memory.
 *
 * @param bytes  The file. The tensors are views on it; one whose bytes are not aligned for its type is copied.
 * @param name   What to call the file in errors.
 * @throws {DataError} damaged: cut short or too long, header not JSON or not of this form, byte ranges that leave holes, overlap
 *   or do not fit dtype and shape, a name twice.
 * @throws {UnsupportedError} a dtype that is not in `SafeDType`.
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  name: string,
): { tensors: Record<string, SafeTensor>; metadata: Record<string, string> } {
  const dataStart = headerLength(bytes, bytes.byteLength, name);
  const header = parseHeader(bytes.subarray(0, dataStart), bytes.byteLength, name);
  const tensors = Object.entries(header.tensors).map(([key, { dtype, shape, begin, end }]): [string, SafeTensor] => {
    const array = ARRAYS[dtype];
    const view = bytes.subarray(dataStart + begin, dataStart + end);
    const aligned = view.byteOffset % array.BYTES_PER_ELEMENT === 0 ? view : new Uint8Array(view);
    const count = aligned.byteLength / array.BYTES_PER_ELEMENT;
    return [key, { dtype, shape, data: new array(aligned.buffer, aligned.byteOffset, count) }];
  });
  return { tensors: Object.fromEntries(tensors), metadata: { ...header.metadata } };
}

/**
 * Reads a file, each tensor into memory of its own, so that also files of more than 2 GiB can be read and one tensor can be
 * let go while another is kept.
 *
 * @param only  Names of the tensors to read; the others are not touched. @default all
 * @throws {DataError} missing, unreadable or damaged file (see `decodeSafetensors`), or a name in `only` that it has not got.
 */
export async function readSafetensors(
  path: string,
  only?: readonly string[],
): Promise<{ tensors: Record<string, SafeTensor>; metadata: Record<string, string> }> {
  return withFile(path, async (handle) => {
    const header = await readHeader(handle, path);
    const tensors: [string, SafeTensor][] = [];
    for (const key of only ?? Object.keys(header.tensors)) {
      const entry = Object.hasOwn(header.tensors, key) ? header.tensors[key] : undefined;
      if (entry === undefined) throw new DataError(`${path}: there is no tensor "${key}" in this file`);
      const { dtype, shape, begin, end } = entry;
      const bytes = new Uint8Array(end - begin);
      await readFully(handle, bytes, header.dataStart + begin, path);
      const array = ARRAYS[dtype];
      const data = new array(bytes.buffer, 0, bytes.byteLength / array.BYTES_PER_ELEMENT);
      tensors.push([key, { dtype, shape, data }]);
    }
    return { tensors: Object.fromEntries(tensors), metadata: { ...header.metadata } };
  });
}

/**
 * Writes a file atomically (`writeFileAtomic`).
 *
 * @throws {DataError} the file cannot be written. @throws {ShapeError} see `safetensorsParts`.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, safetensorsParts(tensors, metadata));
}

/**
 * The header of a file, without reading its tensors; checked like a whole file, its size on disk included.
 *
 * @throws {DataError} missing, unreadable or damaged.
 */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, (handle) => readHeader(handle, path));
}

/** As `readSafetensorsHeader`, for a file that is open already. */
export async function readHeader(handle: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await handle.stat();
  const prefix = new Uint8Array(Math.min(size, PREFIX_BYTES));
  await readFully(handle, prefix, 0, path);
  const bytes = new Uint8Array(headerLength(prefix, size, path));
  await readFully(handle, bytes, 0, path);
  return parseHeader(bytes, size, path);
}

/** Fills `into` from `position` of the file. @throws {DataError} the file ends before. */
export async function readFully(handle: FileHandle, into: Uint8Array, position: number, path: string): Promise<void> {
  let offset = 0;
  while (offset < into.byteLength) {
    const length = Math.min(into.byteLength - offset, MAX_READ_BYTES);
    const bytesRead = await readOnce(handle.fd, into, offset, length, position + offset);
    if (bytesRead === 0) {
      const want = position + into.byteLength;
      throw new DataError(`${path}: ends at byte ${position + offset}, want ${want}`, { hint: DAMAGED });
    }
    offset += bytesRead;
  }
}

/** The callback that Node has beneath the promises of a FileHandle: half the time of a read of 64 KB. */
function readOnce(fd: number, into: Uint8Array, offset: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(fd, into, offset, length, position, (error, bytesRead) =>
      error === null ? resolve(bytesRead) : reject(error),
    );
  });
}

/**
 * The elements as float32: F32 as it is (the same array), F16 and BF16 exactly, F64 and integers to nearest, BOOL as 0 and 1.
 */
export function toFloat32(tensor: SafeTensor): Float32Array {
  const { dtype, data } = tensor;
  if (dtype === "F16") return float16ToFloat32(data as Uint16Array);
  if (dtype === "BF16") return bfloat16ToFloat32(data as Uint16Array);
  if (data instanceof Float32Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float32Array.from(data, Number);
  return Float32Array.from(data);
}

async function withFile<Result>(path: string, use: (handle: FileHandle) => Promise<Result>): Promise<Result> {
  try {
    const handle = await open(path, "r");
    try {
      return await use(handle);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(error, "cannot read", path);
  }
}

/** Length of prefix and JSON together, checked against the size of the file. */
function headerLength(prefix: Uint8Array, sizeBytes: number, name: string): number {
  if (sizeBytes < PREFIX_BYTES) {
    throw new DataError(`${name}: not a safetensors file, only ${sizeBytes} bytes long`, { hint: DAMAGED });
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    const text = `${name}: not a safetensors file: its header would be ${length} bytes long, more than ${MAX_HEADER_BYTES}`;
    throw new DataError(text, { hint: "check that this is the right file" });
  }
  if (PREFIX_BYTES + Number(length) > sizeBytes) {
    const text = `${name}: the header ends at byte ${PREFIX_BYTES + Number(length)}, the file at ${sizeBytes}`;
    throw new DataError(text, { hint: DAMAGED });
  }
  return PREFIX_BYTES + Number(length);
}

function parseHeader(bytes: Uint8Array, sizeBytes: number, name: string): SafetensorsHeader {
  const damaged = (what: string, cause?: unknown) => new DataError(`${name}: ${what}`, { hint: DAMAGED, cause });
  let json: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(PREFIX_BYTES));
    json = JSON.parse(text);
  } catch (error) {
    throw damaged("the header is not JSON", error);
  }
  if (!isRecord(json)) throw damaged("the header is not a JSON object");
  const twice = duplicateKey(text);
  if (twice !== undefined) throw damaged(`the header has the key ${JSON.stringify(twice)} twice`);

  const metadata: [string, string][] = [];
  const tensors: [string, SafeTensorEntry][] = [];
  for (const [key, value] of Object.entries(json)) {
    if (!isRecord(value)) throw damaged(`${JSON.stringify(key)} in the header is not an object`);
    if (key === METADATA) {
      for (const [field, content] of Object.entries(value)) {
        if (typeof content !== "string") throw damaged(`metadata ${JSON.stringify(field)} is not a text`);
        metadata.push([field, content]);
      }
    } else {
      tensors.push([key, parseEntry(key, value, name, damaged)]);
    }
  }

  let position = 0;
  for (const [key, { begin, end }] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== position) {
      const fault = begin > position ? "leaves a hole" : "overlaps another tensor";
      throw damaged(
        `tensor ${JSON.stringify(key)} starts at byte ${begin} of the data, want ${position} (it ${fault})`,
      );
    }
    position = end;
  }
  const dataStart = bytes.byteLength;
  if (dataStart + position !== sizeBytes) {
    throw damaged(`has ${sizeBytes} bytes, want ${dataStart + position} by its header`);
  }
  return {
    tensors: Object.fromEntries(tensors),
    metadata: Object.fromEntries(metadata),
    dataStart,
    sizeBytes,
    bytes,
  };
}

function parseEntry(
  key: string,
  entry: Record<string, unknown>,
  name: string,
  damaged: (what: string) => DataError,
): SafeTensorEntry {
  const { dtype, shape, data_offsets: offsets, ...others } = entry;
  const [stranger] = Object.keys(others);
  if (stranger !== undefined)
    throw damaged(`tensor ${JSON.stringify(key)} has an unknown field ${JSON.stringify(stranger)}`);
  if (typeof dtype !== "string") throw damaged(`tensor ${JSON.stringify(key)} has no dtype`);
  if (!isSafeDType(dtype)) {
    const known = Object.keys(ARRAYS).join(", ");
    throw new UnsupportedError(
      `${name}: tensor ${JSON.stringify(key)} has dtype ${JSON.stringify(dtype)}; supported: ${known}`,
    );
  }
  if (!isSizes(shape)) throw damaged(`tensor ${JSON.stringify(key)} has no shape of whole numbers`);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw damaged(`tensor ${JSON.stringify(key)} has no pair of data_offsets`);
  const [begin, end] = offsets as [number, number];
  // The product of sizes may pass 2^53, or be 0 after that: either way it differs from a byte count that a file can have.
  const want = shape.reduce((product, size) => product * size, ARRAYS[dtype].BYTES_PER_ELEMENT);
  if (end - begin !== want) {
    throw damaged(`tensor ${JSON.stringify(key)} (${dtype} [${shape}]) has ${end - begin} bytes, want ${want}`);
  }
  return { dtype, shape, begin, end };
}

/** The first key that an object in a valid JSON text has twice; `JSON.parse` would keep the last one silently. */
function duplicateKey(json: string): string | undefined {
  const open: Set<string>[] = [];
  for (const [token, string, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "}") open.pop();
    else if (string !== undefined && colon !== undefined) {
      const key: string = JSON.parse(string);
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isSafeDType = (name: string): name is SafeDType => Object.hasOwn(ARRAYS, name);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
