import type { Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { fileError } from "../atomic.js";

const CHUNK_BYTES = 2 ** 20;

/**
 * Adds files that hold many images to a hash, name by name and byte by byte, and then which of the images are taken: decoding none
 * of them, at the speed of the disk.
 *
 * @param files paths and sizes.
 */
export async function hashFiles(
  hash: Hash,
  files: readonly { readonly path: string; readonly sizeBytes: number }[],
  positions: Uint32Array,
  onHashed: (share: number) => void,
): Promise<void> {
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let done = 0;
  for (const { path, sizeBytes } of files) {
    hash.update(`${basename(path)}\0${sizeBytes}\n`);
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
        hash.update(chunk as Buffer);
        done += (chunk as Buffer).length;
        onHashed(done / total);
      }
    } catch (error) {
      throw fileError(error, "cannot read", path);
    }
  }
  hash.update(new Uint8Array(positions.buffer, positions.byteOffset, positions.byteLength));
}
