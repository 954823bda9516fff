import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { DataError, UsageError } from "../../data/errors.js";
import { openImageSource } from "../../data/open-source.js";
import { openMasks } from "../../src/rank/open-masks.js";

const GRID = 4;
const SIZE = GRID * 16;

async function folders(inside: (y: number, x: number) => boolean) {
  const folder = mkdtempSync(path.join(tmpdir(), "descry-masks-"));
  for (const name of ["images/cat", "masks/cat"]) mkdirSync(path.join(folder, name), { recursive: true });
  const raw = { width: SIZE, height: SIZE, channels: 1 as const };
  const gray = Buffer.from(
    Array.from({ length: SIZE ** 2 }, (_, i) => (inside(Math.floor(i / SIZE), i % SIZE) ? 7 : 0)),
  );
  await sharp(gray, { raw }).jpeg().toFile(path.join(folder, "images/cat/a.jpg"));
  await sharp(gray, { raw }).png().toFile(path.join(folder, "masks/cat/a.png"));
  return { source: await openImageSource(`imagefolder:${folder}/images`), masks: `${folder}/masks` };
}

describe("masks", () => {
  test("a token is foreground if any of its pixels is", async () => {
    // The left half, and one pixel of the token in the last row and column.
    const { source, masks } = await folders((y, x) => x < 32 || (y === 63 && x === 50));
    const mask = await openMasks(masks, source, GRID)(0);
    expect([...mask!]).toEqual([1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1]);
  });

  test("too little foreground or background is none", async () => {
    const little = await folders((y, x) => y < 16 && x < 48);
    expect(await openMasks(little.masks, little.source, GRID)(0)).toBeNull();
    const much = await folders((y, x) => y >= 16 || x >= 48);
    expect(await openMasks(much.masks, much.source, GRID)(0)).toBeNull();
  });

  test("a missing mask is named, and images without file names are refused", async () => {
    const { source } = await folders(() => true);
    await expect(openMasks("nowhere", source, GRID)(0)).rejects.toThrow(DataError);
    await expect(openMasks("nowhere", source, GRID)(0)).rejects.toThrow(/nowhere\/cat\/a\.png: cannot read the mask/);
    const photos = await openImageSource("photos", { count: 2 });
    expect(() => openMasks("masks", photos, GRID)).toThrow(UsageError);
  });
});
