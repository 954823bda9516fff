import fs, { readdirSync, readlinkSync } from "node:fs";
import { copyFile, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DescryError } from "../../data/errors.js";
import { float16ToFloat32, float32ToFloat16 } from "../../data/float16.js";
import { defaultShardRows, planRowStore, shardCount } from "../../data/row-plan.js";
import {
  type Column,
  isRowStore,
  openRowStore,
  type RowBatch,
  type RowData,
  type RowStoreHeader,
  verifyRowStore,
  type WriteRowStoreOptions,
  writeRowStore,
} from "../../data/row-store.js";
import { readSafetensors } from "../../data/safetensors.js";

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "descry-rows-"));
  folder = join(root, "store");
});
afterEach(() => rm(root, { recursive: true }));

const MIXED: RowStoreHeader = {
  key: "mixed-1",
  rows: 11,
  columns: {
    image: { dtype: "U8", shape: [2, 3] },
    label: { dtype: "I32", shape: [] },
    features: { dtype: "F16", shape: [3] },
    exact: { dtype: "F32", shape: [2] },
  },
  meta: { target: "sift", nested: { grid: 4 } },
};

const size = (column: Column) => column.shape.reduce((product, x) => product * x, 1);

/** Values that name their row and place, so that a row read from elsewhere cannot pass. */
function rowsOf({ columns }: RowStoreHeader, from: number, to: number, salt = 0): Record<string, RowData> {
  const entries = Object.entries(columns).map(([name, column], c): [string, RowData] => {
    const array = { F32: Float32Array, F16: Float32Array, Q8: Float32Array, U8: Uint8Array, I32: Int32Array }[
      column.dtype
    ];
    const data = new array((to - from) * size(column));
    data.forEach((_, i) => {
      const row = from + Math.floor(i / size(column));
      data[i] = (row * 31 + (i % size(column)) * 7 + c + salt) / (data instanceof Float32Array ? 16 : 1);
    });
    return [name, data];
  });
  return Object.fromEntries(entries);
}

/** All rows from `startRow` in batches of the given sizes, taken in turn. */
function source(header: RowStoreHeader, sizes: readonly number[] = [4], salt = 0) {
  const starts: number[] = [];
  const batches = async function* (startRow: number, endRow: number): AsyncGenerator<RowBatch> {
    starts.push(startRow);
    for (let row = startRow, i = 0; row < endRow; i++) {
      const next = Math.min(row + sizes[i % sizes.length]!, endRow);
      yield rowsOf(header, row, next, salt);
      row = next;
    }
  };
  return { batches, starts };
}

async function write(header = MIXED, options: WriteRowStoreOptions = { shardRows: 4 }, into = folder): Promise<void> {
  await writeRowStore(into, header, source(header).batches, options);
}

async function contents(of = folder): Promise<Record<string, string>> {
  const names = (await readdir(of)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (n) => [n, (await readFile(join(of, n))).toString("base64")])),
  );
}

/** What went wrong, which must be an error for the user. */
async function failure(promise: Promise<unknown>, tag = "CacheError"): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(DescryError);
  expect((error as DescryError).tag).toBe(tag);
  expect((error as Error).message).not.toContain("\n");
  return (error as Error).message;
}

function seeded(seed: number): (bound: number) => number {
  let state = seed * 7919 + 1;
  return (bound) => {
    state = (state * 48271) % 2147483647;
    return state % bound;
  };
}

describe("round trip", () => {
  test.each(Array.from({ length: 30 }, (_, seed) => seed))(
    "random stores, batches, shards and reads, seed %i",
    async (seed) => {
      const random = seeded(seed);
      const dtypes = ["F32", "F16", "U8", "I32"] as const;
      const columns = Object.fromEntries(
        Array.from({ length: 1 + random(4) }, (_, i): [string, Column] => [
          `c${i}`,
          { dtype: dtypes[random(4)]!, shape: Array.from({ length: random(4) }, () => 1 + random(4)) },
        ]),
      );
      const header: RowStoreHeader = { key: `k${seed}`, rows: random(40), columns, meta: { seed } };
      const sizes = Array.from({ length: 3 }, () => 1 + random(9));
      const done: number[] = [];
      const { batches } = source(header, [...sizes, 0]);
      await writeRowStore(folder, header, batches, { shardRows: 1 + random(12), onRows: (rows) => done.push(rows) });
      expect(done.at(-1) ?? 0).toBe(header.rows);
      expect(done).toEqual([...done].sort((a, b) => a - b));
      await verifyRowStore(folder, header.key);

      const store = await openRowStore(folder, header.key);
      expect(store.header).toEqual(header);
      const all = rowsOf(header, 0, header.rows);
      const requests = [Array.from({ length: header.rows }, (_, i) => i), []];
      for (let i = 0; i < 4 && header.rows > 0; i++) {
        let row = random(header.rows);
        requests.push(
          Array.from({ length: random(20) }, () => {
            row = random(2) === 0 ? (row + 1) % header.rows : random(header.rows);
            return row;
          }),
        );
      }
      await Promise.all(
        requests.flatMap((rows) =>
          Object.entries(columns).map(async ([name, column]) => {
            const want = rows.flatMap((row) => [...all[name]!.subarray(row * size(column), (row + 1) * size(column))]);
            const got = await store.read(name, Uint32Array.from(rows));
            expect(got.constructor).toBe(all[name]!.constructor);
            expect([...got]).toEqual(want);
          }),
        ),
      );
      await store.close();
    },
  );

  test("F16 rounds to nearest and comes back as float32", async () => {
    const header: RowStoreHeader = { key: "h", rows: 2, columns: { x: { dtype: "F16", shape: [2] } }, meta: {} };
    const values = new Float32Array([0.1, -65504, 1e-9, Number.NaN]);
    await writeRowStore(folder, header, async function* () {
      yield { x: values };
    });
    const store = await openRowStore(folder);
    expect(await store.read("x", [0, 1])).toEqual(float16ToFloat32(float32ToFloat16(values)));
    await store.close();
  });

  test("a shard is an ordinary safetensors file with one tensor a column", async () => {
    await write();
    expect((await readdir(folder)).sort()).toEqual([
      "manifest.json",
      "shard-00000.safetensors",
      "shard-00001.safetensors",
      "shard-00002.safetensors",
    ]);
    const { tensors, metadata } = await readSafetensors(join(folder, "shard-00002.safetensors"));
    expect(metadata.key).toBe("mixed-1");
    const want = rowsOf(MIXED, 8, 11);
    expect(tensors.image).toEqual({ dtype: "U8", shape: [3, 2, 3], data: want.image });
    expect(tensors.label).toEqual({ dtype: "I32", shape: [3], data: want.label });
    expect(tensors.features).toEqual({
      dtype: "F16",
      shape: [3, 3],
      data: float32ToFloat16(want.features as Float32Array),
    });
  });

  // Rows of 64 KiB: ImageNet's SIFT is 314 shards of 256 MiB.
  test.each([
    [10, 1, 256],
    [10_000, 40, 256],
    [100_000, 261, 384],
    [1_281_167, 313, 4096],
  ])("%i rows fall into %i shards of %i rows when nothing else is said", (rows, shards, shardRows) => {
    const header: RowStoreHeader = { key: "big", rows, columns: { x: { dtype: "F16", shape: [256, 128] } }, meta: {} };
    const plan = planRowStore(header, defaultShardRows(header, 16));
    expect([shardCount(plan), plan.shardRows]).toEqual([shards, shardRows]);
  });
});

describe("reading", () => {
  test("takes the bytes of the rows asked for only, neighbours in one read", async () => {
    await write(MIXED, { shardRows: 4 });
    const store = await openRowStore(folder);
    const read = vi.spyOn(fs, "read");
    try {
      await store.read("image", [0, 1, 2, 3, 9, 4, 9, 1]);
      const calls = read.mock.calls as unknown as [
        fd: number,
        into: Uint8Array,
        offset: number,
        length: number,
        position: number,
      ][];
      const lengths = calls.map(([, , , length]) => length);
      // Six bytes a row, in the order on disk: rows 0-3 | 1 | 4 (next shard) | 9 | 9.
      expect(lengths).toEqual([24, 6, 6, 6, 6]);
      const at = calls.map(([, , , , position]) => position);
      expect(at[1]! - at[0]!).toBe(6);
    } finally {
      read.mockRestore();
      await store.close();
    }
  });

  const filesOpen = () =>
    readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
      } catch {
        return false;
      }
    }).length;
  test("into an array of the right type and length, or not at all", async () => {
    await write();
    const store = await openRowStore(folder);
    const into = new Float32Array(6);
    expect(await store.read("features", [2, 7], into)).toBe(into);
    const all = rowsOf(MIXED, 0, 11)["features"]!;
    expect([...into]).toEqual([...all.subarray(6, 9), ...all.subarray(21, 24)]);
    expect(await failure(store.read("features", [2], into), "ShapeError")).toContain(
      'column "features" wants Float32Array of 3, got Float32Array of 6',
    );
    expect(await failure(store.read("image", [2], into), "ShapeError")).toContain(
      "wants Uint8Array of 6, got Float32Array",
    );
    await store.close();
  });

  test("rows larger than what is converted at once, alone and beside each other", async () => {
    const columns = { half: { dtype: "F16", shape: [3, 30_011] }, byte: { dtype: "Q8", shape: [70, 1009] } } as const;
    const header: RowStoreHeader = { key: "large", rows: 3, columns, meta: {} };
    await writeRowStore(folder, header, source(header, [1]).batches, { shardRows: 2 });
    const store = await openRowStore(folder);
    const all = rowsOf(header, 0, 3);
    const half = (await store.read("half", [2, 0, 1])) as Float32Array;
    const want = [2, 0, 1].flatMap((row) => [...all["half"]!.subarray(row * 90_033, (row + 1) * 90_033)]);
    expect(half).toEqual(float16ToFloat32(float32ToFloat16(Float32Array.from(want))));
    const byte = await store.read("byte", [1, 2]);
    // Each vector of 1009 rises by 7/16: off by half a 255th of its range at most.
    const step = (7 / 16) * (1008 / 255);
    all["byte"]!.subarray(70_630).forEach((value, i) => {
      if (Math.abs(byte[i]! - value) > step / 2 + 1e-3) throw new Error(`element ${i}: got ${byte[i]}, want ${value}`);
    });
    await store.close();
  });

  test.skipIf(process.platform !== "linux")("keeps 512 files open (needs /proc), none after close", async () => {
    const header: RowStoreHeader = { ...MIXED, rows: 530 };
    await write(header, { shardRows: 1 });
    const store = await openRowStore(folder);
    expect(filesOpen()).toBe(512);
    const order = Array.from({ length: 530 }, (_, i) => (i * 37) % 530);
    const reads = await Promise.all(Array.from({ length: 6 }, () => store.read("label", order)));
    for (const labels of reads) expect([...labels]).toEqual(order.map((row) => row * 31 + 1));
    expect(filesOpen()).toBe(512);
    const last = store.read("label", order);
    await store.close();
    expect((await last).length).toBe(530);
    expect(filesOpen()).toBe(0);
    await expect(store.read("label", [0])).rejects.toThrow(/read after close/);
  });

  test("refuses rows and columns that are not there", async () => {
    await write();
    const store = await openRowStore(folder);
    for (const row of [-1, 11, 0.5, Number.NaN]) {
      expect(await failure(store.read("label", [0, row]), "ShapeError")).toContain(`no row ${row}; rows are 0 to 10`);
    }
    expect(await failure(store.read("labels", [0]), "ShapeError")).toContain('no column "labels"; it has image, label');
    expect(await failure(store.read("constructor", [0]), "ShapeError")).toContain("no column");
    await store.close();
  });

  test("a shard cut while the store is open is named", async () => {
    await write();
    const store = await openRowStore(folder);
    await truncate(join(folder, "shard-00001.safetensors"), 300);
    expect(await failure(store.read("image", [4, 7]))).toContain("shard-00001.safetensors: was cut short");
    expect([...(await store.read("label", [0]))]).toEqual([1]);
    await store.close();
  });
});

describe("damage is found and named", () => {
  const shard = () => join(folder, "shard-00001.safetensors");
  const openAndClose = async () => (await openRowStore(folder)).close();

  test("a shard cut at any byte", async () => {
    await write();
    const whole = await readFile(shard());
    const dataStart = 8 + Number(whole.readBigUInt64LE());
    for (const length of [0, 1, 7, 8, 9, dataStart - 1, dataStart, dataStart + 1, whole.length - 1]) {
      await writeFile(shard(), whole.subarray(0, length));
      const message = await failure(openAndClose());
      expect(message).toContain("shard-00001.safetensors: ");
      expect(message).toContain(`delete this file and run again: only it is made again`);
      await failure(verifyRowStore(folder));
    }
    await writeFile(shard(), Buffer.concat([whole, Buffer.from([0])]));
    expect(await failure(openAndClose())).toContain("shard-00001.safetensors: ");
    await writeFile(shard(), whole);
    await openAndClose();
  });

  test("every flipped bit of a header", async () => {
    await write();
    const whole = await readFile(shard());
    const dataStart = 8 + Number(whole.readBigUInt64LE());
    for (let at = 0; at < dataStart; at++) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << (at % 8);
      await writeFile(shard(), flipped);
      expect(await failure(openAndClose())).toContain("shard-00001.safetensors: ");
    }
  });

  test("a flipped bit of the data, by the full check", async () => {
    await write();
    const whole = await readFile(shard());
    const dataStart = 8 + Number(whole.readBigUInt64LE());
    for (const at of [dataStart, dataStart + 20, whole.length - 1]) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 4;
      await writeFile(shard(), flipped);
      await openAndClose();
      expect(await failure(verifyRowStore(folder))).toContain("shard-00001.safetensors: its data has changed");
    }
  });

  test("a missing shard, two shards swapped, a shard of another store", async () => {
    await write();
    await write({ ...MIXED, key: "mixed-2" }, { shardRows: 4 }, join(root, "other"));
    await rename(shard(), join(root, "kept"));
    expect(await failure(openAndClose())).toContain("shard-00001.safetensors: this shard is missing");
    await copyFile(join(folder, "shard-00000.safetensors"), shard());
    expect(await failure(openAndClose())).toContain("shard-00001.safetensors: starts with row 0, want 4");
    await copyFile(join(root, "other", "shard-00001.safetensors"), shard());
    expect(await failure(openAndClose())).toContain('belongs to another store (key "mixed-2", want "mixed-1")');
    await rename(join(root, "kept"), shard());
    await openAndClose();
  });

  test("a shard of the same key with other numbers in it", async () => {
    await write();
    await writeRowStore(join(root, "other"), MIXED, source(MIXED, [4], 3).batches, { shardRows: 4 });
    await copyFile(join(root, "other", "shard-00001.safetensors"), shard());
    expect(await failure(openAndClose())).toContain("shard-00001.safetensors: not the shard that was written");
  });

  test("any flipped bit of the manifest changes nothing or is refused", async () => {
    await write();
    const manifest = await readFile(join(folder, "manifest.json"));
    let harmless = 0;
    for (let at = 0; at < manifest.length; at++) {
      const flipped = Buffer.from(manifest);
      flipped[at]! ^= 1 << (at % 7);
      await writeFile(join(folder, "manifest.json"), flipped);
      try {
        const store = await openRowStore(folder);
        expect(store.header).toEqual(MIXED);
        await store.close();
        harmless++;
      } catch (error) {
        expect((error as DescryError).tag, String(error)).toBe("CacheError");
        expect(String(error)).toContain("manifest.json: ");
      }
    }
    // White space for white space.
    expect(harmless).toBeLessThan(manifest.length / 10);
  });

  test("another key, no manifest, no folder", async () => {
    await write();
    expect(await failure(openRowStore(folder, "other"))).toContain(
      'made from something else (key "mixed-1", want "other")',
    );
    expect(await isRowStore(folder, "mixed-1")).toBe(true);
    expect(await isRowStore(folder, "other")).toBe(false);
    await rm(join(folder, "manifest.json"));
    expect(await failure(openRowStore(folder))).toContain("there is no finished row store here — run again");
    expect(await isRowStore(folder, "mixed-1")).toBe(false);
    expect(await isRowStore(join(root, "nothing"), "mixed-1")).toBe(false);
    expect(await failure(openRowStore(join(root, "nothing")))).toContain("no finished row store");
  });
});

describe("writing again", () => {
  test("a whole store is left as it is, and no rows are asked for", async () => {
    await write();
    const before = await contents();
    const { batches, starts } = source(MIXED);
    const done: number[] = [];
    await writeRowStore(folder, MIXED, batches, { shardRows: 4, onRows: (rows) => done.push(rows) });
    expect(starts).toEqual([]);
    expect(done).toEqual([11]);
    expect(await contents()).toEqual(before);
  });

  test("a source that fails leaves its whole shards, and the next run starts after them", async () => {
    await write(MIXED, { shardRows: 4 }, join(root, "want"));
    const failing = async function* () {
      yield rowsOf(MIXED, 0, 9);
      throw new Error("decoder crashed");
    };
    await expect(writeRowStore(folder, MIXED, failing, { shardRows: 4 })).rejects.toThrow("decoder crashed");
    expect((await readdir(folder)).sort()).toEqual(["plan.json", "shard-00000.safetensors", "shard-00001.safetensors"]);
    expect(await isRowStore(folder, MIXED.key)).toBe(false);
    const { batches, starts } = source(MIXED, [3]);
    await writeRowStore(folder, MIXED, batches, { shardRows: 4 });
    expect(starts).toEqual([8]);
    expect(await contents()).toEqual(await contents(join(root, "want")));
  });

  test("from the moment that it is written over, the old store is gone", async () => {
    await write();
    const other = { ...MIXED, key: "mixed-2" };
    const failing = async function* () {
      expect(await isRowStore(folder, MIXED.key)).toBe(false);
      yield rowsOf(other, 0, 4);
      throw new Error("decoder crashed");
    };
    await expect(writeRowStore(folder, other, failing, { shardRows: 4 })).rejects.toThrow("decoder crashed");
    expect(await failure(openRowStore(folder))).toContain("no finished row store");
    expect((await readdir(folder)).sort()).toEqual(["plan.json", "shard-00000.safetensors"]);
  });

  test.each<[string, () => Promise<void>, number]>([
    ["a changed bit in the data of shard 1", () => flip("shard-00001.safetensors", -1), 4],
    ["a cut shard 2", () => truncate(join(folder, "shard-00002.safetensors"), 100), 8],
    ["a missing shard 0", () => rm(join(folder, "shard-00000.safetensors")), 0],
    ["a damaged manifest", () => flip("manifest.json", 30), 11],
    ["temporary files of a killed run", () => writeFile(join(folder, ".shard-00001.safetensors.tmp.7.ab"), "x"), 11],
    [
      "a shard too many",
      () => copyFile(join(folder, "shard-00000.safetensors"), join(folder, "shard-00007.safetensors")),
      11,
    ],
  ])("%s is repaired, and nothing else is made again", async (_, damage, startRow) => {
    await write();
    const before = await contents();
    await damage();
    const { batches, starts } = source(MIXED);
    await writeRowStore(folder, MIXED, batches, { shardRows: 4 });
    expect(starts).toEqual(startRow === 11 ? [] : [startRow]);
    expect(await contents()).toEqual(before);
  });

  async function flip(name: string, at: number): Promise<void> {
    const bytes = await readFile(join(folder, name));
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    await writeFile(join(folder, name), bytes);
  }

  test.each<[string, RowStoreHeader, number]>([
    ["another key", { ...MIXED, key: "mixed-2" }, 4],
    ["other columns under the same key", { ...MIXED, columns: { label: { dtype: "I32", shape: [] } } }, 4],
    ["another size of shards", MIXED, 5],
    ["fewer rows", { ...MIXED, rows: 6 }, 4],
  ])("%s: what lay there is replaced whole", async (_, header, shardRows) => {
    await writeRowStore(join(root, "want"), header, source(header).batches, { shardRows });
    await write();
    await writeRowStore(folder, header, source(header).batches, { shardRows });
    expect(await contents()).toEqual(await contents(join(root, "want")));
    await verifyRowStore(folder, header.key);
  });
});

describe("rows that do not fit are refused", () => {
  const header: RowStoreHeader = {
    key: "k",
    rows: 4,
    columns: { x: { dtype: "F16", shape: [2] }, label: { dtype: "I32", shape: [] } },
    meta: {},
  };
  const x = new Float32Array(8);
  const label = new Int32Array(4);
  test.each<[string, RowBatch, RegExp, string?]>([
    ["a column missing", { x }, /column "label" \(I32\) wants Int32Array, got undefined/],
    ["a column too many", { x, label, y: x }, /the batch has a column "y"; want x, label/],
    ["another type", { x, label: new Float32Array(4) }, /column "label" \(I32\) wants Int32Array, got Float32Array/],
    ["half a row", { x: new Float32Array(7), label }, /column "x" has 7 elements, not whole rows of \[2\]/],
    ["unequal rows", { x, label: new Int32Array(3) }, /column "label" has 3 rows, the one before it 4/],
    ["too many rows", { x: new Float32Array(10), label: new Int32Array(5) }, /more than the 4 rows/],
    ["too few rows", { x: new Float32Array(6), label: new Int32Array(3) }, /ended after 3 of 4/],
    [
      "a number beyond F16",
      { x: new Float32Array(8).fill(65520), label },
      /column "x" has the value 65520; F16/,
      "NumericError",
    ],
  ])("%s", async (_, batch, message, tag = "ShapeError") => {
    const writing = writeRowStore(folder, header, async function* () {
      yield batch;
    });
    expect(await failure(writing, tag)).toMatch(message);
    expect(await readdir(folder)).toEqual(["plan.json"]);
  });

  test.each<[string, Partial<RowStoreHeader>, number, RegExp]>([
    ["rows", { rows: 1.5 }, 4, /want a whole number of rows, got 1\.5/],
    ["shard rows", {}, 0, /want shards of 1 row or more, got 0/],
    ["columns", { columns: {} }, 4, /at least one column/],
    [
      "dtype",
      { columns: { x: { dtype: "F8" as "F16", shape: [] } } },
      4,
      /column "x" is F8; want one of F32, F16, Q8, U8, I32/,
    ],
    ["shape", { columns: { x: { dtype: "F16", shape: [2, 0] } } }, 4, /rows of shape \[2,0\]/],
  ])("header: %s", async (_, change, shardRows, message) => {
    const wrong = { ...header, ...change };
    expect(await failure(writeRowStore(folder, wrong, source(header).batches, { shardRows }), "ShapeError")).toMatch(
      message,
    );
  });

  test("a file where the folder should be: DataError", async () => {
    await writeFile(folder, "x");
    expect(await failure(write(), "DataError")).toContain(`${folder}: cannot make this folder (EEXIST)`);
  });
});
