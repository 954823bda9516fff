import { mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DataError, ShapeError, UsageError } from "../../data/errors.js";
import { float32ToFloat16 } from "../../data/float16.js";
import type { ImageSource } from "../../data/image-source.js";
import { encodeNpy } from "../../data/npz.js";
import { encodeSafetensors } from "../../data/safetensors.js";
import { cacheFeatures } from "../../features/cache.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import { loadDescriptor } from "../../features/load-descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { maxDifference, randomPicture } from "./images.js";

let folder: string;
let place: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "descry-features-"));
  place = join(folder, "theirs");
  await mkdir(place);
});
afterEach(() => rm(folder, { recursive: true }));

const N = 18; // more than a batch of the cache
const D = 3;
const GRID = 2;
const T = GRID ** 2;

/** Image, token and channel can be read off a value; those of mirrored images are negative. */
const value = (image: number, token: number, channel: number): number => 1 + image * 100 + token * 10 + channel;
const rowOf = (image: number): number[] =>
  Array.from({ length: T * D }, (_, i) => value(image, Math.floor(i / D), i % D));
const tokensOf = (images: readonly number[]): Float32Array => Float32Array.from(images.flatMap(rowOf));
const ALL = Array.from({ length: N }, (_, image) => image);
const npy = (images: readonly number[], sign = 1) =>
  encodeNpy({ shape: [images.length, T, D], data: tokensOf(images).map((x) => sign * x) });

const source = (length = N): ImageSource => ({
  name: "pictures",
  classes: ["a"],
  length,
  fingerprint: `of ${length}`,
  skipped: [],
  id: (index) => `class/${index}.png`,
  label: () => 0,
  load: async (index, sizePx) => randomPicture(index, sizePx, sizePx).pixels,
  close: async () => {},
});

async function cached(
  target = `features:${place}`,
  { flips = false, variants = null as number | null, length = N } = {},
): Promise<Float32Array> {
  const { store } = await cacheFeatures({
    source: source(length),
    target,
    grid: GRID,
    dtype: "F32",
    flips,
    variants,
    cacheFolder: join(folder, "cache"),
  });
  const rows = Array.from({ length: store.header.rows }, (_, row) => row);
  const features = (await store.read("features", rows)) as Float32Array;
  await store.close();
  return features;
}

describe("features of files become a target", () => {
  test("one .npy, named itself or by its folder", async () => {
    await writeFile(join(place, "pe-g.npy"), npy(ALL));
    expect(maxDifference(await cached(), tokensOf(ALL))).toBe(0);
    expect(maxDifference(await cached(`features:${place}/pe-g.npy`), tokensOf(ALL))).toBe(0);
    expect(parseTarget(`features:${place}/`).name).toBe(`features:${place}`);
  });

  test("safetensors shards in the order of their names, half precision, and maps", async () => {
    const shard = (images: readonly number[]) => {
      const map = Float32Array.from({ length: images.length * D * T }, (_, i) => {
        const [image, channel, token] = [Math.floor(i / (D * T)), Math.floor(i / T) % D, i % T];
        return value(images[image]!, token, channel);
      });
      const shape = [images.length, D, GRID, GRID];
      const ids = { dtype: "I32", shape: [images.length], data: Int32Array.from(images) } as const;
      return encodeSafetensors({ ids, features: { dtype: "F16", shape, data: float32ToFloat16(map) } });
    };
    await writeFile(join(place, "b.safetensors"), shard(ALL.slice(7)));
    await writeFile(join(place, "a.safetensors"), shard(ALL.slice(0, 7)));
    expect(maxDifference(await cached(), tokensOf(ALL))).toBeLessThanOrEqual(0.5); // 1,732 in half precision is even
  });

  test("rows are found by ids.txt, in any order, among others", async () => {
    const images = [40, ...ALL.toReversed(), 30];
    await writeFile(join(place, "x.npy"), npy(images));
    await writeFile(join(place, "ids.txt"), `${images.map((image) => `class/${image}.png`).join("\n")}\n`);
    expect(maxDifference(await cached(), tokensOf(ALL))).toBe(0);
    expect(maxDifference(await cached(undefined, { length: 5 }), tokensOf(ALL.slice(0, 5)))).toBe(0);
  });

  test("a name in ids.txt may be the end of an image's id", async () => {
    await writeFile(join(place, "x.npy"), npy(ALL.toReversed()));
    await writeFile(
      join(place, "ids.txt"),
      ALL.map((image) => `${image}.png`)
        .reverse()
        .join("\r\n"),
    );
    expect(maxDifference(await cached(), tokensOf(ALL))).toBe(0);
    const elsewhere = { ...source(2), id: (index: number) => `${index === 0 ? "a" : "b"}/0.png` };
    const target = loadDescriptor(parseTarget(`features:${place}`), { source: elsewhere });
    await expect(target).rejects.toThrow('ids.txt: "0.png" is the end of "a/0.png" and of "b/0.png"');
  });

  test("mirrored images have features of their own", async () => {
    await writeFile(join(place, "features.npy"), npy(ALL));
    await writeFile(join(place, "mirrored.npy"), npy(ALL, -1));
    const want = [...tokensOf(ALL), ...tokensOf(ALL).map((x) => -x)];
    expect(maxDifference(await cached(undefined, { flips: true }), want)).toBe(0);
    expect(maxDifference(await cached(), tokensOf(ALL))).toBe(0);
  });

  test("other grids are resampled, and combinations take them", async () => {
    // A ramp from left to right on 4×4 stays one on 2×2: half-pixel centres are at 0.5 and 2.5.
    const ramp = Float32Array.from({ length: N * 16 }, (_, i) => Math.floor(i / 16) + (i % 4) / 8);
    await writeFile(join(place, "ramp.npy"), encodeNpy({ shape: [N, 16, 1], data: ramp }));
    const features = await cached();
    for (const image of ALL) {
      const tokens = [...features.subarray(image * 4, image * 4 + 4)];
      expect(tokens).toEqual([0.0625, 0.3125, 0.0625, 0.3125].map((x) => image + x));
    }
    const computing = { imageSizePx: 32, grid: GRID, batch: 1 };
    const computer = await openFeatureComputer(parseTarget(`blur2(features:${place})`), computing);
    await computer.dispose();
    expect(computer.note).toBe("4×4 tokens resampled to 2×2 (bilinear)");
    const first = await cached(`pca1(features:${place})`);
    const spread = (values: Float32Array) => Math.max(...values) - Math.min(...values);
    expect(spread(first)).toBeCloseTo(N - 1 + 0.25, 3); // the only channel, centred
  });

  test("files that changed are cached anew", async () => {
    await writeFile(join(place, "x.npy"), npy(ALL));
    await cached();
    await writeFile(join(place, "x.npy"), npy(ALL, 2));
    expect((await cached())[0]).toBe(2);
  });
});

describe("is refused in one line:", () => {
  const failing = async (write: () => Promise<unknown>, type: new (...args: never[]) => Error, message: RegExp) => {
    await write();
    const error: unknown = await cached().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain("\n");
  };
  const write = (name: string, data: Uint8Array | string) => () => writeFile(join(place, name), data);

  test("no folder", async () => {
    await failing(() => rm(place, { recursive: true }), DataError, /theirs: cannot read \(ENOENT\).*no such file/);
  });
  test("an empty folder", () => failing(async () => {}, DataError, /holds no \.safetensors and no \.npy/));
  test("a file of another kind", async () => {
    await writeFile(join(place, "x.pt"), "");
    await expect(cached(`features:${place}/x.pt`)).rejects.toThrow(/wanted a folder, or a file/);
  });
  test("both kinds", () =>
    failing(
      async () => {
        await writeFile(join(place, "x.npy"), npy(ALL));
        await writeFile(join(place, "x.safetensors"), "");
      },
      DataError,
      /one kind is wanted/,
    ));
  test("too few rows", () =>
    failing(
      write("x.npy", npy(ALL.slice(1))),
      DataError,
      /features of 17 images, but pictures has 18 here — wanted one row an image.*ids\.txt/,
    ));
  test("a rank that is none", () =>
    failing(
      write("x.npy", encodeNpy({ shape: [N, D], data: new Float32Array(N * D) })),
      ShapeError,
      /should be tokens \[n, T, D\] or a map/,
    ));
  test("tokens that make no square", () =>
    failing(
      write("x.npy", encodeNpy({ shape: [N, 5, 1], data: new Float32Array(N * 5) })),
      ShapeError,
      /5 tokens of \[n, 5, 1\] make no square/,
    ));
  test("integers", () =>
    failing(
      write("x.npy", encodeNpy({ shape: [N, T, 1], data: new Int32Array(N * T) })),
      DataError,
      /wanted floats of 16, 32 or 64 bits, got <i4/,
    ));
  test("a file that was cut", () =>
    failing(
      async () => {
        await writeFile(join(place, "x.npy"), npy(ALL));
        await truncate(join(place, "x.npy"), 500);
      },
      DataError,
      /x\.npy: array <f4 \[18,4,3\] has 372 bytes, want 864/,
    ));
  test("shards of several shapes", () =>
    failing(
      async () => {
        await writeFile(join(place, "x.npy"), npy(ALL));
        await writeFile(join(place, "y.npy"), encodeNpy({ shape: [1, T, 2], data: new Float32Array(8) }));
      },
      DataError,
      /y\.npy: rows of \[4,2\], but those of .*x\.npy are of \[4,3\]/,
    ));
  test("tensors without a name to go by", () => {
    const tensor = { dtype: "F32", shape: [1, 1, 1], data: new Float32Array(1) } as const;
    return failing(
      write("x.safetensors", encodeSafetensors({ a: tensor, b: tensor })),
      DataError,
      /wanted a tensor "features", there are: a, b/,
    );
  });
  test("ids that are not one a row, or not of these images", async () => {
    await writeFile(join(place, "x.npy"), npy(ALL));
    await failing(write("ids.txt", "a\nb\n"), DataError, /ids\.txt: has 2 lines, but there are features of 18 images/);
    const other = ALL.map((image) => `other/${image}.png`).join("\n");
    const message = /lacks 18 of 18 images of pictures, such as "class\/0\.png" — its first line is "other\/0\.png"/;
    await failing(write("ids.txt", other), DataError, message);
    await failing(write("ids.txt", ALL.map(() => "same").join("\n")), DataError, /names "same" twice/);
  });
  test("not-a-number", () => {
    const data = tokensOf(ALL);
    data[3 * T * D + 1] = Number.NaN;
    return failing(
      write("x.npy", encodeNpy({ shape: [N, T, D], data })),
      DataError,
      /row 3 holds numbers that are not/,
    );
  });
  test("mirrored images without features", async () => {
    await writeFile(join(place, "x.npy"), npy(ALL));
    const message = /has no features of the mirrored images — data\.flips=false/;
    await expect(cached(undefined, { flips: true })).rejects.toThrow(message);
    await expect(cached(undefined, { variants: 2 })).rejects.toThrow(
      /has no features of random crops.*data\.variants=2/,
    );
  });
  test("no place, and images of no data set", async () => {
    expect(() => parseTarget("features")).toThrow(UsageError);
    await writeFile(join(place, "x.npy"), npy(ALL));
    const computing = { imageSizePx: 32, grid: GRID, batch: 1 };
    const computer = await openFeatureComputer(parseTarget(`features:${place}`), computing);
    await expect(computer.compute(new Uint8Array(32 * 32 * 3), 1)).rejects.toThrow(/images of a data set/);
    await computer.dispose();
  });
});
