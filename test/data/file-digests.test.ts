import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FileDigests } from "../../data/file-digests.js";
import { openImageSource } from "../../data/open-source.js";
import { writeRowStore } from "../../data/row-store.js";
import { openVerifiedStore, VERIFIED } from "../../data/verified-shards.js";

/** Files that were changed less than 3 s ago are not remembered: let it be later. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const newFolder = () => mkdtempSync(path.join(tmpdir(), "descry-digests-"));
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** The digests of files, and which of them were read for it. */
async function ask(memory: string, files: readonly string[]): Promise<{ digests: string[]; read: string[] }> {
  const known = await FileDigests.open(memory);
  const [digests, read]: [string[], string[]] = [[], []];
  for (const file of files) {
    const reading = async () => {
      read.push(path.basename(file));
      return readFileSync(file);
    };
    digests.push(await known.digestOf(file, reading));
  }
  await known.save();
  return { digests, read };
}

describe("remembered digests", () => {
  const setUp = () => {
    const folder = newFolder();
    const files = Array.from({ length: 200 }, (_, i) => path.join(folder, `${i}.txt`));
    for (const [i, file] of files.entries()) writeFileSync(file, `text ${i}`);
    return { files, memory: path.join(folder, "memory", "one.digests") };
  };

  test("are those of the contents; files are read once", async () => {
    const { files, memory } = setUp();
    const first = await ask(memory, files);
    expect(first.digests).toEqual(files.map((_, i) => sha256(`text ${i}`)));
    expect(first.read).toHaveLength(files.length);
    expect(await ask(memory, files)).toEqual({ digests: first.digests, read: [] });
    // Magic, a checksum, 48 bytes a file.
    expect(statSync(memory).size).toBe(22 + 32 + 48 * files.length);
  });

  test("a file that was touched in any way is read again", async () => {
    const { files, memory } = setUp();
    await ask(memory, files);
    const [sameSize, sameTimes, swapped, other] = files as [string, string, string, string];
    writeFileSync(sameSize, "text X");
    const { atime, mtime } = statSync(sameTimes);
    writeFileSync(sameTimes, "text Y");
    utimesSync(sameTimes, atime, mtime); // as rsync --times does
    writeFileSync(`${swapped}.new`, "text Z");
    renameSync(`${swapped}.new`, swapped);
    renameSync(other, `${other}.moved`);
    const { digests, read } = await ask(memory, [...files.slice(0, 3), `${other}.moved`, ...files.slice(4)]);
    expect(read).toEqual(["0.txt", "1.txt", "2.txt", "3.txt.moved"]);
    expect(digests.slice(0, 4)).toEqual(["text X", "text Y", "text Z", "text 3"].map(sha256));
  });

  test("what was changed just now is not remembered", async () => {
    vi.useRealTimers();
    const { files, memory } = setUp();
    await ask(memory, files);
    expect((await ask(memory, files)).read).toHaveLength(files.length);
  });

  test("a damaged memory is as good as none, and is mended", async () => {
    const { files, memory } = setUp();
    const { digests } = await ask(memory, files);
    const whole = readFileSync(memory);
    const flipped = Buffer.from(whole);
    flipped[5000]! ^= 1;
    for (const damaged of [
      flipped,
      whole.subarray(0, 5000),
      whole.subarray(0, -48),
      Buffer.alloc(0),
      Buffer.from("?"),
    ]) {
      writeFileSync(memory, damaged);
      const again = await ask(memory, files);
      expect(again.digests).toEqual(digests);
      expect(again.read).toHaveLength(files.length);
      expect((await ask(memory, files)).read).toEqual([]);
    }
  });

  test("other files stay remembered, until most of what is remembered is of no use", async () => {
    const { files, memory } = setUp();
    await ask(memory, files.slice(0, 150));
    expect((await ask(memory, files)).read).toHaveLength(50);
    expect((await ask(memory, files.slice(0, 9))).read).toEqual([]);
    for (const file of files.slice(0, 20)) writeFileSync(file, "new");
    await ask(memory, files.slice(0, 20));
    expect(statSync(memory).size).toBe(22 + 32 + 48 * 20);
  });
});

test("a folder of images has the same fingerprint from memory, and another one when an image changes", async () => {
  const folder = newFolder();
  const digests = path.join(folder, "digests");
  for (const [i, name] of ["a/1.png", "a/2.png", "b/1.png"].entries()) {
    mkdirSync(path.dirname(path.join(folder, "images", name)), { recursive: true });
    const image = sharp({ create: { width: 9, height: 8, channels: 3, background: { r: i, g: 9, b: 200 } } });
    await image.png().toFile(path.join(folder, "images", name));
  }
  const fingerprint = async (options: { digests?: string }) => {
    const source = await openImageSource(`imagefolder:${path.join(folder, "images")}`, options);
    await source.close();
    return source.fingerprint;
  };
  const plain = await fingerprint({});
  expect(await fingerprint({ digests })).toBe(plain);
  const [memory] = readdirSync(digests);
  const before = readFileSync(path.join(digests, memory!));
  expect(before).toHaveLength(22 + 32 + 48 * 3);
  expect(await fingerprint({ digests })).toBe(plain);
  expect(readFileSync(path.join(digests, memory!))).toEqual(before);
  // It is believed: with a wrong digest in it, the fingerprint is another.
  const wrong = Buffer.from(before);
  wrong[22 + 32 + 16]! ^= 1;
  createHash("sha256").update(wrong.subarray(54)).digest().copy(wrong, 22);
  writeFileSync(path.join(digests, memory!), wrong);
  expect(await fingerprint({ digests })).not.toBe(plain);
  await sharp({ create: { width: 9, height: 8, channels: 3, background: "red" } })
    .png()
    .toFile(path.join(folder, "images", "a/1.png"));
  writeFileSync(path.join(digests, memory!), before);
  const changed = await fingerprint({ digests });
  expect(changed).not.toBe(plain);
  expect(await fingerprint({})).toBe(changed);
});

describe("shards that were found whole", () => {
  const setUp = async () => {
    const folder = path.join(newFolder(), "store");
    const columns = { features: { dtype: "F32", shape: [3] } } as const;
    const header = { key: "k", rows: 10, columns, meta: {} };
    async function* rows(start: number, end: number) {
      yield { features: Float32Array.from({ length: 3 * (end - start) }, (_, i) => start + i) };
    }
    await writeRowStore(folder, header, rows, { shardRows: 4 });
    return folder;
  };
  const verify = async (folder: string) => (await openVerifiedStore(folder, "k")).close();
  const shard = (folder: string, i: number) => path.join(folder, `shard-0000${i}.safetensors`);
  const flip = (file: string) => {
    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(file, bytes);
  };

  test("are written down, and those that were touched are read again", async () => {
    const folder = await setUp();
    await verify(folder);
    const record = JSON.parse(readFileSync(path.join(folder, VERIFIED), "utf8"));
    expect(Object.keys(record.shards)).toEqual([0, 1, 2].map((i) => path.basename(shard(folder, i))));
    await verify(folder);
    flip(shard(folder, 1));
    await expect(verify(folder)).rejects.toThrow(/shard-00001.*changed since it was written/);
    flip(shard(folder, 1));
    await verify(folder);
  });

  test("are believed to be whole only as what was written down says", async () => {
    const folder = await setUp();
    await verify(folder);
    flip(shard(folder, 2));
    const file = path.join(folder, VERIFIED);
    const record = JSON.parse(readFileSync(file, "utf8"));
    const { size, ino, mtimeNs, ctimeNs } = statSync(shard(folder, 2), { bigint: true });
    // Somebody lies: so it is this file that saves the reading.
    record.shards["shard-00002.safetensors"] = `${size} ${ino} ${mtimeNs} ${ctimeNs}`;
    writeFileSync(file, JSON.stringify(record));
    await verify(folder);
    for (const worthless of ["{", JSON.stringify({ ...record, key: "other" }), "null"]) {
      writeFileSync(file, worthless);
      await expect(verify(folder)).rejects.toThrow(/shard-00002/);
    }
  });
});
