import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import wabt from "wabt";
import { MODULE, SLOT_BYTES, SLOT_VECTORS, type Slot, widenHalves, widenVectors, withSlot } from "../../data/widen.js";

/** Fills a slot with vectors of bytes and their scales. */
function fillVectors({ bytes, scales }: Slot, values: Uint8Array, pairs: Float32Array): void {
  bytes.set(values);
  scales.set(new Uint8Array(pairs.buffer));
}

describe("the loops in WebAssembly", () => {
  test("are those of widen.wat", async () => {
    const text = readFileSync(join(import.meta.dirname, "../../data/widen.wat"), "utf8");
    const module = (await wabt()).parseWat("widen.wat", text, { simd: true });
    module.validate();
    expect(Buffer.from(module.toBinary({}).buffer).toString("base64")).toBe(MODULE);
  });

  // Half floats against the library, all of them: see safetensors.test.ts.
  test.each([0, 1, 3, 4, 5, 2000])("%i half floats, and nothing after them", async (count) => {
    await withSlot(async (slot) => {
      slot.bytes.fill(0);
      for (let i = 0; i < count; i++) slot.bytes.set([0x00, 0x3c + (i % 4)], 2 * i); // 1 + i/4
      const out = new Float32Array(count + 1).fill(7);
      widenHalves(slot, out.subarray(0, count));
      expect([...out]).toEqual([...Array.from({ length: count }, (_, i) => [1, 1.25, 1.5, 1.75][i % 4]!), 7]);
    });
  });

  test.each([
    [1, 1],
    [3, 5],
    [2, 16],
    [7, 33],
    [SLOT_VECTORS, 8],
    [1, SLOT_BYTES],
  ])("%i vectors of %i bytes, by the definition", async (count, dim) => {
    const values = Uint8Array.from({ length: count * dim }, (_, i) => (i * 89 + (i >> 5)) % 256);
    const pairs = Float32Array.from({ length: count * 2 }, (_, i) => (i % 2 === 0 ? 0.01 + i / 1e4 : -1.5 + i / 1e3));
    await withSlot(async (slot) => {
      fillVectors(slot, values, pairs);
      const out = new Float32Array(count * dim + 1).fill(7);
      widenVectors(slot, dim, out.subarray(0, count * dim));
      const want = Float32Array.from(values, (value, i) => {
        const pair = 2 * Math.floor(i / dim);
        return Math.fround(value * pairs[pair]!) + pairs[pair + 1]!;
      });
      expect(out.subarray(0, count * dim)).toEqual(want);
      expect(out.at(-1)).toBe(7);
    });
  });

  test("slots are lent to one at a time, and whoever comes later waits", async () => {
    const held = new Set<Slot>();
    let most = 0;
    const use = () =>
      withSlot(async (slot) => {
        expect(held.has(slot)).toBe(false);
        held.add(slot);
        most = Math.max(most, held.size);
        await new Promise((resolve) => setImmediate(resolve));
        held.delete(slot);
      });
    await Promise.all(Array.from({ length: 100 }, use));
    expect(most).toBe(16);
    await expect(withSlot(() => Promise.reject(new Error("lost")))).rejects.toThrow("lost");
    await Promise.all(Array.from({ length: 100 }, use));
  });
});
