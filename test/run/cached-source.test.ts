import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeRowStore } from "../../data/row-store.js";
import { imagesOfRows } from "../../src/run/compared-images.js";
import type { FeaturesRecord } from "../../src/run/features-record.js";
import { openCachedSource } from "../../src/run/tasks/cached-source.js";

const LENGTH = 9;
const SEED = 2;
const folder = mkdtempSync(path.join(tmpdir(), "descry-cached-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run whose cached pixels are these images, one grey pixel each: its brightness is the image's number, its label ten times that. */
async function sourceOf(name: string, images: readonly number[]) {
  const place = path.join(folder, name);
  const columns = { image: { shape: [1, 1, 3], dtype: "U8" }, label: { shape: [], dtype: "I32" } } as const;
  await writeRowStore(place, { key: name, rows: images.length, columns, meta: {} }, async function* (start, end) {
    const rows = images.slice(start, end);
    yield { image: Uint8Array.from(rows.flatMap((i) => [i, i, i])), label: Int32Array.from(rows, (i) => 10 * i) };
  });
  const record: FeaturesRecord = {
    format: "descry-features-1",
    source: { name, fingerprint: name, length: LENGTH, classes: [], skipped: [] },
    grid: 1,
    images: { folder: place, key: name },
    targets: {},
  };
  return openCachedSource(record, 1, SEED);
}

test("all images of a run are its rows, in order, mirrored ones behind them or not", async () => {
  const all = Array.from({ length: LENGTH }, (_, i) => i);
  for (const [name, images] of Object.entries({ all, mirrored: [...all, ...all] })) {
    const source = await sourceOf(name, images);
    for (const i of all) expect([(await source.load(i, 1))[0], source.label(i)]).toEqual([i, 10 * i]);
    await source.close();
  }
});

test("where only those that are compared were cached, they are found by their number, and others are missed by theirs", async () => {
  const images = [...imagesOfRows(4, LENGTH, SEED)];
  expect(images).toEqual([1, 5, 6, 7]);
  const source = await sourceOf("compared", images);
  for (const i of images) expect([(await source.load(i, 1))[0], source.label(i)]).toEqual([i, 10 * i]);
  await expect(source.load(2, 1)).rejects.toThrow(/lacks the pixels of image 2, which .*descry features RUN --again/);
  await source.close();
});
