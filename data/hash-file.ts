import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { fileError } from "./atomic.js";

/** Of the files of this process: hashing gigabytes takes seconds. */
const known = new Map<string, string>();

/** SHA-256 (hex) of a file; computed again when its size or time has changed. @throws {DataError} it cannot be read. */
export async function hashFile(path: string): Promise<string> {
  try {
    const { size, mtimeMs } = await stat(path);
    const key = JSON.stringify([path, size, mtimeMs]);
    const before = known.get(key);
    if (before !== undefined) return before;
    const hash = createHash("sha256");
    for await (const part of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(part as Buffer);
    const hex = hash.digest("hex");
    known.set(key, hex);
    return hex;
  } catch (error) {
    throw fileError(error, "cannot read", path);
  }
}
