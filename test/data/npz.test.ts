import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError, ShapeError, UnsupportedError } from "../../data/errors.js";
import { decodeNpy, encodeNpy, type NpyArray, type NpyData, type NpyInput, readNpz } from "../../data/npz.js";
import { writeNpz } from "../../data/write-npz.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-npz-"));
});
afterAll(() => rm(folder, { recursive: true }));

// Written by numpy 2.4.6: numpy.savez and numpy.savez_compressed of
//   arr_0=(arange(12,'u1')*3).reshape(2,3,2)  f=array([[1.5,-2.25],[inf,0.1]],'<f4')  h=array([1.5,-0.0,65504],'<f2')
//   i=array([-2**40,7],'<i8')  b=array([True,False,True])  s=float64(3.5)
const NUMPY_STORED =
  "UEsDBC0AAAAAAAAAIQBGov9S//////////8JABQAYXJyXzAubnB5AQAQAIwAAAAAAAAAjAAAAAAAAACTTlVNUFkBAHYAeydkZXNjcic6ICd8dTEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMywgMiksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgCgADBgkMDxIVGBseIVBLAwQtAAAAAAAAACEAjOgRKf//////////BQAUAGYubnB5AQAQAJAAAAAAAAAAkAAAAAAAAACTTlVNUFkBAHYAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMiksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgCgAAwD8AABDAAACAf83MzD1QSwMELQAAAAAAAAAhACiV97H//////////wUAFABoLm5weQEAEACGAAAAAAAAAIYAAAAAAAAAk05VTVBZAQB2AHsnZGVzY3InOiAnPGYyJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAPgCA/3tQSwMELQAAAAAAAAAhAAwrp73//////////wUAFABpLm5weQEAEACQAAAAAAAAAJAAAAAAAAAAk05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAP///wcAAAAAAAAAUEsDBC0AAAAAAAAAIQAWk4y7//////////8FABQAYi5ucHkBABAAgwAAAAAAAACDAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3xiMScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgzLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAQABUEsDBC0AAAAAAAAAIQA9PuNb//////////8FABQAcy5ucHkBABAAiAAAAAAAAACIAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmOCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAAAAAAADEBQSwECLQMtAAAAAAAAACEARqL/UowAAACMAAAACQAAAAAAAAAAAAAAgAEAAAAAYXJyXzAubnB5UEsBAi0DLQAAAAAAAAAhAIzoESmQAAAAkAAAAAUAAAAAAAAAAAAAAIABxwAAAGYubnB5UEsBAi0DLQAAAAAAAAAhACiV97GGAAAAhgAAAAUAAAAAAAAAAAAAAIABjgEAAGgubnB5UEsBAi0DLQAAAAAAAAAhAAwrp72QAAAAkAAAAAUAAAAAAAAAAAAAAIABSwIAAGkubnB5UEsBAi0DLQAAAAAAAAAhABaTjLuDAAAAgwAAAAUAAAAAAAAAAAAAAIABEgMAAGIubnB5UEsBAi0DLQAAAAAAAAAhAD0+41uIAAAAiAAAAAUAAAAAAAAAAAAAAIABzAMAAHMubnB5UEsFBgAAAAAGAAYANgEAAIsEAAAAAA==";
const NUMPY_DEFLATED =
  "UEsDBC0AAAAIAAAAIQBGov9S//////////8JABQAYXJyXzAubnB5AQAQAIwAAAAAAAAAVQAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBeU2qorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOgrGOgpGmjoKtQrkAS4GZjZOHn4hUQlpOUUAUEsDBC0AAAAIAAAAIQCM6BEp//////////8FABQAZi5ucHkBABAAkAAAAAAAAABXAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CkaaOgq1CmQDLgaGA/YMDAIHGBga6s+eOWMLAFBLAwQtAAAACAAAACEAKJX3sf//////////BQAUAGgubnB5AQAQAIYAAAAAAAAASgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2akrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrGOpo6CrUKFAAuBjuGhv/VAFBLAwQtAAAACAAAACEADCunvf//////////BQAUAGkubnB5AQAQAJAAAAAAAAAATgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUKFAAuBhD4//8/OwMEAABQSwMELQAAAAgAAAAhABaTjLv//////////wUAFABiLm5weQEAEACDAAAAAAAAAEcAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgXpNkqK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaxjqaOgq1ChQALkYGRgBQSwMELQAAAAgAAAAhAD0+41v//////////wUAFABzLm5weQEAEACIAAAAAAAAAEcAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoa6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkamjoKtQoUAS4GMOBxAABQSwECLQMtAAAACAAAACEARqL/UlUAAACMAAAACQAAAAAAAAAAAAAAgAEAAAAAYXJyXzAubnB5UEsBAi0DLQAAAAgAAAAhAIzoESlXAAAAkAAAAAUAAAAAAAAAAAAAAIABkAAAAGYubnB5UEsBAi0DLQAAAAgAAAAhACiV97FKAAAAhgAAAAUAAAAAAAAAAAAAAIABHgEAAGgubnB5UEsBAi0DLQAAAAgAAAAhAAwrp71OAAAAkAAAAAUAAAAAAAAAAAAAAIABnwEAAGkubnB5UEsBAi0DLQAAAAgAAAAhABaTjLtHAAAAgwAAAAUAAAAAAAAAAAAAAIABJAIAAGIubnB5UEsBAi0DLQAAAAgAAAAhAD0+41tHAAAAiAAAAAUAAAAAAAAAAAAAAIABogIAAHMubnB5UEsFBgAAAAAGAAYANgEAACADAAAAAA==";
const NUMPY_ARRAYS: Record<string, NpyArray> = {
  arr_0: { dtype: "|u1", shape: [2, 3, 2], data: new Uint8Array([0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33]) },
  f: { dtype: "<f4", shape: [2, 2], data: new Float32Array([1.5, -2.25, Infinity, 0.1]) },
  h: { dtype: "<f2", shape: [3], data: new Uint16Array([0x3e00, 0x8000, 0x7bff]) },
  i: { dtype: "<i8", shape: [2], data: new BigInt64Array([-(2n ** 40n), 7n]) },
  b: { dtype: "|b1", shape: [3], data: new Uint8Array([1, 0, 1]) },
  s: { dtype: "<f8", shape: [], data: new Float64Array([3.5]) },
};

/** An npy file from its header, by the format's text alone. */
function npyOf(dict: string, data: readonly number[], version = 1): Uint8Array {
  const text = Buffer.from(`${dict}\n`, "utf8");
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUIntLE(text.length, 0, length.length);
  return new Uint8Array(
    Buffer.concat([
      Buffer.from([0x93]),
      Buffer.from(`NUMPY`),
      Buffer.from([version, 0]),
      length,
      text,
      Buffer.from(data),
    ]),
  );
}

describe("npy", () => {
  const arrays: [NpyArray["dtype"], NpyData][] = [
    ["|u1", new Uint8Array([0, 1, 2, 3, 4, 255])],
    ["|b1", new Uint8Array([0, 1, 1, 0, 0, 1])],
    ["|i1", new Int8Array([0, -1, 2, -3, 4, -128])],
    ["<u2", new Uint16Array([0, 1, 2, 3, 4, 65535])],
    ["<f2", new Uint16Array([0, 1, 2, 3, 4, 0xfc00])],
    ["<i2", new Int16Array([0, -1, 2, -3, 4, -32768])],
    ["<u4", new Uint32Array([0, 1, 2, 3, 4, 2 ** 32 - 1])],
    ["<i4", new Int32Array([0, -1, 2, -3, 4, -(2 ** 31)])],
    ["<u8", new BigUint64Array([0n, 1n, 2n, 3n, 4n, 2n ** 64n - 1n])],
    ["<i8", new BigInt64Array([0n, -1n, 2n, -3n, 4n, -(2n ** 63n)])],
    ["<f4", new Float32Array([0, 0.1, -Infinity, Number.NaN, 1e-40, 3e38])],
    ["<f8", new Float64Array([0, 0.1, -Infinity, Number.NaN, 5e-324, 1e308])],
  ];

  test.each(arrays)("%s survives a round trip in every shape of six elements, aligned or not", (dtype, data) => {
    for (const shape of [[6], [2, 3], [3, 2, 1], [1, 1, 6, 1]]) {
      const bytes = encodeNpy({ dtype, shape, data });
      expect(bytes.length % 64).toBe(data.byteLength % 64);
      expect(decodeNpy(bytes, "a")).toEqual({ dtype, shape, data });
      const odd = new Uint8Array(bytes.length + 3);
      odd.set(bytes, 3);
      expect(decodeNpy(odd.subarray(3), "a")).toEqual({ dtype, shape, data });
    }
  });

  test("scalars, empty arrays, and the dtype that a typed array stands for", () => {
    expect(decodeNpy(encodeNpy({ shape: [], data: new Float32Array([7]) }), "a")).toEqual({
      dtype: "<f4",
      shape: [],
      data: new Float32Array([7]),
    });
    expect(decodeNpy(encodeNpy({ shape: [0, 3], data: new Uint8Array(0) }), "a").shape).toEqual([0, 3]);
    expect(decodeNpy(encodeNpy({ shape: [1], data: new Uint16Array(1) }), "a").dtype).toBe("<u2");
    expect(decodeNpy(encodeNpy({ shape: [1], data: Buffer.from([5]) }), "a").dtype).toBe("|u1");
  });

  test.each([1, 2, 3])("version %i with keys in another order and old long integers is read", (version) => {
    const bytes = npyOf("{'shape':(2L, 1L), 'fortran_order':False,'descr' : '<i2'}", [1, 0, 255, 255], version);
    expect(decodeNpy(bytes, "a")).toEqual({ dtype: "<i2", shape: [2, 1], data: new Int16Array([1, -1]) });
  });

  const header = (descr: string, order: string, shape: string) =>
    `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;
  test.each<[string, string, RegExp]>([
    [
      "Fortran order",
      header("'<f4'", "True", "(2, 3)"),
      /array \[2,3\] is in Fortran order; want C order — save numpy\.ascont/,
    ],
    ["big-endian", header("'>f4'", "False", "(1,)"), /dtype >f4; supported: \|u1 .* — convert the array/],
    ["objects", header("'|O'", "False", "(1,)"), /dtype \|O; supported/],
    ["records", header("[('a', '<f4')]", "False", "(1,)"), /dtype a record; supported/],
  ])("%s: UnsupportedError", (_, dict, message) => {
    const decode = () => decodeNpy(npyOf(dict, [0, 0, 0, 0]), "a.npy");
    expect(decode).toThrow(UnsupportedError);
    expect(decode).toThrow(message);
  });

  test("one dimension is the same in both orders", () => {
    expect(decodeNpy(npyOf(header("'|u1'", "True", "(2,)"), [1, 2]), "a").shape).toEqual([2]);
  });

  test("every shorter or longer file is refused", () => {
    const bytes = encodeNpy({ shape: [2, 3], data: new Float32Array(6) });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeNpy(bytes.slice(0, length), "cut.npy")).toThrow(DataError);
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(() => decodeNpy(longer, "long.npy")).toThrow(/long\.npy: array <f4 \[2,3\] has 25 bytes, want 24/);
  });

  test.each<[string, NpyInput, RegExp]>([
    ["another length", { shape: [2], data: new Uint8Array(3) }, /"array" \[2\] wants 2 elements, got 3/],
    [
      "another type",
      { dtype: "<f2", shape: [2], data: new Float32Array(2) },
      /want Uint16Array for <f2, got Float32Array/,
    ],
    ["a size below 0", { shape: [-1], data: new Uint8Array(1) }, /want whole numbers/],
  ])("%s is not written", (_, input, message) => {
    expect(() => encodeNpy(input)).toThrow(ShapeError);
    expect(() => encodeNpy(input)).toThrow(message);
  });
});

describe("npz", () => {
  test.each([
    ["savez", NUMPY_STORED],
    ["savez_compressed", NUMPY_DEFLATED],
  ])("reads what numpy.%s wrote", async (name, base64) => {
    const path = join(folder, `${name}.npz`);
    await writeFile(path, Buffer.from(base64, "base64"));
    expect(await readNpz(path)).toEqual(NUMPY_ARRAYS);
    expect(Object.keys(await readNpz(path, ["h", "f"]))).toEqual(["f", "h"]);
    await expect(readNpz(path, ["nothing"])).rejects.toThrow(/there is no array "nothing"/);
  });

  test("round trip; the same arrays give the same bytes at any time", async () => {
    const [first, second] = [join(folder, "1.npz"), join(folder, "2.npz")];
    await writeNpz(first, NUMPY_ARRAYS);
    expect(await readNpz(first)).toEqual(NUMPY_ARRAYS);
    await writeNpz(second, NUMPY_ARRAYS);
    expect(await readFile(second)).toEqual(await readFile(first));
    await writeNpz(first, {});
    expect(await readNpz(first)).toEqual({});
    expect((await readdir(folder)).filter((name) => name.includes(".tmp."))).toEqual([]);
  });

  test("an archive with a comment and zip64 fields is read", async () => {
    // The directory entry gets its three 32-bit fields as ones and their values in an extra field, and the end of the
    // directory a zip64 record and locator (APPNOTE 4.3.14, 4.3.15, 4.5.3), as Python writes them for large files.
    const path = join(folder, "zip64.npz");
    await writeNpz(path, { x: { shape: [3], data: new Uint8Array([1, 2, 3]) } });
    const plain = await readFile(path);
    const end = plain.length - 22;
    const offset = plain.readUInt32LE(end + 16);
    const entry = Buffer.from(plain.subarray(offset, end));
    const extra = Buffer.alloc(28);
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    extra.writeBigUInt64LE(BigInt(entry.readUInt32LE(24)), 4);
    extra.writeBigUInt64LE(BigInt(entry.readUInt32LE(20)), 12);
    extra.writeBigUInt64LE(BigInt(entry.readUInt32LE(42)), 20);
    for (const at of [20, 24, 42]) entry.writeUInt32LE(0xffffffff, at);
    entry.writeUInt16LE(extra.length, 30);
    const directory = Buffer.concat([entry, extra]);
    const record = Buffer.alloc(56);
    record.writeUInt32LE(0x06064b50, 0);
    record.writeBigUInt64LE(44n, 4);
    record.writeBigUInt64LE(1n, 24);
    record.writeBigUInt64LE(1n, 32);
    record.writeBigUInt64LE(BigInt(directory.length), 40);
    record.writeBigUInt64LE(BigInt(offset), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(offset + directory.length), 8);
    const tail = Buffer.concat([plain.subarray(end), Buffer.from("hello")]);
    tail.fill(0xff, 8, 20);
    tail.writeUInt16LE(5, 20);
    await writeFile(path, Buffer.concat([plain.subarray(0, offset), directory, record, locator, tail]));
    expect(await readNpz(path)).toEqual({ x: { dtype: "|u1", shape: [3], data: new Uint8Array([1, 2, 3]) } });
  });

  test.each([
    ["stored", NUMPY_STORED],
    ["deflated", NUMPY_DEFLATED],
  ])("%s: every shorter file is refused, a flipped byte is refused or harmless", async (kind, base64) => {
    const path = join(folder, `damaged-${kind}.npz`);
    const bytes = Buffer.from(base64, "base64");
    for (let length = 0; length < bytes.length; length += length < bytes.length - 40 ? 37 : 1) {
      await writeFile(path, bytes.subarray(0, length));
      await expect(readNpz(path)).rejects.toThrow(DataError);
    }
    for (let at = 0; at < bytes.length; at += 5) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 0x10;
      await writeFile(path, flipped);
      try {
        // Dates, versions and other fields that nobody reads may change, and a name; the numbers may not.
        expect(Object.values(await readNpz(path))).toEqual(Object.values(NUMPY_ARRAYS));
      } catch (error) {
        expect(error instanceof DataError || error instanceof UnsupportedError, `byte ${at}: ${error}`).toBe(true);
      }
    }
  });

  test("a changed pixel does not pass the checksum, and the array is named", async () => {
    const path = join(folder, "pixel.npz");
    await writeNpz(path, { arr_0: { shape: [4], data: new Uint8Array([10, 20, 30, 40]) } });
    const bytes = await readFile(path);
    bytes[bytes.indexOf(Buffer.from([10, 20, 30, 40]))] = 11;
    await writeFile(path, bytes);
    await expect(readNpz(path)).rejects.toThrow(/pixel\.npz: arr_0\.npy: the checksum does not fit/);
  });

  test("a missing file and a file that is no zip are DataErrors that name it", async () => {
    await expect(readNpz(join(folder, "none.npz"))).rejects.toThrow(/none\.npz: cannot read \(ENOENT\)/);
    await writeFile(join(folder, "text.npz"), "this is a text, not a zip archive, and long enough");
    await expect(readNpz(join(folder, "text.npz"))).rejects.toThrow(/text\.npz: not an npz file/);
  });
});
