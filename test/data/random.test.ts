import { describe, expect, test } from "vitest";
import { philox, randomStream } from "../../data/random.js";
import { batchIndices, epochOrder } from "../../data/shuffle.js";

describe("Philox4x32-10", () => {
  // Known answers of the authors' distribution (Random123, kat_vectors).
  test.each([
    ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ])("counter %s, key %s", (counter, key, answer) => {
    const words = (text: string) => text.split(" ").map((word) => Number.parseInt(word, 16));
    const out = new Uint32Array(4);
    philox(Uint32Array.from(words(counter)), words(key) as [number, number], out);
    expect([...out]).toEqual(words(answer));
  });
});

describe("a random stream", () => {
  const n = 40_000;
  const mean = (values: ArrayLike<number>, f = (x: number) => x) =>
    Array.from(values).reduce((sum, x) => sum + f(x), 0) / values.length;

  test("is a function of seed, stream and step, each of which matters", () => {
    const draw = (seed: number, stream: string, step: number) => randomStream(seed, stream, step).uniform(8);
    expect(draw(1, "a", 2)).toEqual(draw(1, "a", 2));
    for (const other of [draw(2, "a", 2), draw(1, "b", 2), draw(1, "a", 3)]) expect(other).not.toEqual(draw(1, "a", 2));
    const stream = randomStream(1, "a", 2);
    expect([...stream.uniform(3), ...stream.uniform(5)]).toEqual([...draw(1, "a", 2)]);
  });

  test("uniform: within [0, 1), right moments, right distribution", () => {
    const values = randomStream(0, "uniform", 0).uniform(n).sort();
    expect(values[0]!).toBeGreaterThanOrEqual(0);
    expect(values.at(-1)!).toBeLessThan(1);
    // Kolmogorov–Smirnov: 1.63/√n is exceeded once in a hundred seeds; this seed is fixed.
    const distance = Math.max(...values.map((value, i) => Math.abs(value - i / n)));
    expect(distance).toBeLessThan(1.63 / Math.sqrt(n));
  });

  test("normal: moments up to the fourth, also of an odd number of draws", () => {
    const values = randomStream(0, "normal", 0).normal(n + 1);
    expect(values.length).toBe(n + 1);
    expect(Math.abs(mean(values))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(mean(values, (x) => x * x) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(mean(values, (x) => x ** 3))).toBeLessThan(4 * Math.sqrt(15 / n));
    expect(Math.abs(mean(values, (x) => x ** 4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
    const product = values.slice(1).map((x, i) => x * values[i]!);
    expect(Math.abs(mean(product))).toBeLessThan(4 / Math.sqrt(n));
  });

  test("integers: every value about equally often", () => {
    const counts = new Array<number>(7).fill(0);
    for (const value of randomStream(0, "integers", 0).integers(n, 7)) counts[value]!++;
    for (const count of counts) expect(Math.abs(count - n / 7)).toBeLessThan(4 * Math.sqrt(n / 7));
    expect(() => randomStream(0, "x", 0).integers(1, 0)).toThrow(RangeError);
  });

  test("permutation: every order of three about equally often", () => {
    const counts = new Map<string, number>();
    for (let step = 0; step < 6000; step++) {
      const order = String(randomStream(0, "permutation", step).permutation(3));
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(4 * Math.sqrt(1000));
  });

  test("refuses a seed or step out of range", () => {
    expect(() => randomStream(-1, "x", 0)).toThrow("seed must be a whole number");
    expect(() => randomStream(0, "x", 1.5)).toThrow("step must be a whole number");
  });
});

describe("batches", () => {
  test("an epoch shows every image once, in an order of its own; the incomplete batch is dropped", () => {
    const length = 23;
    const batches = [0, 1, 2, 3].map((step) => batchIndices(length, 5, 9, step));
    const seen = batches.flatMap((batch) => [...batch]);
    expect(new Set(seen).size).toBe(20);
    expect(seen).toEqual([...epochOrder(length, 9, 0)].slice(0, 20));
    expect([...batchIndices(length, 5, 9, 4)]).toEqual([...epochOrder(length, 9, 1)].slice(0, 5));
    expect(epochOrder(length, 9, 0)).not.toEqual(epochOrder(length, 9, 1));
    expect(epochOrder(length, 9, 0)).not.toEqual(epochOrder(length, 8, 0));
  });

  test("a batch larger than the data set is refused", () => {
    expect(() => batchIndices(4, 5, 0, 0)).toThrow("batch 5 is larger than the data set of 4 images");
  });
});
