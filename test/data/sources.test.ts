import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import tar from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeImage } from "../../data/decode-image.js";
import { globPattern } from "../../data/formats/glob-files.js";
import { openImageSource } from "../../data/open-source.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const png = (width: number, height: number, background: { r: number; g: number; b: number }) =>
  sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
const red = { r: 255, g: 0, b: 0 };
const blue = { r: 0, g: 0, b: 255 };

type Members = readonly (readonly [path: string, body: Buffer | string])[];
async function tarOf(members: Members): Promise<Buffer> {
  const pack = tar.pack();
  for (const [name, body] of members) pack.entry({ name }, body as string);
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe("decoding gives RGB of 8 bits", () => {
  test.each([
    [
      "gray",
      () =>
        sharp({ create: { width: 3, height: 2, channels: 3, background: red } })
          .grayscale()
          .png(),
    ],
    [
      "16 bits",
      () =>
        sharp({ create: { width: 3, height: 2, channels: 3, background: red } })
          .toColourspace("rgb16")
          .png(),
    ],
    [
      "CMYK",
      () =>
        sharp({ create: { width: 3, height: 2, channels: 3, background: red } })
          .toColourspace("cmyk")
          .jpeg(),
    ],
    ["webp", () => sharp({ create: { width: 3, height: 2, channels: 3, background: red } }).webp()],
  ])("%s", async (_, make) => {
    const { data, width, height } = await decodeImage(await make().toBuffer(), "x");
    expect([width, height, data.length]).toEqual([3, 2, 18]);
    expect(data[0]).toBeGreaterThan(50);
  });

  test("transparency is dropped, not blended", async () => {
    const image = sharp({ create: { width: 1, height: 1, channels: 4, background: { ...red, alpha: 0.1 } } }).png();
    expect([...(await decodeImage(await image.toBuffer(), "x")).data]).toEqual([255, 0, 0]);
  });

  test("a truncated file, an empty file and other bytes are refused by name", async () => {
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251);
    const jpeg = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
    for (const bytes of [jpeg.subarray(0, jpeg.length >> 1), Buffer.alloc(0), Buffer.from("hello")]) {
      await expect(decodeImage(bytes, "broken.jpg")).rejects.toThrow(/^broken\.jpg cannot be decoded: [^\n]+$/);
    }
  });
});

describe("photos", () => {
  test("crops are a function of the seed and the position", async () => {
    const a = await openImageSource("photos", { count: 20 });
    const b = await openImageSource("photos", { count: 20 });
    const other = await openImageSource("photos", { count: 20, seed: 1 });
    expect(a.length).toBe(20);
    expect(a.classes.length).toBe(9);
    expect([a.label(0), a.label(8), a.label(9)]).toEqual([0, 8, 0]);
    expect(a.fingerprint).toBe(b.fingerprint);
    expect(a.fingerprint).not.toBe(other.fingerprint);
    const image = await a.load(3, 16);
    expect(image.length).toBe(16 * 16 * 3);
    expect(await b.load(3, 16)).toEqual(image);
    expect(await other.load(3, 16)).not.toEqual(image);
    expect(await a.load(12, 16)).not.toEqual(image);
    const flipped = await a.load(3, 16, { flip: true });
    expect([...flipped.subarray(0, 3)]).toEqual([...image.subarray(45, 48)]);
    expect(Math.max(...image) - Math.min(...image)).toBeGreaterThan(20);
    await expect(a.load(20, 16)).rejects.toThrow("there is no image 20; there are 20");
  });

  test("a random crop lies within the crop, the same at every size", async () => {
    const source = await openImageSource("photos", { count: 3 });
    const whole = await source.load(1, 40);
    expect(await source.load(1, 40, { crop: [0, 0.5, 0.5] })).toEqual(whole);
    const right = await source.load(1, 40, { crop: [0.999, 0.5, 0.999] });
    const left = await source.load(1, 40, { crop: [0.999, 0.5, 0] });
    // Four fifths of the side from the right end: its column c lies at column 8 + 0.8 c of the whole; the left one at 0.8 c.
    const error = (crop: Uint8Array, shift: number) => {
      let sum = 0;
      for (let y = 0; y < 40; y++) {
        for (let x = 0; x < 40; x++) {
          const at = (Math.round(4 + 0.8 * y) * 40 + Math.round(shift + 0.8 * x)) * 3;
          sum += Math.abs(crop[(y * 40 + x) * 3]! - whole[at]!);
        }
      }
      return sum / 1600;
    };
    expect(error(right, 7.6)).toBeLessThan(0.6 * error(right, -0.4));
    expect(error(left, -0.4)).toBeLessThan(0.6 * error(left, 7.6));
    const flipped = await source.load(1, 40, { crop: [0.999, 0.5, 0.999], flip: true });
    expect([...flipped.subarray(0, 3)]).toEqual([...right.subarray(117, 120)]);
  });
});

describe("imagefolder", () => {
  beforeEach(async () => {
    await mkdir(join(folder, "cat/deep"), { recursive: true });
    await mkdir(join(folder, "dog"));
    await writeFile(join(folder, "cat/a.png"), await png(8, 8, red));
    await writeFile(join(folder, "cat/deep/b.png"), await png(20, 10, red));
    await writeFile(join(folder, "dog/c.jpg"), await png(8, 8, blue));
    await writeFile(join(folder, "dog/notes.txt"), "no image");
  });

  test("classes are folders; any size becomes a square", async () => {
    const source = await openImageSource(`imagefolder:${folder}`);
    expect(source.classes).toEqual(["cat", "dog"]);
    expect([0, 1, 2].map((i) => source.label(i))).toEqual([0, 0, 1]);
    expect(source.id(1)).toBe(join(folder, "cat/deep/b.png"));
    expect([...(await source.load(1, 4))]).toEqual(new Array(16).fill([255, 0, 0]).flat());
    expect([...(await source.load(2, 1))]).toEqual([0, 0, 255]);
  });

  test("a random crop is cut from the whole image, not from its centre crop, and then mirrored", async () => {
    // 40 columns of 20 rows, brighter to the right.
    const data = Uint8Array.from({ length: 40 * 20 * 3 }, (_, i) => 6 * (Math.floor(i / 3) % 40));
    await writeFile(
      join(folder, "cat/a.png"),
      await sharp(data, { raw: { width: 40, height: 20, channels: 3 } })
        .png()
        .toBuffer(),
    );
    const source = await openImageSource(`imagefolder:${folder}`);
    const first = async (variant: object) => (await source.load(0, 20, variant))[0];
    expect(await first({})).toBe(60);
    expect(await first({ crop: [0, 0, 0] })).toBe(0);
    expect(await first({ crop: [0, 0, 0.999] })).toBe(120);
    expect(await first({ crop: [0, 0, 0.999], flip: true })).toBe(234);
  });

  test("the fingerprint follows contents, names and counts", async () => {
    const print = async (options = {}) => (await openImageSource(`imagefolder:${folder}`, options)).fingerprint;
    const first = await print();
    expect(await print()).toBe(first);
    expect(await print({ count: 2 })).not.toBe(first);
    await writeFile(join(folder, "cat/a.png"), await png(8, 8, blue));
    expect(await print()).not.toBe(first);
  });

  test("bad files are named, or left out when asked", async () => {
    await writeFile(join(folder, "dog/bad.png"), "not a png");
    const source = await openImageSource(`imagefolder:${folder}`);
    await expect(source.load(2, 4)).rejects.toThrow(`${join(folder, "dog/bad.png")} cannot be decoded`);
    const kept = await openImageSource(`imagefolder:${folder}`, { skipBad: true });
    expect(kept.length).toBe(3);
    expect(kept.skipped).toEqual([join(folder, "dog/bad.png")]);
  });

  test("what is wrong is said in one line", async () => {
    const open = (spec: string, options = {}) => openImageSource(spec, options);
    await expect(open(`imagefolder:${folder}/none`)).rejects.toThrow("does not exist");
    await expect(open(`imagefolder:${folder}/cat/a.png`)).rejects.toThrow("is not a folder");
    await mkdir(join(folder, "empty"));
    await expect(open(`imagefolder:${folder}/empty`)).rejects.toThrow("has no .jpg, .png or .webp file");
    await expect(open(`imagefolder:${folder}`, { count: 9 })).rejects.toThrow(
      "has 3 images, 9 are asked for — lower data.count",
    );
    await writeFile(join(folder, "stray.png"), await png(2, 2, red));
    await expect(open(`imagefolder:${folder}`)).rejects.toThrow("outside its class folders, such as stray.png");
    await expect(open("imagefodler:x")).rejects.toThrow("did you mean imagefolder?");
    await expect(open("photos", { count: 0 })).rejects.toThrow("whole number from 1");
  });
});

describe("webdataset", () => {
  const longName = `${"d".repeat(90)}/${"k".repeat(60)}`;
  const samples = async (): Promise<Members> => [
    ["a.png", await png(4, 4, red)],
    ["a.cls", "0\n"],
    ["sub/b.c.png", await png(4, 4, blue)],
    ["sub/b.cls", "2"],
    [`${longName}.png`, await png(4, 4, blue)],
    [`${longName}.cls`, "1"],
    ["a.json", "{}"],
  ];

  test.each([".tar", ".tar.gz"])("%s shards", async (ending) => {
    const members = (await samples()).map(([path, body]): [string, Buffer | string] => [
      path.replace("b.c.png", "b.png"),
      body,
    ]);
    const halves = [await tarOf(members.slice(0, 2)), await tarOf(members.slice(2))];
    for (const [i, half] of halves.entries()) {
      await writeFile(join(folder, `s-${i}${ending}`), ending === ".tar" ? half : gzipSync(half));
    }
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith("descry-unpacked-")).length;
    const source = await openImageSource(`webdataset:${folder}/s-*${ending}`);
    expect(source.length).toBe(3);
    expect(source.classes).toEqual(["0", "1", "2"]);
    expect([0, 1, 2].map((i) => source.label(i))).toEqual([0, 2, 1]);
    expect([...(await source.load(0, 1))]).toEqual([255, 0, 0]);
    expect([...(await source.load(2, 1))]).toEqual([0, 0, 255]);
    await source.close();
    expect((await readdir(tmpdir())).filter((name) => name.startsWith("descry-unpacked-")).length).toBe(before);
  });

  test("damage is named", async () => {
    const whole = await tarOf([["a.png", await png(4, 4, red)], ["a.cls", "0"]]); // biome-ignore format: one line
    const refused = async (bytes: Buffer, message: string, name = "x.tar") => {
      await writeFile(join(folder, name), bytes);
      await expect(openImageSource(`webdataset:${folder}/${name}`)).rejects.toThrow(message);
    };
    await refused(whole.subarray(0, 540), "ends within a member at byte 0");
    await refused(whole.subarray(0, 1024), "its end mark is missing");
    await refused(Buffer.from(whole).fill(7, 20, 40), "is damaged, or no tar archive, at byte 0");
    await refused(gzipSync(whole).subarray(0, 60), "cannot be unpacked: it is truncated", "y.tar.gz");
    await refused(await tarOf([["a.png", await png(4, 4, red)]]), "the sample a has no .cls"); // biome-ignore format: one line
    await refused(await tarOf([["a.cls", "1"]]), "the sample a has no .jpg, .png or .webp"); // biome-ignore format: one line
    await refused(await tarOf([["a.png", "x"], ["a.cls", "cat"]]), 'a.cls must be a class index, is "cat"'); // biome-ignore format: one line
    await refused(await tarOf([["a.png", "x"], ["a.png", "y"]]), "the sample a has two images"); // biome-ignore format: one line
    await expect(openImageSource(`webdataset:${folder}/no-*.tar`)).rejects.toThrow("no shard matches");
  });

  test("a folder that is called like a shard is refused", async () => {
    await mkdir(join(folder, "a.tar"));
    await mkdir(join(folder, "b.tar.gz"));
    for (const name of ["a.tar", "b.tar.gz"]) {
      await expect(openImageSource(`webdataset:${folder}/${name}`)).rejects.toMatchObject({
        tag: "DataError",
        message: expect.stringMatching(/[ab]\.tar(\.gz)? is not a file — /),
      });
    }
  });

  test("a key in two shards is refused", async () => {
    const shard = await tarOf([["a.png", await png(4, 4, red)], ["a.cls", "0"]]); // biome-ignore format: one line
    await writeFile(join(folder, "0.tar"), shard);
    await writeFile(join(folder, "1.tar"), shard);
    await expect(openImageSource(`webdataset:${folder}/{0..1}.tar`)).rejects.toThrow("the key a is also in");
  });

  test("patterns", () => {
    expect(globPattern("x-{000..010}.tar").test("x-010.tar")).toBe(true);
    expect(globPattern("x-{000..010}.tar").test("x-11.tar")).toBe(false);
    expect(globPattern("{train,test}-?.tar.gz").test("test-1.tar.gz")).toBe(true);
    expect(globPattern("a.tar").test("aXtar")).toBe(false);
  });
});

const shared = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
describe.skipIf(!existsSync(shared))("real data sets (need the shared data)", () => {
  test("an ImageFolder of photographs", async () => {
    const source = await openImageSource(`imagefolder:${shared}imagenet-sample`);
    expect([source.length, source.classes.length]).toEqual([400, 400]);
    expect((await source.load(7, 128)).length).toBe(128 * 128 * 3);
  });

  test("CIFAR-10 as a compressed WebDataset", async () => {
    const source = await openImageSource(`webdataset:${shared}cifar10/cifar10-test-0000.tar.gz`, { count: 500 });
    expect([source.length, source.classes.length]).toEqual([500, 10]);
    expect((await source.load(499, 32)).length).toBe(32 * 32 * 3);
    await source.close();
  });
});
