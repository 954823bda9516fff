/** @file Data sets whose images are arrays: CIFAR's binary files and `.npz`. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import tar from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OpenOptions } from "../../data/image-source.js";
import type { NpyInput } from "../../data/npz.js";
import { openImageSource } from "../../data/open-source.js";
import { writeNpz } from "../../data/write-npz.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const opened = async (spec: string, options?: OpenOptions) => {
  const source = await openImageSource(spec, options);
  await source.close();
  return source;
};
const refused = async (spec: string, message: RegExp | string) =>
  expect(opened(spec)).rejects.toMatchObject({ message: expect.stringMatching(message) });

/** A value for every pixel and channel that tells them apart: of CIFAR's planes and of interleaved images alike. */
const pixelOf = (image: number, channel: number, row: number, column: number) =>
  (image * 101 + channel * 59 + row * 7 + column * 3) % 256;

describe("cifar", () => {
  /** A record as the web page of CIFAR describes it: labels, 1024 red values row by row, then green, then blue. */
  const record = (image: number, ...labels: number[]): Buffer => {
    const values = [...labels];
    for (let channel = 0; channel < 3; channel++) {
      for (let row = 0; row < 32; row++) {
        for (let column = 0; column < 32; column++) values.push(pixelOf(image, channel, row, column));
      }
    }
    return Buffer.from(values);
  };
  const names10 = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
  const files10 = (): Record<string, Buffer> => ({
    "batches.meta.txt": Buffer.from(names10),
    "data_batch_1.bin": Buffer.concat([record(0, 3), record(1, 9)]),
    "data_batch_2.bin": Buffer.concat([record(2, 0)]),
    "test_batch.bin": record(3, 5),
    "readme.html": Buffer.from("CIFAR"),
  });
  const writeFiles = async (files: Record<string, Buffer>) => {
    for (const [name, body] of Object.entries(files)) await writeFile(join(folder, name), body);
  };

  const checkPixels = async (spec: string) => {
    const source = await openImageSource(spec);
    const pixels = await source.load(2, 32);
    for (const [row, column] of [
      [0, 0],
      [31, 5],
      [12, 31],
    ] as const) {
      const at = (row * 32 + column) * 3;
      const want = [0, 1, 2].map((channel) => pixelOf(2, channel, row, column));
      expect([...pixels.subarray(at, at + 3)]).toEqual(want);
    }
    await source.close();
  };

  test("CIFAR-10 as a folder: planes become pixels, classes have their names", async () => {
    await writeFiles(files10());
    const train = await opened(`cifar:${folder}`);
    expect([train.length, train.classes[3], train.classes.length]).toEqual([3, "cat", 10]);
    expect([0, 1, 2].map((i) => train.label(i))).toEqual([3, 9, 0]);
    expect(train.id(2)).toBe(`${folder}:data_batch_2.bin:0`);
    const testSplit = await opened(`cifar:${folder}?split=test`);
    expect([testSplit.length, testSplit.label(0)]).toEqual([1, 5]);
    const alone = await opened(`cifar:${folder}/test_batch.bin`);
    expect([alone.length, alone.classes[alone.label(0)]]).toEqual([1, "dog"]);
    await checkPixels(`cifar:${folder}`);
  });

  test("the archive as it is published gives the same images", async () => {
    const pack = tar.pack();
    for (const [name, body] of Object.entries(files10()).reverse()) {
      pack.entry({ name: `cifar-10-batches-bin/${name}` }, body);
    }
    pack.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of pack) chunks.push(chunk as Buffer);
    const archive = join(folder, "cifar-10-binary.tar.gz");
    await writeFile(archive, gzipSync(Buffer.concat(chunks)));
    const unpackedNow = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("descry-unpacked-"));
    const before = (await unpackedNow()).length;
    await checkPixels(`cifar:${archive}`);
    const packed = await opened(`cifar:${archive}`);
    await writeFiles(files10());
    const loose = await opened(`cifar:${folder}`);
    expect(packed.fingerprint).toBe(loose.fingerprint);
    expect(packed.classes).toEqual(loose.classes);
    expect((await unpackedNow()).length).toBe(before);
    await writeFile(archive, gzipSync(Buffer.concat(chunks)).subarray(0, 400));
    await refused(`cifar:${archive}`, "cifar-10-binary.tar.gz cannot be unpacked: it is truncated");
  });

  test("CIFAR-100 has two labels, and its records are a byte longer", async () => {
    await writeFiles({
      "train.bin": Buffer.concat([record(0, 4, 71), record(1, 2, 0), record(2, 19, 99)]),
      "fine_label_names.txt": Buffer.from(Array.from({ length: 100 }, (_, i) => `fine ${i}\n`).join("")),
      "coarse_label_names.txt": Buffer.from(Array.from({ length: 20 }, (_, i) => `coarse ${i}\n`).join("")),
    });
    const fine = await opened(`cifar:${folder}`);
    expect([0, 1, 2].map((i) => fine.classes[fine.label(i)])).toEqual(["fine 71", "fine 0", "fine 99"]);
    const coarse = await opened(`cifar:${folder}?label=coarse`);
    expect([0, 1, 2].map((i) => coarse.classes[coarse.label(i)])).toEqual(["coarse 4", "coarse 2", "coarse 19"]);
    expect(coarse.fingerprint).not.toBe(fine.fingerprint);
    await checkPixels(`cifar:${folder}`);
  });

  test("what is wrong is said", async () => {
    await refused(`cifar:${folder}`, "has no files of CIFAR's train split in the binary version");
    await refused(`cifar:${folder}/none`, /none: cannot read \(ENOENT\)/);
    await writeFiles({ ...files10(), "data_batch_2.bin": record(2, 0).subarray(0, 3000) });
    await refused(
      `cifar:${folder}`,
      /data_batch_2\.bin has 3000 bytes, wanted a whole number of 3073 — it is truncated/,
    );
    await writeFiles({ "data_batch_2.bin": record(2, 10) });
    await refused(`cifar:${folder}`, /data_batch_2\.bin:0 has the label 10, but CIFAR-10 has 10 classes here/);
    await refused(`cifar:${folder}?label=coarse`, "CIFAR-10 has no coarse labels");
    await refused(`cifar:${folder}?split=valid`, 'split must be train or test, is "valid"');
  });
});

describe("npz", () => {
  const images = (channels = 3): NpyInput => {
    const values = [];
    for (let image = 0; image < 4; image++) {
      for (let row = 0; row < 2; row++) {
        for (let column = 0; column < 5; column++) {
          for (let channel = 0; channel < channels; channel++) values.push(pixelOf(image, channel, row, column));
        }
      }
    }
    return { shape: [4, 2, 5, channels], data: Uint8Array.from(values) };
  };
  const labels: NpyInput = { shape: [4], data: BigInt64Array.of(2n, 0n, 1n, 2n) };
  const write = async (arrays: Record<string, NpyInput>): Promise<string> => {
    const file = join(folder, "x.npz");
    await writeNpz(file, arrays);
    return `npz:${file}`;
  };
  /** The centre crop of 2 × 2 of a 2 × 5 image begins in column ⌊3/2⌋ = 1. */
  const cropOf = (image: number, channels = 3) =>
    [0, 1].flatMap((row) =>
      [1, 2].flatMap((column) => [0, 1, 2].map((c) => pixelOf(image, Math.min(c, channels - 1), row, column))),
    );

  test("images and labels by their usual names, or others", async () => {
    const spec = await write({ arr_0: images(), arr_1: labels });
    const source = await openImageSource(spec);
    expect([source.length, source.classes]).toEqual([4, ["0", "1", "2"]]);
    expect([0, 1, 2, 3].map((i) => source.label(i))).toEqual([2, 0, 1, 2]);
    expect([...(await source.load(3, 2))]).toEqual(cropOf(3));
    expect(source.id(3)).toBe(`${spec.slice(4)}:3`);
    await source.close();
    expect((await opened(`${spec}?label=none`)).classes).toEqual(["images"]);
    const other = await write({ x: images(), y: { shape: [4, 1], data: Uint8Array.of(0, 1, 1, 0) }, images: images() });
    expect((await opened(`${other}?image=x&label=y`)).classes).toEqual(["0", "1"]);
    expect((await opened(other)).classes).toEqual(["images"]);
  });

  test("gray images", async () => {
    const source = await openImageSource(await write({ images: images(1) }));
    expect([...(await source.load(1, 2))]).toEqual(cropOf(1, 1));
    await source.close();
  });

  test("the fingerprint follows pixels and labels", async () => {
    const first = (await opened(await write({ arr_0: images(), arr_1: labels }))).fingerprint;
    const other = { shape: [4], data: BigInt64Array.of(2n, 0n, 2n, 1n) };
    expect((await opened(await write({ arr_0: images(), arr_1: other }))).fingerprint).not.toBe(first);
    const pixels = images();
    (pixels.data as Uint8Array)[17]!++;
    expect((await opened(await write({ arr_0: pixels, arr_1: labels }))).fingerprint).not.toBe(first);
    expect((await opened(await write({ arr_0: images(), arr_1: labels }))).fingerprint).toBe(first);
  });

  test("a compressed file gives the same images, and leaves nothing behind", async () => {
    const plain = await opened(await write({ arr_0: images(), arr_1: labels }));
    const file = join(folder, "x.npz");
    await writeFile(file, deflated(await readFile(file)));
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith("descry-unpacked-")).length;
    const source = await openImageSource(`npz:${file}`);
    expect([...(await source.load(3, 2))]).toEqual(cropOf(3));
    expect(source.fingerprint).toBe(plain.fingerprint);
    await source.close();
    expect((await readdir(tmpdir())).filter((name) => name.startsWith("descry-unpacked-")).length).toBe(before);
  });

  test("what is wrong is said", async () => {
    const spec = await write({ pictures: images(), arr_1: labels });
    await refused(spec, "there is no array arr_0 or images; there are: pictures, arr_1 — name it: \\?image=ARRAY");
    await refused(`${spec}?image=x`, "there is no array x; there are: pictures, arr_1");
    await refused(`${spec}?image=arr_1`, "arr_1 is <i8 \\[4\\], wanted images uint8 \\[N,H,W,3\\]");
    await refused(`${spec}?image=pictures&label=pictures`, "pictures is \\|u1 \\[4,2,5,3\\], wanted labels");
    await refused(
      await write({ arr_0: { shape: [4, 3, 2, 5], data: images().data } }),
      "arr_0 is \\|u1 \\[4,3,2,5\\], wanted images .* numpy.moveaxis",
    );
    await refused(
      await write({ arr_0: images(), labels: { shape: [4], data: Int32Array.of(0, 1, -1, 0) } }),
      "x.npz:2 has the label -1, which is no class",
    );
    await refused(
      await write({ arr_0: images(), labels: { shape: [4], data: BigInt64Array.of(0n, 4294967296n, 0n, 0n) } }),
      "x.npz:1 has the label 4294967296, which is no class",
    );
    await refused(
      await write({ arr_0: images(), labels: { shape: [3], data: Int32Array.of(0, 1, 1) } }),
      "labels is <i4 \\[3\\], wanted labels: whole numbers \\[4\\]",
    );
    const file = join(folder, "x.npz");
    await writeFile(file, (await readFile(file)).subarray(0, 300));
    await refused(`npz:${file}`, "x.npz: not an npz file");
    await mkdir(join(folder, "d.npz"));
    await refused(`npz:${folder}/d.npz`, "EISDIR");
  });
});

/** A zip file whose members are deflated instead of stored, as `numpy.savez_compressed` makes them (PKWARE APPNOTE 4.3). */
function deflated(zip: Buffer): Buffer {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = zip.readUInt32LE(zip.length - 6);
  let offset = 0;
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const nameLength = zip.readUInt16LE(at + 28);
    const entry = Buffer.from(zip.subarray(at, at + 46 + nameLength));
    const name = entry.subarray(46);
    const header = entry.readUInt32LE(42);
    const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
    const body = deflateRawSync(zip.subarray(start, start + entry.readUInt32LE(24)));
    const own = Buffer.alloc(30);
    own.writeUInt32LE(0x04034b50, 0);
    own.writeUInt16LE(8, 8);
    own.writeUInt16LE(nameLength, 26);
    local.push(own, name, body);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt16LE(0, 30);
    entry.writeUInt32LE(body.length, 20);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry);
    offset += own.length + name.length + body.length;
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  const end = Buffer.from(zip.subarray(zip.length - 22));
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...local, ...directory, end]);
}
