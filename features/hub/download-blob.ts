/** @file One file over a connection that may break: appended to `NAME.incomplete`, checked, renamed. */
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileError } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";
import { isPassing, statusOf } from "./hub-error.js";

/** `sha256` of the bytes, as Git LFS names them; or `git`: SHA-1 of `blob SIZE\0` and the bytes, as Git does. */
export interface BlobHash {
  readonly kind: "sha256" | "git";
  readonly hex: string;
}

export interface BlobDownload {
  /** For messages. */
  readonly what: string;
  /** Bytes. */
  readonly size: number;
  readonly hash: BlobHash;
  /** The bytes from this one on. */
  open(offset: number): Promise<ReadableStream<Uint8Array>>;
  onProgress?(done: number, total: number): void;
  /** Before the first new try; doubled before each other. */
  readonly retryMs: number;
}

/** Tries in a row that bring no byte. */
const TRIES = 4;

/**
 * Download into `path`, or go on with what a killed process has left in `path.incomplete`.
 *
 * @throws {DataError} other bytes than announced: what was downloaded is deleted; a file that cannot be written.
 * @throws whatever `open` throws that trying again does not mend.
 */
export async function downloadBlob(path: string, download: BlobDownload): Promise<void> {
  if (await sizeOf(path).then((size) => size === download.size)) return;
  const incomplete = `${path}.incomplete`;
  const { what, size, hash } = download;
  const checker = createHash(hash.kind === "git" ? "sha1" : "sha256");
  if (hash.kind === "git") checker.update(`blob ${size}\0`);
  let done = Math.min((await sizeOf(incomplete)) ?? 0, size);
  if (done > 0)
    for await (const part of createReadStream(incomplete, { end: done - 1 })) checker.update(part as Buffer);
  const handle = await open(incomplete, done > 0 ? "r+" : "w").catch((error: unknown) => {
    throw fileError(error, "cannot write", incomplete);
  });
  try {
    await handle.truncate(done);
    done = await receive({ handle, incomplete }, done, checker, download);
    await handle.sync();
  } finally {
    await handle.close();
  }
  const got = checker.digest("hex");
  if (done !== size || got !== hash.hex) {
    await rm(incomplete, { force: true });
    const found = done === size ? `they hash to ${got}` : `more than ${size} bytes came`;
    throw new DataError(`${what}: the bytes are not what the hub announces (${hash.hex}): ${found}`, {
      hint: "they are deleted; run again, and ask who runs the network or HF_ENDPOINT when it stays so",
    });
  }
  await rename(incomplete, path);
}

interface Target {
  readonly handle: FileHandle;
  readonly incomplete: string;
}

/** @returns bytes in the file: `size`, or more where the server sends more. */
async function receive(target: Target, start: number, checker: Hash, download: BlobDownload): Promise<number> {
  const { size, retryMs, onProgress } = download;
  let done = start;
  for (let failures = 0; done < size; ) {
    const before = done;
    try {
      for await (const part of await download.open(done)) {
        if (done + part.byteLength > size) return size + 1;
        await writeAt(target, part, done);
        checker.update(part);
        done += part.byteLength;
        onProgress?.(done, size);
      }
      if (done < size) throw new Error("the connection was closed");
    } catch (error) {
      if (error instanceof DataError || !isPassing(statusOf(error))) throw error;
      failures = done > before ? 1 : failures + 1;
      if (failures === TRIES) throw error;
      await sleep(retryMs * 2 ** (failures - 1));
    }
  }
  return done;
}

async function writeAt({ handle, incomplete }: Target, part: Uint8Array, position: number): Promise<void> {
  try {
    for (let at = 0; at < part.byteLength; ) {
      at += (await handle.write(part, at, part.byteLength - at, position + at)).bytesWritten;
    }
  } catch (error) {
    throw fileError(error, "cannot write", incomplete);
  }
}

const sizeOf = (path: string): Promise<number | undefined> =>
  stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
