/**
 * @file Digests of files that are remembered between processes, so that a folder of a million images is read once, and later only
 * looked at. A digest is believed while the file's path, size, inode and both times are those it was read with.
 *
 * On disk: a line of magic, the SHA-256 of what follows, then records of 48 bytes: the first 16 bytes of the SHA-256 of the path and
 * the file's identity, and the SHA-256 of its content. A file that is damaged is as good as none.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileError, writeFileAtomic } from "./atomic.js";
import { DataError } from "./errors.js";
import { fileIdentity } from "./file-identity.js";

const MAGIC = Buffer.from("descry file digests 1\n");
const [KEY_BYTES, DIGEST_BYTES] = [16, 32];
const RECORD_BYTES = KEY_BYTES + DIGEST_BYTES;

const sha256 = (data: Uint8Array | string): Buffer => createHash("sha256").update(data).digest();

export class FileDigests {
  readonly #path: string;
  /** What was remembered. */
  readonly #records: Buffer;
  /** Open addressing on the first bytes of the keys: 1 + the number of a record, or 0. At most half full. */
  readonly #slots: Uint32Array;
  /** Which of them were asked for. */
  readonly #used: Uint8Array;
  /** Records of files that were read, one behind the other, and how many there are. */
  #added = Buffer.alloc(2 ** 6 * RECORD_BYTES);
  #addedCount = 0;

  private constructor(path: string, records: Buffer) {
    this.#path = path;
    this.#records = records;
    const count = records.length / RECORD_BYTES;
    this.#slots = new Uint32Array(2 ** Math.ceil(Math.log2(2 * count + 2)));
    this.#used = new Uint8Array(count);
    for (let record = 0; record < count; record++) this.#slots[this.#slotOf(this.#keyAt(record))] = record + 1;
  }

  /** @param path of the file that remembers; it need not be there. @throws {DataError} it cannot be read. */
  static async open(path: string): Promise<FileDigests> {
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw fileError(error, "cannot read", path);
      bytes = Buffer.alloc(0);
    }
    const start = MAGIC.length + DIGEST_BYTES;
    const records = bytes.subarray(start);
    const isWhole =
      records.length % RECORD_BYTES === 0 &&
      bytes.subarray(0, MAGIC.length).equals(MAGIC) &&
      bytes.subarray(MAGIC.length, start).equals(sha256(records));
    return new FileDigests(path, isWhole ? records : Buffer.alloc(0));
  }

  /**
   * The SHA-256 (hex) of a file, remembered or read.
   *
   * @param read the file, whole.
   * @throws {DataError} it cannot be looked at, or as `read`.
   */
  async digestOf(path: string, read: () => Promise<Uint8Array>): Promise<string> {
    const before = await look(path);
    const key = keyOf(path, before.text);
    const record = this.#slots[this.#slotOf(key)]! - 1;
    if (record >= 0) {
      this.#used[record] = 1;
      return this.#records.toString("hex", record * RECORD_BYTES + KEY_BYTES, (record + 1) * RECORD_BYTES);
    }
    const digest = sha256(await read());
    // A file that changes while it is read is read again next time.
    if (before.isSettled && (await look(path)).text === before.text) this.#add(key, digest);
    return digest.toString("hex");
  }

  /**
   * Writes down what was read, where there is anything new. What is remembered of other files stays, unless there is more of it than of
   * those asked for: then most of it is of files that are no more.
   *
   * @throws {DataError} it cannot be written.
   */
  async save(): Promise<void> {
    if (this.#addedCount === 0) return;
    const used = this.#used.reduce((sum, one) => sum + one, 0);
    const isKept = this.#used.length - used <= used + this.#addedCount;
    const kept = isKept ? [this.#records] : Array.from(this.#usedRecords());
    const records = Buffer.concat([...kept, this.#added.subarray(0, this.#addedCount * RECORD_BYTES)]);
    try {
      await mkdir(dirname(this.#path), { recursive: true });
    } catch (error) {
      throw fileError(error, "cannot make", dirname(this.#path));
    }
    await writeFileAtomic(this.#path, [MAGIC, sha256(records), records]);
  }

  #add(key: Buffer, digest: Buffer): void {
    const start = this.#addedCount * RECORD_BYTES;
    if (start === this.#added.length) this.#added = Buffer.concat([this.#added], 2 * this.#added.length);
    key.copy(this.#added, start);
    digest.copy(this.#added, start + KEY_BYTES);
    this.#addedCount++;
  }

  *#usedRecords(): Generator<Buffer> {
    for (const [record, isUsed] of this.#used.entries()) {
      if (isUsed === 1) yield this.#records.subarray(record * RECORD_BYTES, (record + 1) * RECORD_BYTES);
    }
  }

  #keyAt(record: number): Buffer {
    return this.#records.subarray(record * RECORD_BYTES, record * RECORD_BYTES + KEY_BYTES);
  }

  /** Where a key is, or the empty slot where it belongs. */
  #slotOf(key: Buffer): number {
    const mask = this.#slots.length - 1;
    for (let slot = key.readUInt32LE(0) & mask; ; slot = (slot + 1) & mask) {
      const record = this.#slots[slot]! - 1;
      if (record < 0 || this.#keyAt(record).equals(key)) return slot;
    }
  }
}

const keyOf = (path: string, identity: string): Buffer =>
  sha256(`${resolve(path)}\0${identity}`).subarray(0, KEY_BYTES);

async function look(path: string) {
  try {
    return await fileIdentity(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new DataError(`${path} cannot be read (${code})`, { cause: error });
  }
}
