/** @file Where the files of a tar archive lie, so that one can be read without the others; tar-stream gives no positions. */
import { DataError } from "../errors.js";
import type { FileWindow } from "../file-window.js";

export interface TarMember {
  readonly path: string;
  /** Position of the first byte of the file in the archive. */
  readonly offset: number;
  readonly size: number;
}

const BLOCK = 512;

const text = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end === -1 ? bytes.length : end);
};

/** Octal digits, or base 256 where the first bit is set (files of 8 GB and more). */
function numberField(bytes: Buffer): number {
  if ((bytes[0]! & 0x80) === 0) return Number.parseInt(text(bytes).trim() || "0", 8);
  return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, bytes[0]! & 0x7f);
}

function checksumFits(header: Buffer): boolean {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!;
  return sum === numberField(header.subarray(148, 156));
}

/** `path` and `size` of a pax extended header. */
function paxRecords(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const length = Number.parseInt(body.toString("utf8", at, space), 10);
    if (space === -1 || !(length > 0)) break;
    const record = body.toString("utf8", space + 1, at + length - 1);
    const equals = record.indexOf("=");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

/**
 * The regular files of a tar archive, in its order (ustar, pax and GNU long names). Bodies are passed over; the window may be used
 * for reading them in between.
 *
 * @throws {DataError} an archive that is damaged or ends too early.
 */
export async function* tarMembers(window: FileWindow): AsyncGenerator<TarMember> {
  const { name, sizeBytes } = window;
  let longPath: string | undefined;
  let pax = new Map<string, string>();
  for (let at = 0; at < sizeBytes; ) {
    const header = await window.read(at, BLOCK);
    if (header[0] === 0 && header.every((byte) => byte === 0)) return;
    if (!checksumFits(header)) throw new DataError(`${name} is damaged, or no tar archive, at byte ${at}`);
    const type = String.fromCharCode(header[156]!);
    const own = numberField(header.subarray(124, 136));
    const size = type !== "x" && pax.has("size") ? Number(pax.get("size")) : own;
    const offset = at + BLOCK;
    if (offset + size > sizeBytes) throw new DataError(`${name} is truncated: it ends within a member at byte ${at}`);
    const prefix = header.toString("latin1", 257, 262) === "ustar" ? text(header.subarray(345, 500)) : "";
    const short = text(header.subarray(0, 100));
    // From here on the header is no longer looked at: the next read may take its place.
    if (type === "x") pax = paxRecords(await window.read(offset, size));
    else if (type === "L") longPath = text(await window.read(offset, size));
    else {
      if (type === "0" || type === "\0") {
        const path = pax.get("path") ?? longPath ?? (prefix === "" ? short : `${prefix}/${short}`);
        yield { path, offset, size };
      }
      if (pax.size > 0) pax = new Map();
      longPath = undefined;
    }
    at = offset + Math.ceil(size / BLOCK) * BLOCK;
  }
  // Without the two blocks of zeros that end an archive, it may have been cut between two members.
  throw new DataError(`${name} is truncated: its end mark is missing`);
}
