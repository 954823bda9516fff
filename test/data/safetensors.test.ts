import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Float16Array } from "@petamoriken/float16";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, ShapeError, UnsupportedError } from "../../data/errors.js";
import { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16 } from "../../data/float16.js";
import {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  readSafetensorsHeader,
  type SafeData,
  type SafeDType,
  type SafeTensor,
  toFloat32,
  writeSafetensors,
} from "../../data/safetensors.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file from its parts, by the format's text alone. */
function fileOf(header: unknown, data: readonly number[] | Uint8Array): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(json.length);
  return new Uint8Array(Buffer.concat([prefix, json, Buffer.from(data)]));
}

// Written by the reference implementation: safetensors.numpy.save({"b": float32 [[1.5,-2],[0.25,3]], "a": uint8 [1,2,3],
// "h": float16 [0.5,-1], "s": int64 scalar -5}, metadata={"step": "7"}), safetensors 0.8.0, numpy 2.4.6.
const REFERENCE_FILE =
  "+AAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJzdGVwIjoiNyJ9LCJzIjp7ImR0eXBlIjoiSTY0Iiwic2hhcGUiOltdLCJkYXRhX29mZnNldHMiOlswLDhdfSwiYiI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMiwyXSwiZGF0YV9vZmZzZXRzIjpbOCwyNF19LCJoIjp7ImR0eXBlIjoiRjE2Iiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMjQsMjhdfSwiYSI6eyJkdHlwZSI6IlU4Iiwic2hhcGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbMjgsMzFdfX0gIPv/////////AADAPwAAAMAAAIA+AABAQAA4ALwBAgM=";

const makers: Record<SafeDType, (count: number, random: () => number) => SafeData> = {
  F64: (n, random) => Float64Array.from({ length: n }, () => random() - 0.5),
  F32: (n, random) => Float32Array.from({ length: n }, () => random() - 0.5),
  F16: (n, random) => Uint16Array.from({ length: n }, () => random() * 65536),
  BF16: (n, random) => Uint16Array.from({ length: n }, () => random() * 65536),
  I64: (n, random) => BigInt64Array.from({ length: n }, () => BigInt(Math.floor((random() - 0.5) * 2 ** 50))),
  U64: (n, random) => BigUint64Array.from({ length: n }, () => BigInt(Math.floor(random() * 2 ** 50))),
  I32: (n, random) => Int32Array.from({ length: n }, () => (random() - 0.5) * 2 ** 32),
  U32: (n, random) => Uint32Array.from({ length: n }, () => random() * 2 ** 32),
  I16: (n, random) => Int16Array.from({ length: n }, () => (random() - 0.5) * 65536),
  U16: (n, random) => Uint16Array.from({ length: n }, () => random() * 65536),
  I8: (n, random) => Int8Array.from({ length: n }, () => (random() - 0.5) * 256),
  U8: (n, random) => Uint8Array.from({ length: n }, () => random() * 256),
  BOOL: (n, random) => Uint8Array.from({ length: n }, () => (random() < 0.5 ? 0 : 1)),
};

/** A small generator (Lehmer), so that a failure repeats. */
function seeded(seed: number): () => number {
  let state = seed * 7919 + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

function randomTensors(seed: number): Record<string, SafeTensor> {
  const random = seeded(seed);
  const dtypes = Object.keys(makers) as SafeDType[];
  const tensors: [string, SafeTensor][] = Array.from({ length: Math.floor(random() * 8) }, (_, i) => {
    const dtype = dtypes[Math.floor(random() * dtypes.length)]!;
    const shape = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * 5));
    const data = makers[dtype](
      shape.reduce((product, size) => product * size, 1),
      random,
    );
    return [`block.${i}."näme"\\${Math.floor(random() * 1000)}`, { dtype, shape, data }];
  });
  return Object.fromEntries(tensors);
}

describe("round trip", () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))("random names, dtypes and shapes, seed %i", async (seed) => {
    const tensors = randomTensors(seed);
    const metadata: Record<string, string> = seed % 2 === 0 ? { step: "3", note: 'ä "x"\n' } : {};
    const bytes = encodeSafetensors(tensors, metadata);
    expect(decodeSafetensors(bytes, "memory")).toEqual({ tensors, metadata });

    const odd = new Uint8Array(bytes.length + 1);
    odd.set(bytes, 1);
    expect(decodeSafetensors(odd.subarray(1), "unaligned")).toEqual({ tensors, metadata });

    const path = join(folder, `round-${seed}.safetensors`);
    await writeSafetensors(path, tensors, metadata);
    expect(new Uint8Array(await readFile(path))).toEqual(bytes);
    expect(await readSafetensors(path)).toEqual({ tensors, metadata });
  });

  test("the bytes do not depend on the order of keys", () => {
    const a: SafeTensor = { dtype: "F32", shape: [1], data: new Float32Array([1]) };
    const b: SafeTensor = { dtype: "F64", shape: [], data: new Float64Array([2]) };
    expect(encodeSafetensors({ a, b }, { x: "1", y: "2" })).toEqual(encodeSafetensors({ b, a }, { y: "2", x: "1" }));
  });

  test("tensors called __proto__ and 0 survive", () => {
    const tensor: SafeTensor = { dtype: "U8", shape: [1], data: new Uint8Array([9]) };
    const tensors = Object.fromEntries([
      ["__proto__", tensor],
      ["0", tensor],
    ]);
    const { tensors: back } = decodeSafetensors(encodeSafetensors(tensors), "memory");
    expect(Object.keys(back).sort()).toEqual(["0", "__proto__"]);
    expect(Object.entries(back).map(([, { data }]) => data[0])).toEqual([9, 9]);
  });

  test("aligned tensors are views, not copies", () => {
    const bytes = encodeSafetensors({ a: { dtype: "F32", shape: [2], data: new Float32Array([1, 2]) } });
    expect(decodeSafetensors(bytes, "memory").tensors.a!.data.buffer).toBe(bytes.buffer);
  });

  test("reads only the tensors asked for", async () => {
    const path = join(folder, "only.safetensors");
    await writeSafetensors(path, {
      a: { dtype: "F32", shape: [2], data: new Float32Array([1, 2]) },
      b: { dtype: "U8", shape: [1], data: new Uint8Array([3]) },
    });
    const { tensors } = await readSafetensors(path, ["b"]);
    expect(tensors).toEqual({ b: { dtype: "U8", shape: [1], data: new Uint8Array([3]) } });
    await expect(readSafetensors(path, ["c"])).rejects.toThrow(/only\.safetensors: there is no tensor "c"/);
  });
});

describe("against the reference implementation", () => {
  test("reads its file", () => {
    const { tensors, metadata } = decodeSafetensors(Buffer.from(REFERENCE_FILE, "base64"), "reference");
    expect(metadata).toEqual({ step: "7" });
    expect(tensors).toEqual({
      a: { dtype: "U8", shape: [3], data: new Uint8Array([1, 2, 3]) },
      b: { dtype: "F32", shape: [2, 2], data: new Float32Array([1.5, -2, 0.25, 3]) },
      h: { dtype: "F16", shape: [2], data: new Uint16Array([0x3800, 0xbc00]) },
      s: { dtype: "I64", shape: [], data: new BigInt64Array([-5n]) },
    });
  });

  test("writes the same file, byte for byte", () => {
    const { tensors, metadata } = decodeSafetensors(Buffer.from(REFERENCE_FILE, "base64"), "reference");
    expect(Buffer.from(encodeSafetensors(tensors, metadata)).toString("base64")).toBe(REFERENCE_FILE);
  });

  const golden = join(import.meta.dirname, "../../../shared/golden/sit.safetensors");
  test.skipIf(!existsSync(golden))("reads the golden file (skipped where shared/golden is absent)", async () => {
    const { tensors } = await readSafetensors(golden);
    const header = await readSafetensorsHeader(golden);
    expect(Object.keys(tensors).length).toBeGreaterThan(10);
    for (const [key, { shape, data }] of Object.entries(tensors)) {
      expect(shape).toEqual(header.tensors[key]!.shape);
      expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
    }
  });
});

describe("a file written by hand", () => {
  const header = { x: { dtype: "F32", shape: [1, 2], data_offsets: [0, 8] } };

  test("is read, also with spaces around and an odd length of the header", () => {
    const bytes = fileOf(`${JSON.stringify(header)}   `, [0, 0, 128, 63, 0, 0, 0, 192]);
    expect(decodeSafetensors(bytes, "hand").tensors.x).toEqual({
      dtype: "F32",
      shape: [1, 2],
      data: new Float32Array([1, -2]),
    });
  });

  const damaged: [string, Uint8Array, RegExp][] = [
    ["nothing", new Uint8Array(0), /only 0 bytes long/],
    ["7 bytes", new Uint8Array(7), /only 7 bytes long/],
    ["an empty header", fileOf("", []), /not JSON/],
    ["a header of 2^60 bytes", new Uint8Array([0, 0, 0, 0, 0, 0, 0, 16]), /more than 100000000/],
    [
      "a header longer than the file",
      new Uint8Array([3, 0, 0, 0, 0, 0, 0, 0, 123, 125]),
      /header ends at byte 11, the file at 10/,
    ],
    ["no JSON", fileOf("{x", []), /not JSON/],
    ["no UTF-8", new Uint8Array([4, 0, 0, 0, 0, 0, 0, 0, 123, 255, 34, 125]), /not JSON/],
    ["a byte order mark", fileOf(`\uFEFF${JSON.stringify({})}`, []), /not JSON/],
    ["a list as header", fileOf("[]", []), /not a JSON object/],
    ["bytes after the data", fileOf(header, new Uint8Array(9)), /bytes, want/],
    ["too few bytes", fileOf(header, new Uint8Array(7)), /bytes, want/],
    ["a hole", fileOf({ x: { dtype: "U8", shape: [1], data_offsets: [1, 2] } }, [0, 0]), /leaves a hole/],
    [
      "an overlap",
      fileOf(
        { x: { dtype: "U8", shape: [2], data_offsets: [0, 2] }, y: { dtype: "U8", shape: [2], data_offsets: [1, 3] } },
        [0, 0, 0],
      ),
      /"y" starts at byte 1 of the data, want 2 \(it overlaps/,
    ],
    [
      "a wrong size",
      fileOf({ x: { dtype: "F32", shape: [2], data_offsets: [0, 4] } }, [0, 0, 0, 0]),
      /has 4 bytes, want 8/,
    ],
    [
      "offsets turned round",
      fileOf({ x: { dtype: "U8", shape: [1], data_offsets: [1, 0] } }, [0]),
      /has -1 bytes, want 1/,
    ],
    ["a negative size", fileOf({ x: { dtype: "U8", shape: [-1, -1], data_offsets: [0, 1] } }, [0]), /no shape/],
    ["a fractional size", fileOf({ x: { dtype: "F32", shape: [0.25], data_offsets: [0, 1] } }, [0]), /no shape/],
    [
      "a shape beyond 2^53",
      fileOf({ x: { dtype: "U8", shape: [2 ** 40, 2 ** 40], data_offsets: [0, 1] } }, [0]),
      /has 1 bytes/,
    ],
    ["no offsets", fileOf({ x: { dtype: "U8", shape: [1] } }, [0]), /no pair of data_offsets/],
    [
      "three offsets",
      fileOf({ x: { dtype: "U8", shape: [1], data_offsets: [0, 1, 1] } }, [0]),
      /no pair of data_offsets/,
    ],
    ["no dtype", fileOf({ x: { shape: [1], data_offsets: [0, 1] } }, [0]), /no dtype/],
    [
      "an unknown field",
      fileOf({ x: { dtype: "U8", shape: [1], data_offsets: [0, 1], z: 1 } }, [0]),
      /unknown field "z"/,
    ],
    ["a tensor that is a number", fileOf({ x: 1 }, []), /"x" in the header is not an object/],
    ["metadata that is no text", fileOf({ __metadata__: { step: 1 } }, []), /metadata "step" is not a text/],
    [
      "a name twice",
      fileOf(
        '{"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0078" : {"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        [],
      ),
      /key "x" twice/,
    ],
    [
      "a field twice",
      fileOf('{"x":{"dtype":"U8","shape":[1],"shape":[0],"data_offsets":[0,0]}}', []),
      /key "shape" twice/,
    ],
  ];
  test.each(damaged)("with %s is refused by name", (_, bytes, message) => {
    const decode = () => decodeSafetensors(bytes, "runs/a.safetensors");
    expect(decode).toThrow(DataError);
    expect(decode).toThrow(message);
    expect(decode).toThrow(/^runs\/a\.safetensors: /);
  });

  test("with a dtype that we have not is refused as unsupported", () => {
    const bytes = fileOf({ x: { dtype: "C64", shape: [], data_offsets: [0, 8] } }, new Uint8Array(8));
    expect(() => decodeSafetensors(bytes, "a")).toThrow(UnsupportedError);
    const proto = fileOf({ x: { dtype: "constructor", shape: [], data_offsets: [0, 8] } }, new Uint8Array(8));
    expect(() => decodeSafetensors(proto, "a")).toThrow(/dtype "constructor"; supported: F64, F32/);
  });

  test("a brace or a colon inside a name is no structure", () => {
    const entry = { dtype: "U8", shape: [0], data_offsets: [0, 0] };
    const tensors = decodeSafetensors(fileOf({ '}":{': entry, '}\\":{': entry, "a:": entry }, []), "a").tensors;
    expect(Object.keys(tensors)).toEqual(['}":{', '}\\":{', "a:"]);
  });
});

describe("truncation and flipped bytes", () => {
  const bytes = encodeSafetensors(
    {
      a: { dtype: "F32", shape: [3], data: new Float32Array([1, 2, 3]) },
      b: { dtype: "U8", shape: [5], data: new Uint8Array(5) },
    },
    { key: "k" },
  );

  test("every shorter file is refused, in memory and on disk", async () => {
    const path = join(folder, "cut.safetensors");
    await writeFile(path, bytes);
    for (let length = bytes.length - 1; length >= 0; length--) {
      expect(() => decodeSafetensors(bytes.slice(0, length), "cut")).toThrow(DataError);
      await truncate(path, length);
      await expect(readSafetensors(path)).rejects.toThrow(DataError);
      await expect(readSafetensorsHeader(path)).rejects.toThrow(/cut\.safetensors: /);
    }
  });

  test("a flipped bit in the header never crashes the reader: a user error, or another valid header", () => {
    const headerBytes = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
    for (let at = 0; at < headerBytes; at++) {
      for (const bit of [1, 8, 64]) {
        const flipped = bytes.slice();
        flipped[at]! ^= bit;
        try {
          decodeSafetensors(flipped, "flipped");
        } catch (error) {
          expect(error instanceof DataError || error instanceof UnsupportedError, String(error)).toBe(true);
        }
      }
    }
  });

  test("a missing file is a DataError that names it", async () => {
    const read = readSafetensors(join(folder, "none.safetensors"));
    await expect(read).rejects.toThrow(DataError);
    await expect(read).rejects.toThrow(/none\.safetensors: cannot read \(ENOENT\)/);
  });
});

describe("writing refuses what does not fit", () => {
  test.each<[string, SafeTensor, RegExp]>([
    ["length", { dtype: "F32", shape: [2], data: new Float32Array(3) }, /"x" \[2\] wants 2 elements, got 3/],
    [
      "array type",
      { dtype: "F32", shape: [2], data: new Float64Array(2) },
      /"x" is F32: want Float32Array, got Float64Array/,
    ],
    ["half floats as floats", { dtype: "F16", shape: [2], data: new Float32Array(2) }, /want Uint16Array/],
    ["sizes", { dtype: "U8", shape: [-1, -2], data: new Uint8Array(2) }, /want whole numbers/],
  ])("%s", (_, x, message) => {
    expect(() => encodeSafetensors({ x })).toThrow(ShapeError);
    expect(() => encodeSafetensors({ x })).toThrow(message);
  });

  test("the name of the metadata", () => {
    const tensor: SafeTensor = { dtype: "U8", shape: [0], data: new Uint8Array(0) };
    expect(() => encodeSafetensors({ __metadata__: tensor })).toThrow(ShapeError);
  });

  test("a Buffer is good for U8", () => {
    const bytes = encodeSafetensors({ x: { dtype: "U8", shape: [2], data: Buffer.from([1, 2]) } });
    expect([...decodeSafetensors(bytes, "a").tensors.x!.data]).toEqual([1, 2]);
  });
});

describe("half and brain floats", () => {
  test("every half float decodes as the library says, and encodes back to its bits", () => {
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const values = float16ToFloat32(bits);
    expect(values).toEqual(Float32Array.from(new Float16Array(bits.buffer)));
    const back = float32ToFloat16(values);
    const wrong = bits.filter((want, i) => !Number.isNaN(values[i]) && back[i] !== want);
    expect(wrong).toEqual(new Uint16Array(0));
    expect(float16ToFloat32(float32ToFloat16(new Float32Array([Number.NaN])))[0]).toBeNaN();
  });

  test("rounding is the library's: random bits, every tie between two halves and its neighbours", () => {
    const random = seeded(5);
    const ties = Array.from({ length: 0x7c00 }, (_, i) => {
      const [low, high] = float16ToFloat32(new Uint16Array([i, i + 1])) as unknown as [number, number];
      const tie = Number.isFinite(high) ? (low + high) / 2 : 65520;
      return [tie, -tie, tie * (1 + 2 ** -23), tie * (1 - 2 ** -23)];
    }).flat();
    const bits = Uint32Array.from({ length: 50_000 }, () => random() * 2 ** 32);
    for (const values of [new Float32Array(ties), new Float32Array(bits.buffer).filter((x) => !Number.isNaN(x))]) {
      expect(float32ToFloat16(values)).toEqual(new Uint16Array(new Float16Array(values).buffer));
    }
  });

  test("brain floats are the upper half of a float32", () => {
    expect([...bfloat16ToFloat32(new Uint16Array([0x3f80, 0xc020, 0x7f80, 0x0000]))]).toEqual([1, -2.5, Infinity, 0]);
  });
});

describe("toFloat32", () => {
  test.each<[SafeDType, SafeData, number[]]>([
    ["F64", new Float64Array([0.1, -2]), [Math.fround(0.1), -2]],
    ["F16", new Uint16Array([0x3c00, 0xfbff]), [1, -65504]],
    ["BF16", new Uint16Array([0x3f80, 0xbf80]), [1, -1]],
    ["I64", new BigInt64Array([-5n, 2n ** 40n]), [-5, 2 ** 40]],
    ["U64", new BigUint64Array([5n, 2n ** 63n]), [5, 2 ** 63]],
    ["I32", new Int32Array([-7, 8]), [-7, 8]],
    ["U32", new Uint32Array([7, 2 ** 31]), [7, 2 ** 31]],
    ["I16", new Int16Array([-7, 8]), [-7, 8]],
    ["U16", new Uint16Array([0x3c00, 8]), [0x3c00, 8]],
    ["I8", new Int8Array([-7, 8]), [-7, 8]],
    ["U8", new Uint8Array([255, 8]), [255, 8]],
    ["BOOL", new Uint8Array([1, 0]), [1, 0]],
  ])("%s", (dtype, data, want) => {
    expect(toFloat32({ dtype, shape: [2], data })).toEqual(new Float32Array(want));
  });

  test("F32 comes back as it is, not copied", () => {
    const data = new Float32Array([1]);
    expect(toFloat32({ dtype: "F32", shape: [1], data })).toBe(data);
  });
});
