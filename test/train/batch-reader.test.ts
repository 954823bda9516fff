import { expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { batchIndices } from "../../data/shuffle.js";
import { type BatchSource, checkBatchSource, readBatch } from "../../src/train/batch-reader.js";
import { spread } from "./tensors.js";
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

test("latents are drawn anew each step from their moments, and scaled; means alone are taken as they are", async () => {
  const size = C * S * S;
  const moments = spread(2 * LENGTH * 2 * size, 7);
  const label = { shape: [], dtype: "I32" as const, data: new Int32Array(4 * LENGTH) };
  const scaling = { scale: [2, 0.5, 3], bias: [0.1, -1, 0] };
  let rows: number[] = [];
  const latents = (channels: number): BatchSource["images"] => {
    const store = memoryStore({ latent: { shape: [channels, S, S], dtype: "F32", data: moments }, label });
    const read = (column: string, wanted: ArrayLike<number>) => {
      if (column === "latent") rows = Array.from(wanted);
      return store.read(column, wanted);
    };
    return { ...store, read };
  };
  const wanted = (b: number, at: number, stored: number, noise?: Float32Array) => {
    const mean = rows[b]! * stored + at;
    const z = moments[mean]! + (noise === undefined ? 0 : moments[mean + size]! * noise[b * size + at]!);
    const c = Math.floor(at / (S * S));
    return (z - scaling.bias[c]!) * scaling.scale[c]!;
  };
  for (const step of [3, 4]) {
    const drawn = source({ images: latents(2 * C), latents: scaling });
    checkBatchSource(drawn);
    const { x } = await readBatch(drawn, step);
    expect(x!.shape).toEqual([B, C, S, S]);
    const noise = randomStream(3, "train/latent", step).normal(B * size);
    for (let i = 0; i < B * size; i++) {
      expect(x!.data[i]).toBeCloseTo(wanted(Math.floor(i / size), i % size, 2 * size, noise), 5);
    }
    const { x: means, noise: same } = await readBatch(source({ images: latents(C), latents: scaling }), step);
    for (let i = 0; i < B * size; i++) {
      expect(means!.data[i]).toBeCloseTo(wanted(Math.floor(i / size), i % size, size), 5);
    }
    // The noise of the diffusion is not the latents', and does not depend on them.
    expect(same!.data).toEqual(randomStream(3, "train/noise", step).normal(B * size));
  }
});

test("latents that do not fit the model, and pixels in their place, are refused", () => {
  const scaling = { scale: [1, 1, 1], bias: [0, 0, 0] };
  const label = { shape: [], dtype: "I32" as const, data: new Int32Array(2 * LENGTH) };
  const data = new Float32Array(2 * LENGTH * 4 * S * S);
  const four = memoryStore({ latent: { shape: [4, S, S], dtype: "F32", data }, label });
  expect(() => checkBatchSource(source({ images: four, latents: scaling }))).toThrow(
    `cached latents: the model wants F16 or F32 [${C},${S},${S}] or [${2 * C},${S},${S}], got F32 [4,${S},${S}]`,
  );
  expect(() => checkBatchSource(source({ latents: scaling }))).toThrow(
    /^cached latents: the model wants .*, got none$/,
  );
  const three = memoryStore({
    latent: { shape: [C, S, S], dtype: "F32", data: data.subarray(0, 2 * LENGTH * C * S * S) },
    label,
  });
  expect(() => checkBatchSource(source({ images: three, latents: { scale: [1], bias: [0] } }))).toThrow(
    /want 3 scales and biases, got 1 and 1/,
  );
  expect(() => checkBatchSource(source({ images: three }))).toThrow(/^cached images: the model wants U8/);
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
