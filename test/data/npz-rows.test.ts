import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../../data/errors.js";
import { encodeNpy, listNpz, readNpz } from "../../data/npz.js";
import { openNpzRows } from "../../data/npz-rows.js";
import { writeNpz } from "../../data/write-npz.js";

describe("arrays in parts", () => {
  let folder = "";
  const at = (name: string) => path.join(folder, name);
  const SHAPE = [1000, 7, 300]; // 2.1 MB: several pieces of the stream
  const data = Uint8Array.from({ length: 1000 * 2100 }, (_, i) => (i * 7919) >>> 5);
  const isData = (bytes: Uint8Array) => Buffer.compare(bytes, data) === 0;
  const whole = async (file: string, rows: number) => {
    const parts: Uint8Array[] = [];
    const lengths: number[] = [];
    for await (const part of (await openNpzRows(at(file), "arr_0"))!.batches(rows)) {
      parts.push(part.slice());
      lengths.push(part.length / 2100);
    }
    return { bytes: new Uint8Array(Buffer.concat(parts)), lengths };
  };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "descry-"));
    const halves = async function* () {
      yield data.subarray(0, 1_000_001);
      yield data.subarray(1_000_001);
    };
    await writeNpz(at("stored.npz"), {
      before: { data: Float64Array.of(1, 2), shape: [2] },
      arr_0: { dtype: "|u1", shape: SHAPE, parts: halves() },
    });
    await writeFile(at("deflated.npz"), zipSync({ "arr_0.npy": encodeNpy({ data, shape: SHAPE }) }));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("an array written in parts is the one written whole", async () => {
    const { dtype, shape, data: read } = (await readNpz(at("stored.npz")))["arr_0"]!;
    expect([dtype, shape, isData(read as Uint8Array)]).toEqual(["|u1", SHAPE, true]);
    await writeNpz(at("whole.npz"), {
      before: { data: Float64Array.of(1, 2), shape: [2] },
      arr_0: { data, shape: SHAPE },
    });
    expect((await readFile(at("whole.npz"))).equals(await readFile(at("stored.npz")))).toBe(true);
  });

  test.each(["stored.npz", "deflated.npz"])("%s: batches of rows, as often as wanted", async (file) => {
    const rows = (await openNpzRows(at(file), "arr_0"))!;
    expect(rows).toMatchObject({ dtype: "|u1", shape: SHAPE });
    const { bytes, lengths } = await whole(file, 384);
    expect(lengths).toEqual([384, 384, 232]);
    expect(isData(bytes)).toBe(true);
    expect(isData((await whole(file, 1000)).bytes)).toBe(true);
    expect(await openNpzRows(at(file), "arr_1")).toBeUndefined();
  });

  test.each(["stored.npz", "deflated.npz"])("%s: a changed byte is found when all is read", async (file) => {
    const bytes = await readFile(at(file));
    const entry = (await listNpz(at(file))).find(({ name }) => name === "arr_0")!;
    bytes[entry.offset + entry.storedBytes - 5000]! ^= 16;
    await writeFile(at(`bad-${file}`), bytes);
    const reading = whole(`bad-${file}`, 100);
    await expect(reading).rejects.toThrow(DataError);
    await expect(reading).rejects.toThrow(
      /arr_0\.npy: (the checksum does not fit|cannot be decompressed|has \d+ bytes)/,
    );
  });

  test("parts that are not the shape's bytes are refused, and nothing is written", async () => {
    const short = async function* () {
      yield data.subarray(0, 99);
    };
    const writing = writeNpz(at("short.npz"), { arr_0: { dtype: "|u1", shape: [10, 10], parts: short() } });
    await expect(writing).rejects.toThrow(/"arr_0" \[10,10\] wants 228 bytes, got 227/);
    await expect(readFile(at("short.npz"))).rejects.toThrow(/ENOENT/);
  });
});
