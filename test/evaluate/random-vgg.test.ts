import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import type { FeatureNetwork } from "../../src/evaluate/feature-network.js";
import { frechetDistance, gaussianOf } from "../../src/evaluate/frechet-distance.js";
import { maximumMeanDiscrepancy } from "../../src/evaluate/kid.js";
import { openFeatureNetwork } from "../../src/evaluate/open-feature-network.js";
import { noisy, smoothImages } from "./support.js";

const SIZE = 32;
const WIDTHS = [
  [32, 32],
  [64, 64],
  [128, 128, 128],
  [256, 256, 256],
  [256, 256, 256],
];

/** The network of one image by plain loops in float64. */
function naive(image: Uint8Array): Float64Array {
  let [x, side, inputs] = [Float64Array.from(image, (value) => value / 127.5 - 1), SIZE, 3];
  for (const [block, widths] of WIDTHS.entries()) {
    for (const [layer, outputs] of widths.entries()) {
      const name = `evaluate/random-vgg/conv${block + 1}_${layer + 1}`;
      const weights = randomStream(16, name, 0).normal(9 * inputs * outputs);
      const scale = Math.sqrt(2 / (9 * inputs));
      const y = new Float64Array(side * side * outputs);
      for (let row = 0; row < side; row++) {
        for (let column = 0; column < side; column++) {
          const to = (row * side + column) * outputs;
          for (let k = 0; k < 9; k++) {
            const [r, c] = [row + Math.floor(k / 3) - 1, column + (k % 3) - 1];
            if (r < 0 || c < 0 || r >= side || c >= side) continue;
            for (let i = 0; i < inputs; i++) {
              const pixel = x[(r * side + c) * inputs + i]! * scale;
              if (pixel === 0) continue;
              const from = (k * inputs + i) * outputs;
              for (let o = 0; o < outputs; o++) y[to + o] = y[to + o]! + pixel * weights[from + o]!;
            }
          }
        }
      }
      [x, inputs] = [y.map((value) => Math.max(0, value)), outputs];
    }
    const half = side / 2;
    const pooled = new Float64Array(half * half * inputs);
    for (let at = 0; at < pooled.length; at++) {
      const [row, column, c] = [Math.floor(at / inputs / half), Math.floor(at / inputs) % half, at % inputs];
      const tap = (dr: number, dc: number) => x[((2 * row + dr) * side + 2 * column + dc) * inputs + c]!;
      pooled[at] = Math.max(tap(0, 0), tap(0, 1), tap(1, 0), tap(1, 1));
    }
    [x, side] = [pooled, half];
  }
  return x;
}

describe("random-vgg", () => {
  let network: FeatureNetwork;
  const images = smoothImages(1, 34, SIZE); // a whole batch and two more

  beforeAll(async () => {
    network = await openFeatureNetwork("random-vgg");
  });
  afterAll(() => network.dispose());

  test("is the definition, by loops", async () => {
    const { features } = await network.features(images, 34, SIZE);
    for (const index of [0, 33]) {
      const want = naive(images.subarray(index * SIZE * SIZE * 3, (index + 1) * SIZE * SIZE * 3));
      const largest = want.reduce((a, b) => Math.max(a, b));
      expect(largest).toBeGreaterThan(0.1);
      want.forEach((value, d) => {
        expect(Math.abs(features[index * 256 + d]! - value)).toBeLessThan(1e-5 * largest);
      });
    }
  });

  test("says what it is, and its hash is the same each time it is opened", async () => {
    const again = await openFeatureNetwork("random-vgg", { threads: 1 });
    try {
      expect(network).toMatchObject({
        name: "random-vgg",
        proxy: true,
        dim: 256,
        resize: expect.stringMatching(/^32 px/),
      });
      expect(network.sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(again.sha256).toBe(network.sha256);
    } finally {
      await again.dispose();
    }
  });

  test("gives an image the same features wherever it stands, to rounding", async () => {
    const bytes = SIZE * SIZE * 3;
    const turned = new Uint8Array(34 * bytes);
    for (let i = 0; i < 34; i++) turned.set(images.subarray(i * bytes, (i + 1) * bytes), (33 - i) * bytes);
    const [forth, back] = [await network.features(images, 34, SIZE), await network.features(turned, 34, SIZE)];
    for (let d = 0; d < 256; d++) expect(back.features[33 * 256 + d]).toBeCloseTo(forth.features[d]!, 4);
  });

  test("takes other sizes, and reports progress", async () => {
    const done: number[] = [];
    const { features } = await network.features(smoothImages(1, 34, 48), 34, 48, (count) => done.push(count));
    expect(features).toHaveLength(34 * 256);
    expect(done).toEqual([32, 34]);
  });

  test("distances grow with corruption: noise, and shrinking contrast", async () => {
    const count = 64;
    const of = async (batch: Uint8Array) => ({
      data: (await network.features(batch, count, SIZE)).features,
      count,
      dim: 256,
    });
    const reference = await of(smoothImages(1, count, SIZE));
    const clean = smoothImages(2, count, SIZE);
    const faded = (share: number) => clean.map((value) => 128 + (value - 128) * share);
    for (const series of [
      [clean, noisy(clean, 10, 1), noisy(clean, 30, 1), noisy(clean, 90, 1)],
      [clean, faded(0.7), faded(0.4), faded(0.1)],
    ]) {
      const [frechet, kernel] = [[] as number[], [] as number[]];
      for (const batch of series) {
        const features = await of(batch);
        frechet.push(frechetDistance(gaussianOf(reference), gaussianOf(features)));
        kernel.push(maximumMeanDiscrepancy(reference, features));
      }
      expect(frechet).toEqual(frechet.toSorted((a, b) => a - b));
      expect(kernel).toEqual(kernel.toSorted((a, b) => a - b));
      expect(frechet[3]!).toBeGreaterThan(5 * frechet[0]!);
    }
  });
});

test("an unknown network is refused with the nearest name", async () => {
  await expect(openFeatureNetwork("random-vg")).rejects.toThrow(UsageError);
  await expect(openFeatureNetwork("random-vg")).rejects.toThrow(
    /unknown feature network "random-vg".*did you mean "random-vgg"/,
  );
});
