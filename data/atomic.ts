import { randomBytes } from "node:crypto";
import { type FileHandle, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DataError } from "./errors.js";

const FOLDER_SYNC_UNSUPPORTED = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EISDIR", "EPERM", "EACCES"]);
const MAX_WRITE_BYTES = 2 ** 30;

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full: free some space or choose a folder on another disk, then run again",
  EDQUOT: "the disk quota is used up: free some space or choose a folder on another disk, then run again",
  EACCES: "no permission: choose another folder or change its permissions",
  EPERM: "no permission: choose another folder or change its permissions",
  EROFS: "the file system is read-only: choose another folder",
  ENOENT: "there is no such file or folder: check the path or create the folder",
  ENOTDIR: "a part of the path is a file, not a folder: check the path",
  EISDIR: "the path is a folder, not a file: check the path",
  ENOTEMPTY: "the path is a folder, not a file: check the path",
  EMFILE: "too many open files: raise the limit (ulimit -n)",
  ENAMETOOLONG: "the path is too long: choose a shorter name",
};

/**
 * The error to throw when an operation on a file failed: a system error (one with a `code`) becomes a one-line `DataError`
 * that names the file and says what to do; anything else comes back unchanged, for it is a bug.
 *
 * @param action  What was tried, as in "cannot write" or "cannot read".
 */
export function fileError(error: unknown, action: string, path: string): unknown {
  if (!(error instanceof Error)) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new DataError(`${path}: ${action} (${code})`, { hint: HINTS[code], cause: error });
}

/**
 * What an error of the file system comes to where nobody has caught it closer by: a `DataError` that names the path it is about;
 * anything else comes back unchanged.
 */
export function unexpectedFileError(error: unknown): unknown {
  const { path, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof path === "string" ? fileError(error, `cannot ${syscall}`, path) : error;
}

/**
 * Writes a file whole or not at all: into a temporary file `.NAME.tmp.PID.RANDOM` in the same folder, flushed to disk, then
 * renamed over `path`, and the folder flushed too. Readers see the old content or the new, also after a crash or power loss.
 *
 * On failure the temporary file is removed and the old content stays. A process killed in between leaves its temporary file
 * behind, which nothing ever reads. A symbolic link at `path` is replaced, not followed. The folder must exist.
 *
 * @param data  The bytes, or a text as UTF-8, or parts that are written one after the other.
 * @throws {DataError} no space, no permission, no such folder: names the file and what to do.
 */
export function writeFileAtomic(path: string, data: Uint8Array | string | readonly Uint8Array[]): Promise<void> {
  const parts = typeof data === "string" ? [Buffer.from(data, "utf8")] : data instanceof Uint8Array ? [data] : data;
  return writeFileAtomicBy(path, async (write) => {
    for (const part of parts) await write(part);
  });
}

/** Writes bytes after what was written, or over what stands at an offset. */
export type WriteBytes = (bytes: Uint8Array, offset?: number) => Promise<void>;

/** As {@link writeFileAtomic}, piece by piece: what `fill` writes until it is done is the file. What it throws comes through. */
export async function writeFileAtomicBy(path: string, fill: (write: WriteBytes) => Promise<void>): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.tmp.${process.pid}.${randomBytes(6).toString("hex")}`);
  try {
    const handle = await open(temporary, "wx");
    try {
      let end = 0;
      try {
        await fill(async (bytes, offset) => {
          await writePart(handle, bytes, offset ?? end);
          end = Math.max(end, (offset ?? end) + bytes.byteLength);
        });
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      // Best effort: the error underneath is the one to report, and a leftover temporary file is never read.
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    await syncFolder(folder);
  } catch (error) {
    throw fileError(error, "cannot write", path);
  }
}

/** One call of `write` may take less than it is given, and at most 2 GiB. */
async function writePart(handle: FileHandle, part: Uint8Array, position: number): Promise<void> {
  let offset = 0;
  while (offset < part.byteLength) {
    const length = Math.min(part.byteLength - offset, MAX_WRITE_BYTES);
    offset += (await handle.write(part, offset, length, position + offset)).bytesWritten;
  }
}

/** Makes the rename durable. Some systems (Windows, some network disks) cannot flush a folder; there the rename has to do. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!FOLDER_SYNC_UNSUPPORTED.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}
