import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { DataError, DescryError } from "../errors.js";

/** Unpacked copies of compressed files, in the system's temporary folder until they are removed: images are read from any place. */
export class UnpackedFiles {
  #folder: string | undefined;
  #count = 0;

  /**
   * Unpack a .gz file.
   *
   * @returns the path of the copy.
   * @throws {DataError} the file is damaged or truncated, or there is no room for the copy.
   */
  gunzip(path: string): Promise<string> {
    return this.unpack([createReadStream(path), createGunzip()], path);
  }

  /** As `gunzip`, of any stream and what is to be done to it. @param name shown in errors. */
  async unpack([source, ...steps]: readonly [Readable, ...Transform[]], name: string): Promise<string> {
    this.#folder ??= await mkdtemp(join(tmpdir(), "descry-unpacked-"));
    const copy = join(this.#folder, String(this.#count++));
    try {
      await pipeline([source, ...steps, createWriteStream(copy)]);
    } catch (cause) {
      if (cause instanceof DescryError) throw cause;
      const { code, message } = cause as NodeJS.ErrnoException;
      const reason = code === "Z_BUF_ERROR" ? "it is truncated" : message;
      const hint = code === "ENOSPC" ? `it is unpacked into ${tmpdir()}: choose a larger disk with TMPDIR` : undefined;
      throw new DataError(`${name} cannot be unpacked: ${reason}`, { ...(hint === undefined ? {} : { hint }), cause });
    }
    return copy;
  }

  /** Remove all copies. */
  async remove(): Promise<void> {
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    this.#folder = undefined;
  }
}
