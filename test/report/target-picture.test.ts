import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { NumericError, ShapeError, UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { randomStream } from "../../data/random.js";
import { readSafetensors } from "../../data/safetensors.js";
import { colourValues, viridis } from "../../src/report/colour-map.js";
import { colourComponents, principalComponents } from "../../src/report/principal-components.js";
import { readRun } from "../../src/report/read-run.js";
import { renderReport } from "../../src/report/render-page.js";
import { similarityMap, tokenAt } from "../../src/report/similarity-map.js";
import { writeTargetPictures } from "../../src/report/target-picture.js";
import { tinyEncoder } from "../features/tiny-encoder.js";
import { findAll, parseHtml } from "./check-html.js";
import { temporaryFolder, writeRun } from "./fixture.js";

const normal = (count: number, name = "test") => randomStream(0, name, 0).normal(count);

describe("principal components", () => {
  test.each([
    ["more channels than tokens", 5, 8],
    ["more tokens than channels", 12, 3],
  ])("rank one, closed form: %s", (_, rows, dim) => {
    // Token t is mean + a_t·u with unit u and Σa = 0: the first component is a, the others are nothing.
    const a = Float64Array.from({ length: rows }, (_, t) => t - (rows - 1) / 2 + (t === rows - 1 ? 3 : 0));
    const shift = a.reduce((sum, value) => sum + value, 0) / rows;
    const u = Array.from({ length: dim }, (_, d) => (d === 1 ? -0.8 : d === 2 ? 0.6 : 0));
    const tokens = Float32Array.from(
      { length: rows * dim },
      (_, i) => 2 + (i % dim) + a[Math.floor(i / dim)]! * u[i % dim]!,
    );
    const { scores, shares } = principalComponents(tokens, [rows, dim]);
    expect(shares[0]).toBeCloseTo(1, 6);
    expect([...shares.subarray(1)]).toEqual([0, 0]);
    for (let t = 0; t < rows; t++) {
      // The entry of largest magnitude is the last one, and it is positive.
      expect(scores[t * 3]).toBeCloseTo(a[t]! - shift, 4);
      expect(scores[t * 3 + 1]).toBe(0);
    }
  });

  test.each([
    [16, 40],
    [40, 16],
    [9, 2],
  ])("scores and shares of %d tokens of %d channels are those of the singular value decomposition", (rows, dim) => {
    const tokens = normal(rows * dim);
    const { scores, shares } = principalComponents(tokens, [rows, dim]);
    const matrix = Matrix.from1DArray(rows, dim, Array.from(tokens)).center("column");
    const svd = new SingularValueDecomposition(matrix, { autoTranspose: true });
    const total = svd.diagonal.reduce((sum, value) => sum + value ** 2, 0);
    for (let k = 0; k < Math.min(3, dim); k++) {
      expect(shares[k]).toBeCloseTo(svd.diagonal[k]! ** 2 / total, 8);
      const expected = svd.leftSingularVectors.getColumn(k).map((value) => value * svd.diagonal[k]!);
      const largest = expected.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
      for (let t = 0; t < rows; t++) expect(scores[t * 3 + k]).toBeCloseTo(expected[t]! * Math.sign(largest), 6);
    }
  });

  test("equal tokens have no components, and their picture is grey", () => {
    const tokens = Float32Array.from({ length: 4 * 3 }, (_, i) => [0.1, -7.3, 1e4][i % 3]!);
    const { scores, shares } = principalComponents(tokens, [4, 3]);
    expect([...shares]).toEqual([0, 0, 0]);
    expect([...colourComponents(scores)]).toEqual(new Array(12).fill(128));
  });

  test("colours run from the 2nd to the 98th percentile of each component", () => {
    const scores = Float64Array.from({ length: 101 * 3 }, (_, i) => [1, -1, 0][i % 3]! * Math.floor(i / 3));
    const colours = colourComponents(scores);
    expect([...colours.subarray(0, 3)]).toEqual([0, 255, 128]);
    expect([...colours.subarray(2 * 3, 3 * 3)]).toEqual([0, 255, 128]);
    expect([...colours.subarray(50 * 3, 51 * 3)]).toEqual([128, 128, 128]);
    expect([...colours.subarray(98 * 3, 99 * 3)]).toEqual([255, 0, 128]);
    // One step inside the percentiles is not clipped any more: 255/96 a token.
    expect(colours[3 * 3]).toBe(Math.round(255 / 96));
  });

  test("refuses wrong lengths and values that are not finite", () => {
    expect(() => principalComponents(new Float32Array(5), [2, 3])).toThrow(ShapeError);
    expect(() => principalComponents(Float32Array.of(1, 2, 3, Number.NaN), [2, 2])).toThrow(NumericError);
  });
});

describe("similarity maps", () => {
  test("1 at the marked token, −1 at its opposite, 0 at right angles and at zero tokens", () => {
    const tokens = Float32Array.of(3, 4, -6, -8, -4, 3, 0, 0, 6, 8.5);
    const map = similarityMap(tokens, [5, 2], 0);
    expect([...map.subarray(0, 4)]).toEqual([1, -1, 0, 0]);
    expect(map[4]).toBeCloseTo((18 + 34) / (5 * Math.hypot(6, 8.5)), 6);
    expect([...similarityMap(tokens, [5, 2], 3)]).toEqual([0, 0, 0, 0, 0]);
  });

  test("never beyond 1, and 1 at every marked token of random features", () => {
    const tokens = normal(20 * 7);
    for (let marked = 0; marked < 20; marked++) {
      const map = similarityMap(tokens, [20, 7], marked);
      expect(map[marked]).toBeCloseTo(1, 12);
      expect(Math.max(...map)).toBeLessThanOrEqual(1);
    }
  });

  test("the places of the reference's figure on a grid of 16", () => {
    // SPEC §4.8: the first point is (0.5, 0.5) and falls on token (8, 8): 7.5 is rounded to the even number.
    expect(tokenAt([0.5, 0.5], 16)).toEqual([8, 8]);
    expect(tokenAt([0.5, 0.5], 8)).toEqual([4, 4]);
    expect(tokenAt([0.5, 0.5], 14)).toEqual([6, 6]);
    expect(tokenAt([0, 1], 16)).toEqual([0, 15]);
  });

  test("refuses a token that is not there", () => {
    expect(() => similarityMap(new Float32Array(6), [3, 2], 3)).toThrow(ShapeError);
  });
});

describe("viridis", () => {
  test("has the published end and middle colours, and its lightness only grows", () => {
    const table = viridis();
    expect([...table.subarray(0, 3)]).toEqual([0x44, 0x01, 0x54]);
    expect([...table.subarray(255 * 3)]).toEqual([0xfd, 0xe7, 0x25]);
    expect([...table.subarray(128 * 3, 129 * 3)].map((v, c) => Math.abs(v - [0x21, 0x91, 0x8c][c]!))).toSatisfy(
      (errors: number[]) => Math.max(...errors) <= 2,
    );
    const light = Array.from(
      { length: 256 },
      (_, i) => 0.2126 * table[i * 3]! + 0.7152 * table[i * 3 + 1]! + 0.0722 * table[i * 3 + 2]!,
    );
    expect(light.slice(1).every((value, i) => value > light[i]! - 0.75)).toBe(true);
  });

  test("values outside the range have the colours of its ends; an empty range has the middle one", () => {
    const table = Uint8Array.of(0, 0, 0, 100, 100, 100, 200, 200, 200);
    expect([...colourValues([-5, 0, 0.5, 1, 9], [0, 1], table)].filter((_, i) => i % 3 === 0)).toEqual([
      0, 0, 100, 200, 200,
    ]);
    expect(colourValues([3], [3, 3], table)[0]).toBe(100);
  });
});

/** Images in memory, all of one size. */
function memorySource(images: readonly Uint8Array[], sizePx: number): ImageSource {
  return {
    name: "memory",
    classes: ["all"],
    length: images.length,
    fingerprint: "0".repeat(64),
    skipped: [],
    id: (index) => `image <${index}>`,
    label: () => 0,
    async load(index, wanted) {
      expect(wanted).toBe(sizePx);
      return images[index]!.slice();
    },
    close: async () => {},
  };
}

function noisePicture(sizePx: number, name: string): Uint8Array {
  return Uint8Array.from(normal(sizePx * sizePx * 3, name), (value) => 128 + 40 * value);
}

describe("writeTargetPictures", () => {
  const GRID = 4;
  const SIZE = GRID * 16;

  test("writes pictures that the report finds, marks the token, and says what it did", async () => {
    const run = await writeRun();
    const outFolder = path.join(run, "targets");
    const images = ["a", "b", "c"].map((name) => noisePicture(SIZE, name));
    const record = await writeTargetPictures({
      source: memorySource(images, SIZE),
      targets: ["sift"],
      spatialNorm: 0.6,
      grid: GRID,
      imageIndices: [2, 0],
      place: [0, 1], // row 0, column 3: swapped, the mark would stand elsewhere
      outFolder,
    });
    expect(record.targets.map(({ target, spatialNorm }) => [target, spatialNorm])).toEqual([
      ["sift", null],
      ["sift", 0.6],
    ]);
    expect(record.originals.map(({ index }) => index)).toEqual([2, 0]);
    expect(record.similarityRange[1]).toBeCloseTo(1, 6);
    expect(JSON.parse(readFileSync(path.join(outFolder, "targets.json"), "utf8"))).toEqual(record);

    const [row, column] = record.marked;
    const original = await sharp(path.join(outFolder, "original-2.png")).raw().toBuffer();
    const inMark = (x: number, y: number) => Math.floor(y / 16) === row && Math.floor(x / 16) === column;
    let changed = 0;
    for (let i = 0; i < SIZE * SIZE; i++) {
      const same = [0, 1, 2].every((c) => original[i * 3 + c] === images[2]![i * 3 + c]);
      if (!inMark(i % SIZE, Math.floor(i / SIZE))) expect(same).toBe(true);
      else if (!same) changed += 1;
    }
    expect(changed).toBeGreaterThan(100);

    // The marked token has the colour of cosine 1, the last of the table.
    const similarity = await sharp(path.join(outFolder, record.targets[0]!.pictures[0]!.similarity)).raw().toBuffer();
    const middle = ((row * 16 + 8) * SIZE + column * 16 + 8) * 3;
    expect([...similarity.subarray(middle, middle + 3)]).toEqual([0xfd, 0xe7, 0x25]);

    const root = parseHtml(await renderReport([await readRun(run)]));
    const shown = findAll(root, "table").find(({ attributes }) => attributes["class"] === "targets")!;
    expect(findAll(shown, "img")).toHaveLength(2 * (1 + 2 * 2));
    expect(findAll(shown, "img")[0]!.attributes["alt"]).toBe("Image image <2>");
  });

  test("a flat image: zero tokens leave no variance, and no metric is made up", async () => {
    const flat = new Uint8Array(32 * 32 * 3).fill(77);
    const record = await writeTargetPictures({
      source: memorySource([flat], 32),
      targets: ["sift"],
      grid: 2,
      imageIndices: [0],
      outFolder: path.join(temporaryFolder(), "targets"),
    });
    const [sift] = record.targets;
    expect(sift!.explained).toBe(0);
    // Two tokens a side have no pair at Manhattan distance 6.
    expect(sift!.metrics.lds).toBeNull();
    expect(sift!.metrics.srss).toBeNull();
  });

  test("the report says what an encoder's images and tokens were resized to", async () => {
    const run = await writeRun();
    const model = path.join(temporaryFolder(), "tiny.onnx");
    writeFileSync(model, tinyEncoder("batch", 8));
    const { targets } = await writeTargetPictures({
      source: memorySource([noisePicture(SIZE, "a")], SIZE),
      targets: [`onnx:${model}#map?mean=0&std=1`, "hog"],
      grid: GRID,
      imageIndices: [0],
      outFolder: path.join(run, "targets"),
    });
    const note = "images of 64 px resized to 8 px (bicubic), 2×4 tokens resampled to 4×4 (bilinear)";
    expect(targets.map((target) => target.note)).toEqual([note, undefined]);
    expect(await renderReport([await readRun(run)])).toContain(`<small>${note}</small>`);
  });

  const golden = path.resolve(import.meta.dirname, "../../../shared/golden");
  test.skipIf(!existsSync(golden))(
    "spatial metrics of HOG, with and without spatial norm, are the reference's",
    async () => {
      const { tensors } = await readSafetensors(path.join(golden, "descriptors.safetensors"));
      const expected = JSON.parse(readFileSync(path.join(golden, "spatial-metrics.json"), "utf8"));
      const record = await writeTargetPictures({
        source: memorySource([tensors["chelsea/image"]!.data as Uint8Array], 256),
        targets: ["hog"],
        spatialNorm: 0.6,
        grid: 16,
        imageIndices: [0],
        outFolder: path.join(temporaryFolder(), "targets"),
      });
      for (const [i, key] of ["chelsea/hog_g16_d128", "chelsea/hog_g16_d128_zscore_a0.6"].entries()) {
        for (const metric of ["lds", "cds", "srss", "rmsc"] as const) {
          expect(record.targets[i]!.metrics[metric], `${key} ${metric}`).toBeCloseTo(expected[key][metric], 4);
        }
      }
    },
  );

  test.each([
    ["no image", { imageIndices: [] }, /at least one image/],
    ["no target", { targets: [] }, /at least one target/],
    ["an image that is not there", { imageIndices: [3] }, /has images 0 to 0, 3 was asked for/],
    ["an image twice", { imageIndices: [0, 0] }, /named twice/],
    ["an unknown target", { targets: ["sfit"] }, /unknown target "sfit"/],
    ["a share beyond 1", { spatialNorm: 1.5 }, /between 0 and 1, got 1.5/],
    ["a grid of one", { grid: 1 }, /grid of 2 or more, got 1/],
  ])("refuses %s", async (_, change, message) => {
    const outFolder = path.join(temporaryFolder(), "targets");
    const source = memorySource([noisePicture(SIZE, "a")], SIZE);
    const attempt = writeTargetPictures({
      source,
      targets: ["sift"],
      grid: GRID,
      imageIndices: [0],
      outFolder,
      ...change,
    });
    await expect(attempt).rejects.toThrow(UsageError);
    await expect(attempt).rejects.toThrow(message);
    expect(existsSync(path.join(outFolder, "targets.json"))).toBe(false);
  });
});
