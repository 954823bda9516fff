import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { admCrop } from "../../data/adm-crop.js";
import { decodeImage } from "../../data/decode-image.js";
import { flipHorizontally } from "../../data/flip.js";
import { decodeNpy } from "../../data/npz.js";
import { resample } from "../../data/resample.js";

const folder = fileURLToPath(new URL("../../../shared/data/adm-crop/", import.meta.url));
const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".JPEG")) : [];

describe.skipIf(names.length === 0)("the ADM crop of real photographs equals Pillow's (needs the shared data)", () => {
  test.each(names)("%s", async (name) => {
    const image = await decodeImage(readFileSync(join(folder, name)), name);
    const crop = admCrop(image, 256);
    const expected = decodeNpy(readFileSync(join(folder, name.replace(".JPEG", ".adm256.npy"))), name)
      .data as Uint8Array;
    expect(crop.length).toBe(expected.length);
    const differences = crop.map((value, i) => Math.abs(value - expected[i]!));
    expect(differences.reduce((a, b) => a + b, 0) / crop.length).toBeLessThan(0.01);
    expect(differences.reduce((a, b) => Math.max(a, b), 0)).toBeLessThanOrEqual(2);
  });
});

const solid = (width: number, height: number, rgb: readonly number[]) => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, i) => rgb[i % 3]!),
});

describe("resampling", () => {
  test.each(["box", "bicubic"] as const)("%s keeps a constant image, at any size", (filter) => {
    for (const [width, height] of [
      [5, 9],
      [31, 2],
      [64, 64],
    ] as const) {
      // biome-ignore format: one line
      const result = resample(solid(17, 11, [0, 128, 255]), width, height, filter);
      expect([...result.data]).toEqual([...solid(width, height, [0, 128, 255]).data]);
    }
  });

  test("box halves by the mean of four", () => {
    const data = Uint8Array.from([10, 0, 0, 20, 0, 0, 30, 0, 0, 40, 0, 0]);
    expect([...resample({ data, width: 2, height: 2 }, 1, 1, "box").data]).toEqual([25, 0, 0]);
  });

  // Pillow 12: Image.fromarray(uint8 ramp 0, 30, 60, …, 210 in one row of 8).resize((3, 1), BICUBIC).
  test("bicubic shrinks a ramp symmetrically", () => {
    const row = Uint8Array.from({ length: 24 }, (_, i) => 30 * Math.floor(i / 3));
    const { data } = resample({ data: row, width: 8, height: 1 }, 3, 1, "bicubic");
    expect(data[0]! + data[6]!).toBe(210);
    expect(data[3]).toBe(105);
  });
});

describe("the ADM crop", () => {
  test("takes the centre of the long side", () => {
    const data = new Uint8Array(7 * 4 * 3);
    for (let i = 0; i < 28; i++) data.fill((i % 7) * 10, 3 * i, 3 * i + 3);
    const crop = admCrop({ data, width: 7, height: 4 }, 4);
    // Offset ⌊(7 − 4) / 2⌋ = 1.
    expect([crop[0], crop[3], crop[6], crop[9]]).toEqual([10, 20, 30, 40]);
  });

  test("any size of image gives the size asked for", () => {
    for (const [width, height] of [[1, 1], [1, 300], [33, 65], [500, 40]] as const) // biome-ignore format: one line
      expect(admCrop(solid(width, height, [1, 2, 3]), 32).length).toBe(32 * 32 * 3);
  });
});

test("flipping twice is the image; once, its rows reversed", () => {
  const image = Uint8Array.from({ length: 12 }, (_, i) => i);
  expect([...flipHorizontally(image, 2)]).toEqual([3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]);
  expect(flipHorizontally(flipHorizontally(image, 2), 2)).toEqual(image);
});
