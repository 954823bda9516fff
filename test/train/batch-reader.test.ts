import { expect, test } from "vitest";
import { batchIndices } from "../../data/shuffle.js";
import { type BatchSource, readBatch } from "../../src/train/batch-reader.js";
import { DIM, featureStore, imageStore, LENGTH, MODEL, memoryStore, OPTIONS, TOKENS } from "./tiny-run.js";

const source = (changes: Partial<BatchSource> = {}): BatchSource => ({
  images: imageStore(),
  features: featureStore(),
  dim: DIM,
  sourceLength: LENGTH,
  variants: 2,
  seed: 3,
  model: MODEL,
  options: OPTIONS,
  ...changes,
});
const { batch: B } = OPTIONS;
const [C, S] = [MODEL.channels, MODEL.sizePx];

test("images, labels and features of a batch belong together; pixels are u8/127.5 − 1, channels first", async () => {
  const everything = Array.from({ length: 2 * LENGTH }, (_, row) => row);
  const pixels = await imageStore().read("image", everything);
  const features = await featureStore().read("features", everything);
  const variants = new Set<number>();
  for (let step = 0; step < 6; step++) {
    const options = { ...OPTIONS, labelDropout: 0 };
    const { x, y, "target/0": z } = await readBatch(source({ options }), step);
    const indices = batchIndices(LENGTH, B, 3, step);
    for (let b = 0; b < B; b++) {
      // The row is found by its features; images and labels must then be those of the same row.
      const token = z!.data[b * TOKENS * DIM]!;
      const row = everything.find((r) => features[r * TOKENS * DIM] === token)!;
      variants.add(Math.floor(row / LENGTH));
      expect(row % LENGTH).toBe(indices[b]);
      expect(y!.data[b]).toBe((row % LENGTH) % 3);
      for (const [c, h, w] of [
        [0, 0, 0],
        [2, 1, 5],
        [1, 7, 3],
      ] as const) {
        const byte = pixels[((row * S + h) * S + w) * C + c]!;
        expect(x!.data[((b * C + c) * S + h) * S + w]).toBeCloseTo(byte / 127.5 - 1, 6);
      }
    }
  }
  expect([...variants].sort()).toEqual([0, 1]);
});

test("of one variant only the images themselves are read", async () => {
  const rows = new Set<number>();
  const images = imageStore();
  const spy = {
    ...images,
    read: (column: string, wanted: ArrayLike<number>) => {
      for (const row of Array.from(wanted)) rows.add(row);
      return images.read(column, wanted);
    },
  };
  for (let step = 0; step < 6; step++) await readBatch(source({ images: spy, variants: 1 }), step);
  expect(Math.max(...rows)).toBeLessThan(LENGTH);
});

test("all variants of an image are drawn, equally often", async () => {
  const counts = [0, 0, 0, 0];
  const spy: BatchSource["images"] = {
    ...imageStore(),
    read: async (column, wanted) => {
      if (column === "label") for (const row of Array.from(wanted)) counts[Math.floor(row / LENGTH)]!++;
      return column === "label" ? new Int32Array(wanted.length) : new Uint8Array(wanted.length * S * S * C);
    },
  };
  const { features: _, dim: __, ...control } = source({ images: spy, variants: 4 });
  for (let step = 0; step < 200; step++) await readBatch(control, step);
  // 800 draws of a quarter: mean 200, standard deviation 12.
  for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(49);
});

test("about the wanted share of labels is dropped, to the label after the last class", async () => {
  let dropped = 0;
  for (let step = 0; step < 200; step++) {
    const { y } = await readBatch(source(), step);
    for (const label of y!.data) {
      expect(label).toBeLessThanOrEqual(MODEL.classes);
      if (label === MODEL.classes) dropped++;
    }
  }
  // 800 draws of 0.3: mean 240, standard deviation 13.
  expect(Math.abs(dropped - 240)).toBeLessThan(52);
});

test("a batch depends on seed and step only, and a control's is an aligned arm's without the target", async () => {
  const { "target/0": _, ...rest } = await readBatch(source(), 4);
  const { features: __, dim: ___, ...control } = source();
  expect(await readBatch(control, 4)).toEqual(rest);
  const { noise, t } = await readBatch(source(), 5);
  expect(noise!.data).not.toEqual(rest["noise"]!.data);
  expect(t!.data).not.toEqual(rest["t"]!.data);
  expect((await readBatch(source({ seed: 4 }), 4))["noise"]!.data).not.toEqual(rest["noise"]!.data);
  expect(rest["biasCorrection1"]!.data[0]).toBeCloseTo(1 - 0.9 ** 5, 7);
});

test("a label that the model has not is named", async () => {
  const label = { shape: [], dtype: "I32" as const, data: new Int32Array(2 * LENGTH).fill(3) };
  const { image } = imageStore().header.columns as unknown as Parameters<typeof memoryStore>[0];
  await expect(readBatch(source({ images: memoryStore({ image: image!, label }) }), 0)).rejects.toMatchObject({
    tag: "DataError",
    message: expect.stringMatching(/^image \d has label 3; the model has 3 classes$/),
  });
});
