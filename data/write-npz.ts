/**
 * @file Npz files written as `numpy.savez` does, stored. Arrays that do not fit into memory are written part by part; from 4 GiB on, fields
 * are those of zip64. The bytes depend on names and arrays only, not on the time.
 *
 * @source PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3.
 */
import { ZipPassThrough } from "fflate";
import { writeFileAtomicBy } from "./atomic.js";
import { ShapeError } from "./errors.js";
import { type NpyDType, type NpyInput, npyDataBytes, npyHeader, npyParts } from "./npz.js";

/** An array of which the bytes come in parts. */
export interface NpyStream {
  readonly dtype: NpyDType;
  readonly shape: readonly number[];
  /** Elements as they lie in memory, little-endian, row-major, in parts of any length. */
  readonly parts: AsyncIterable<Uint8Array>;
}

const U32_MAX = 0xffffffff;
/** 1980-01-01, the first day that a zip file knows. */
const DATE = 0x21;
const STORED = 0;
const VERSION = { plain: 20, zip64: 45 };

/**
 * Write arrays, atomically.
 *
 * @throws {ShapeError} data of another length or type than shape and dtype say. @throws {DataError} the file cannot be written.
 * @throws what the parts of an array throw.
 */
export async function writeNpz(path: string, arrays: Readonly<Record<string, NpyInput | NpyStream>>): Promise<void> {
  await writeFileAtomicBy(path, async (write) => {
    let offset = 0;
    const append = async (bytes: Uint8Array) => {
      await write(bytes);
      offset += bytes.byteLength;
    };
    const members: Member[] = [];
    for (const [array, input] of Object.entries(arrays)) {
      const [header, parts, sizeBytes] = partsOf(array, input);
      const member = { name: Buffer.from(`${array}.npy`), sizeBytes, offset, crc: 0 };
      await append(localHeader(member));
      const sum = new ZipPassThrough("");
      sum.ondata = () => undefined;
      const add = async (bytes: Uint8Array) => {
        sum.push(bytes);
        await append(bytes);
      };
      await add(header);
      for await (const part of parts) await add(part);
      sum.push(new Uint8Array(0), true);
      if (sum.size !== sizeBytes) {
        throw new ShapeError(`npy: "${array}" [${input.shape}] wants ${sizeBytes} bytes, got ${sum.size}`);
      }
      member.crc = sum.crc >>> 0;
      await write(localHeader(member), member.offset);
      members.push(member);
    }
    const start = offset;
    for (const member of members) await append(directoryEntry(member));
    await append(directoryEnd(members.length, start, offset - start));
  });
}

interface Member {
  readonly name: Buffer;
  /** Of the `.npy` file. */
  readonly sizeBytes: number;
  /** Of its local header. */
  readonly offset: number;
  readonly crc: number;
}

function partsOf(name: string, input: NpyInput | NpyStream) {
  if ("data" in input) {
    const [header, data] = npyParts(name, input);
    return [header, [data], header.length + data.length] as const;
  }
  const header = npyHeader(input.dtype, input.shape);
  return [header, input.parts, header.length + npyDataBytes(input.dtype, input.shape)] as const;
}

/** The fields of zip64 for values that 32 bits do not hold, and what stands in their place. */
function large(values: readonly number[]): { fields: number[]; extra: Buffer } {
  const beyond = values.filter((value) => value >= U32_MAX);
  const extra = Buffer.alloc(beyond.length === 0 ? 0 : 4 + 8 * beyond.length);
  if (beyond.length > 0) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(8 * beyond.length, 2);
    for (const [i, value] of beyond.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  }
  return { fields: values.map((value) => Math.min(value, U32_MAX)), extra };
}

const versionFor = (extra: Buffer): number => (extra.length > 0 ? VERSION.zip64 : VERSION.plain);

function localHeader({ name, sizeBytes, crc }: Member): Buffer {
  const { fields, extra } = large([sizeBytes, sizeBytes]);
  const bytes = Buffer.alloc(30);
  bytes.writeUInt32LE(0x04034b50, 0);
  bytes.writeUInt16LE(versionFor(extra), 4);
  bytes.writeUInt16LE(STORED, 8);
  bytes.writeUInt16LE(DATE, 12);
  bytes.writeUInt32LE(crc, 14);
  bytes.writeUInt32LE(fields[1]!, 18);
  bytes.writeUInt32LE(fields[0]!, 22);
  bytes.writeUInt16LE(name.length, 26);
  bytes.writeUInt16LE(extra.length, 28);
  return Buffer.concat([bytes, name, extra]);
}

function directoryEntry({ name, sizeBytes, offset, crc }: Member): Buffer {
  const { fields, extra } = large([sizeBytes, sizeBytes, offset]);
  const bytes = Buffer.alloc(46);
  bytes.writeUInt32LE(0x02014b50, 0);
  bytes.writeUInt16LE(versionFor(extra), 4);
  bytes.writeUInt16LE(versionFor(extra), 6);
  bytes.writeUInt16LE(STORED, 10);
  bytes.writeUInt16LE(DATE, 14);
  bytes.writeUInt32LE(crc, 16);
  bytes.writeUInt32LE(fields[1]!, 20);
  bytes.writeUInt32LE(fields[0]!, 24);
  bytes.writeUInt16LE(name.length, 28);
  bytes.writeUInt16LE(extra.length, 30);
  bytes.writeUInt32LE(fields[2]!, 42);
  return Buffer.concat([bytes, name, extra]);
}

function directoryEnd(count: number, start: number, length: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(length, 12);
  end.writeUInt32LE(Math.min(start, U32_MAX), 16);
  if (start < U32_MAX) return end;
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4); // bytes of the record that follow
  record.writeUInt16LE(VERSION.zip64, 12);
  record.writeUInt16LE(VERSION.zip64, 14);
  record.writeBigUInt64LE(BigInt(count), 24);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(length), 40);
  record.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(start + length), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator, end]);
}
