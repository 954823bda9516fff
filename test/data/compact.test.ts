/** @file The compact structures that lists of millions of images are kept in, against plain ones. */
import { expect, test } from "vitest";
import { ByteLru } from "../../data/byte-lru.js";
import { inOrder } from "../../data/in-order.js";
import { PackedTexts } from "../../data/packed-texts.js";
import { randomStream } from "../../data/random.js";
import { TextIndex } from "../../data/text-index.js";

test("packed texts are those that were pushed, in any alphabet", () => {
  const texts = [
    "",
    "a",
    "naïve",
    "日本語/一.png",
    "🦎",
    "x".repeat(70_000),
    ...Array.from({ length: 999 }, (_, i) => `${i}`),
  ];
  const packed = new PackedTexts();
  for (const text of texts) packed.push(text);
  expect(packed.length).toBe(texts.length);
  expect(texts.map((_, i) => packed.at(i))).toEqual(texts);
  expect(() => packed.at(texts.length)).toThrow(
    new RangeError(`there is no text ${texts.length}; there are ${texts.length}`),
  );
  expect(() => packed.at(-1)).toThrow(RangeError);
});

test("a text index numbers as a Map does", () => {
  const index = new TextIndex();
  const map = new Map<string, number>();
  // 20,000 draws of 5,000 keys: most are met again, and their hashes share slots.
  for (const draw of randomStream(0, "test/keys", 0).integers(20_000, 5_000)) {
    const key = `n${draw % 70}/${draw}`;
    if (!map.has(key)) map.set(key, map.size);
    expect(index.add(key)).toBe(map.get(key));
  }
  expect(index.length).toBe(map.size);
  for (const [key, number] of map) expect(index.at(number)).toBe(key);
});

test("a million keys fit into 80 MB, what they grew out of included", () => {
  const before = process.memoryUsage();
  const index = new TextIndex();
  for (let i = 0; i < 1_000_000; i++) index.add(`n${i % 1000}/img_${i}`);
  const after = process.memoryUsage();
  expect(index.add("n999/img_999999")).toBe(999_999);
  // Measured: 21 MB of letters in 32, 8 of hash slots, 4 of hashes, while growing also what they were before; on the heap the ends.
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(80e6);
});

test("results come in order, a bounded number under way", async () => {
  let running = 0;
  let most = 0;
  const results: number[] = [];
  const task = async (index: number) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, (index * 7) % 5));
    running--;
    return index * index;
  };
  for await (const result of inOrder(23, 4, task)) results.push(result);
  expect(results).toEqual(Array.from({ length: 23 }, (_, i) => i * i));
  expect(most).toBe(4);
  const some: number[] = [];
  const failing = async (index: number) => (index === 5 ? Promise.reject(new Error("five")) : index);
  const walk = async () => {
    for await (const result of inOrder(9, 4, failing)) some.push(result);
  };
  await expect(walk()).rejects.toThrow(new Error("five"));
  expect(some).toEqual([0, 1, 2, 3, 4]);
  for await (const result of inOrder(0, 4, failing)) throw new Error(`${result} of nothing`);
});

test("a byte LRU makes each value once, and lets the oldest go", async () => {
  const made: string[] = [];
  const lru = new ByteLru<string>(10);
  const get = (key: string, sizeBytes: number) =>
    lru.get(key, async () => {
      made.push(key);
      if (key === "bad") throw new Error("bad");
      return { value: key.toUpperCase(), sizeBytes };
    });
  expect(await Promise.all([get("a", 4), get("a", 4), get("b", 4)])).toEqual(["A", "A", "B"]);
  expect(made).toEqual(["a", "b"]);
  await get("a", 4); // now b is the oldest
  await get("c", 4);
  await get("a", 4);
  expect(made).toEqual(["a", "b", "c"]);
  await get("b", 4);
  expect(made).toEqual(["a", "b", "c", "b"]);
  // Larger than all room: kept alone until the next.
  await get("huge", 99);
  await get("huge", 99);
  await get("a", 4);
  await get("huge", 99);
  expect(made.slice(4)).toEqual(["huge", "a", "huge"]);
  await expect(get("bad", 1)).rejects.toThrow("bad");
  await expect(get("bad", 1)).rejects.toThrow("bad");
  expect(made.filter((key) => key === "bad").length).toBe(2);
});
