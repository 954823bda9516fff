import { createHash } from "node:crypto";
import { copyFile, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openParquetFile } from "../../data/formats/parquet-file.js";
import type { OpenOptions } from "../../data/image-source.js";
import { openImageSource } from "../../data/open-source.js";
import expected from "./parquet/expected.json" with { type: "json" };

/** Written by pyarrow (see make.py there): 12 rows, row groups of 5, pages of 2. */
const FOLDER = fileURLToPath(new URL("parquet/", import.meta.url));
const CODECS = ["none-v1", "snappy-v1", "gzip-v2", "brotli-v1", "zstd-v2", "lz4-v1"];
const MAIN = `parquet:${FOLDER}snappy-v1.parquet`;

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

describe("the bytes of each row are those that pyarrow wrote", () => {
  test.each([...CODECS.map((name) => [name, "image"]), ["snappy-v1", "bare"]])("%s, column %s", async (name, image) => {
    const file = await openParquetFile(`${FOLDER}${name}.parquet`, { image: image!, label: "label" });
    try {
      expect([file.rows, file.image.groups]).toEqual([12, 3]);
      // Backwards, so that no page comes before it is asked for.
      for (let row = 11; row >= 0; row--) {
        const place = await file.image.placeOf(row);
        expect(place).toEqual({ group: Math.floor(row / 5), page: Math.floor((row % 5) / 2), row: (row % 5) % 2 });
        const { values } = await file.image.readPage(place);
        const digest = createHash("sha256").update(values[place.row] as Uint8Array);
        expect(digest.digest("hex")).toBe(expected.sha256[row]);
      }
      const labels = [];
      for (let group = 0; group < 3; group++) labels.push(...Array.from(await file.label!.readGroup(group), Number));
      expect(labels).toEqual(expected.labels);
    } finally {
      await file.handle.close();
    }
  });
});

describe("as a data set", () => {
  test("classes have the names of the ClassLabel; shards follow each other", async () => {
    const one = await opened(MAIN);
    expect(one.classes).toEqual(["newt", "emu", "yak"]);
    expect(Array.from({ length: 12 }, (_, i) => one.label(i))).toEqual(expected.labels);
    expect(one.id(7)).toBe(`${FOLDER}snappy-v1.parquet:row 7`);
    const two = await openImageSource(`parquet:${FOLDER}{none-v1,zstd-v2}.parquet`);
    expect([two.length, two.classes]).toEqual([24, ["0", "1", "2"]]);
    expect(two.id(12)).toBe(`${FOLDER}zstd-v2.parquet:row 0`);
    expect(await two.load(15, 4)).toEqual(await two.load(3, 4));
    expect(await two.load(15, 4)).not.toEqual(await two.load(4, 4));
    await two.close();
  });

  test("an image is decoded as the file of its own would be", async () => {
    const source = await openImageSource(MAIN);
    const file = await openParquetFile(`${FOLDER}snappy-v1.parquet`, { image: "bare", label: undefined });
    const { values } = await file.image.readPage({ group: 0, page: 1 });
    await file.handle.close();
    // Row 3 is 3 pixels high and 4 wide: the centre crop of 3 × 3 begins in column 0.
    const pixels = await sharp(values[1] as Uint8Array)
      .extract({ left: 0, top: 0, width: 3, height: 3 })
      .raw()
      .toBuffer();
    expect([...(await source.load(3, 3))]).toEqual([...pixels]);
    await source.close();
  });

  test("labels that are texts are classes in the order of their letters", async () => {
    const source = await opened(`${MAIN}?label=word`);
    expect(source.classes).toEqual(["emu", "newt", "yak"]);
    expect(Array.from({ length: 12 }, (_, i) => source.classes[source.label(i)])).toEqual(expected.words);
    expect((await opened(`${MAIN}?label=small`)).classes).toEqual(["0", "1", "2"]);
    expect((await opened(`${MAIN}?image=bare&label=none`)).classes).toEqual(["images"]);
  });

  test("the fingerprint follows the bytes, the columns and the selection, not the folder", async () => {
    const first = (await opened(MAIN)).fingerprint;
    await copyFile(`${FOLDER}snappy-v1.parquet`, join(folder, "snappy-v1.parquet"));
    const copy = `parquet:${folder}/snappy-v1.parquet`;
    expect((await opened(copy)).fingerprint).toBe(first);
    const others = [
      (await opened(copy, { count: 12 })).fingerprint,
      (await opened(copy, { count: 5 })).fingerprint,
      (await opened(copy, { count: 5, seed: 1 })).fingerprint,
      (await opened(`${copy}?image=bare`)).fingerprint,
      (await opened(`parquet:${FOLDER}none-v1.parquet`)).fingerprint,
    ];
    expect(new Set([first, ...others]).size).toBe(6);
    const handle = await open(join(folder, "snappy-v1.parquet"), "r+");
    await handle.write(Buffer.from([0x55]), 0, 1, 200);
    await handle.close();
    expect((await opened(copy)).fingerprint).not.toBe(first);
  });

  test("a shuffled selection has the images of its rows, from a copy that is removed", async () => {
    const copies = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("descry-unpacked-")).length;
    const before = await copies();
    const all = await openImageSource(MAIN);
    const some = await openImageSource(MAIN, { count: 9, seed: 2 });
    const rows = Array.from({ length: 9 }, (_, i) => Number(/row (\d+)$/.exec(some.id(i))![1]));
    expect(rows).not.toEqual(rows.toSorted((a, b) => a - b));
    expect(await copies()).toBe(before);
    for (const [i, row] of rows.entries()) {
      expect(await some.load(i, 4)).toEqual(await all.load(row, 4));
      expect(some.label(i)).toBe(all.label(row));
    }
    expect(await copies()).toBe(before + 1);
    await all.close();
    await some.close();
    expect(await copies()).toBe(before);
    const damaged = await openImageSource(`parquet:${FOLDER}damaged-images.parquet`, { count: 3, seed: 1 });
    const messages = await Promise.all(
      [0, 1, 2].map((i) =>
        damaged.load(i, 4).then(
          () => "",
          (error) => error.message,
        ),
      ),
    );
    expect(messages.toSorted()).toEqual([
      "",
      expect.stringContaining("row 1 has no image bytes"),
      expect.stringContaining("row 2 cannot be decoded"),
    ]);
    await damaged.close();
  });

  test("images that are missing or damaged are named by their row, or left out", async () => {
    const spec = `parquet:${FOLDER}damaged-images.parquet`;
    const source = await openImageSource(spec);
    await source.load(0, 4);
    await expect(source.load(1, 4)).rejects.toThrow(
      /damaged-images\.parquet:row 1 has no image bytes in column "image"/,
    );
    await expect(source.load(2, 4)).rejects.toThrow(/damaged-images\.parquet:row 2 cannot be decoded: /);
    await source.close();
    const good = await opened(spec, { skipBad: true });
    expect([good.length, good.skipped]).toEqual([1, [1, 2].map((row) => `${FOLDER}damaged-images.parquet:row ${row}`)]);
    await expect(opened(spec, { skipBad: true, count: 2 })).rejects.toThrow(
      "has 1 images that can be decoded, 2 are asked for",
    );
  });
});

describe("what is wrong is said in one line", () => {
  test.each([
    [
      "?image=img",
      'no column "img"; there are: image, label, bare, word, small, score, tags, holes, unknown — name it',
    ],
    ["?label=klass", 'no column "klass"; there are: image, .* or \\?label=none'],
    ["?image=word", 'column "word" is of texts, wanted images'],
    ["?image=score", 'column "score" is of DOUBLE, wanted images'],
    ["?label=score", 'column "score" is of DOUBLE, wanted labels'],
    ["?label=image", 'column "image" is a struct of bytes, path, wanted labels'],
    ["?label=tags", 'column "tags" is a struct of .*, wanted labels'],
    ["?label=holes", "row 7 has no label"],
    ["?label=unknown", "row 0 has the label -1, which is no class — a split without labels\\? then \\?label=none"],
    ["?labels=word", 'unknown option "labels"; there are: image, label — did you mean label\\?'],
    ["?label=", "the option label has no value"],
    ["?label=a&label=b", "the option label is given twice"],
  ])("%s", async (options, message) => {
    const error = await opened(MAIN + options).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(message)) });
    expect((error as Error).message).not.toContain("\n");
    expect(["DataError", "UsageError"]).toContain((error as { tag?: string }).tag);
  });

  test("a truncated file, another file, damaged pages", async () => {
    const file = join(folder, "x.parquet");
    const refused = async (message: RegExp, spec = `parquet:${file}`) => {
      await expect(opened(spec)).rejects.toMatchObject({ tag: "DataError", message: expect.stringMatching(message) });
    };
    await copyFile(`${FOLDER}none-v1.parquet`, file);
    await truncate(file, 1500);
    await refused(/x\.parquet: the parquet file is truncated: its end mark is missing/);
    await writeFile(file, "class,image\n");
    await refused(/x\.parquet: not a parquet file/);
    await writeFile(file, "");
    await refused(/x\.parquet: not a parquet file/);
    await refused(/no shard matches/, `parquet:${folder}/*.parq`);

    // Page headers and bodies overwritten; the footer is whole.
    const bytes = await readFile(`${FOLDER}none-v1.parquet`);
    await writeFile(file, Buffer.from(bytes).fill(0xff, 4, 900));
    const source = await openImageSource(`parquet:${file}?label=none`);
    await expect(source.load(0, 4)).rejects.toThrow(/x\.parquet: column "image\.bytes" .*row group 0/);
    await source.close();
  });
});
