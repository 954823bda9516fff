import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CacheError, DataError, UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { readSafetensors } from "../../data/safetensors.js";
import { variantOf } from "../../data/variants.js";
import { type CacheFeaturesOptions, cacheFeatures, cacheImages } from "../../features/cache.js";
import { fitDescriptor } from "../../features/fit-descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, picture, randomPicture } from "./images.js";

let cacheFolder: string;
beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "descry-cache-"));
});
afterEach(() => rm(cacheFolder, { recursive: true }));

interface CountingSource extends ImageSource {
  readonly loads: () => number;
}

/** Random pictures of any size; image `bad` cannot be read. */
function source({ length = 20, fingerprint = "abc", bad = -1, name = "pictures" } = {}): CountingSource {
  let loads = 0;
  return {
    name,
    classes: ["even", "odd"],
    length,
    fingerprint,
    skipped: [],
    id: (index) => `picture ${index}`,
    label: (index) => index % 2,
    async load(index, sizePx, { flip = false } = {}) {
      loads++;
      if (index === bad) throw new DataError(`picture ${index}: cannot be decoded`);
      const { pixels } = randomPicture(index, sizePx, sizePx);
      return flip
        ? picture(sizePx, sizePx, (y, x, c) => pixels[(y * sizePx + sizePx - 1 - x) * 3 + c]!).pixels
        : pixels;
    },
    close: async () => {},
    loads: () => loads,
  };
}

const options = (from: ImageSource, changed: Partial<CacheFeaturesOptions> = {}): CacheFeaturesOptions => ({
  source: from,
  target: "hog",
  grid: 2,
  dtype: "F32",
  flips: false,
  cacheFolder,
  ...changed,
});

const shardOf = async (folder: string): Promise<string> => {
  const files = await readdir(folder, { recursive: true });
  return join(folder, files.find((file) => file.endsWith(".safetensors"))!);
};

describe("feature cache", () => {
  test("holds the target of every image, of 16 pixels a token, and of its mirror image", async () => {
    const pictures = source({ length: 19 });
    const { store, reused } = await cacheFeatures(options(pictures, { flips: true }));
    expect(reused).toBe(false);
    expect(store.header.rows).toBe(38);
    const rows = [0, 18, 19 + 4];
    const got = (await store.read("features", rows)) as Float32Array;
    await store.close();
    const mirrored = { height: 32, width: 32, pixels: await pictures.load(4, 32, { flip: true }) };
    const want = await describePictures(
      parseTarget("hog"),
      [randomPicture(0, 32, 32), randomPicture(18, 32, 32), mirrored],
      [2, 2],
    );
    expect(maxDifference(got, want)).toBe(0);
  });

  test("half precision is within its rounding, and half the bytes", async () => {
    const single = await cacheFeatures(options(source()));
    const half = await cacheFeatures(options(source(), { dtype: "F16" }));
    const [a, b] = [await single.store.read("features", [3]), await half.store.read("features", [3])];
    expect(maxDifference(a as Float32Array, b as Float32Array)).toBeLessThan(2 ** -11);
    const sizes = await Promise.all([single, half].map(async ({ folder }) => (await stat(await shardOf(folder))).size));
    expect(sizes[1]! / sizes[0]!).toBeLessThan(0.52);
    await Promise.all([single.store.close(), half.store.close()]);
  });

  test("bytes keep a cosine of 0.999 and more to every token, in half of the space of half precision, and say so", async () => {
    const single = await cacheFeatures(options(source(), { target: "sift" }));
    const bytes = await cacheFeatures(options(source(), { target: "sift", dtype: "U8" }));
    const rows = Array.from({ length: 20 }, (_, i) => i);
    const [a, b] = [await single.store.read("features", rows), await bytes.store.read("features", rows)];
    const cosines = Array.from({ length: a.length / 128 }, (_, token) => {
      let [ab, aa, bb] = [0, 0, 0];
      for (let i = token * 128; i < (token + 1) * 128; i++) {
        ab += a[i]! * b[i]!;
        aa += a[i]! ** 2;
        bb += b[i]! ** 2;
      }
      return ab / Math.sqrt(aa * bb);
    });
    expect(Math.min(...cosines)).toBeGreaterThan(0.999);
    const { tensors, metadata } = await readSafetensors(await shardOf(bytes.folder));
    expect(Number(metadata["minCosine"])).toBeCloseTo(Math.min(...cosines), 6);
    expect(tensors["features"]!.shape).toEqual([20, 4, 128]);
    expect(tensors["features_scale"]!.shape).toEqual([20, 4, 2]);
    const sizes = await Promise.all(
      [single, bytes].map(async ({ folder }) => (await stat(await shardOf(folder))).size),
    );
    expect(sizes[1]! / sizes[0]!).toBeLessThan(0.28);
    await Promise.all([single.store.close(), bytes.store.close()]);
  });

  test("fits to the data set what has to be fitted, and keys it by the data set", async () => {
    const pictures = source({ length: 5 });
    const { store, folder } = await cacheFeatures(options(pictures, { target: "pca3(hog)" }));
    const got = (await store.read("features", [4])) as Float32Array;
    const computing = { imageSizePx: 32, grid: 2, batch: 2 };
    const fitted = await fitDescriptor(parseTarget("pca3(hog)"), pictures, computing);
    expect(maxDifference(got, await describePictures(fitted, [randomPicture(4, 32, 32)], [2, 2]))).toBeLessThan(1e-6);
    const other = await cacheFeatures(options(source({ length: 5, fingerprint: "other" }), { target: "pca3(hog)" }));
    expect(other.folder).not.toBe(folder);
    await Promise.all([store.close(), other.store.close()]);
  });

  test("is used again, and not computed again, when nothing that changes the bytes has changed", async () => {
    (await cacheFeatures(options(source()))).store.close();
    const again = source({ name: "the same pictures under another name" });
    const second = await cacheFeatures(options(again, { target: "hog:d128_cb4" }));
    await second.store.close();
    expect(second.reused).toBe(true);
    expect(again.loads()).toBe(0);
  });

  test.each<[string, Partial<CacheFeaturesOptions>]>([
    ["images", { source: source({ fingerprint: "other" }) }],
    ["target", { target: "sift" }],
    ["options of the target", { target: "hog:ppc4" }],
    ["grid", { grid: 3 }],
    ["mirroring", { flips: true }],
    ["variants", { variants: 3 }],
    ["precision", { dtype: "F16" }],
    ["bytes", { dtype: "U8" }],
  ])("other %s: another cache", async (_, changed) => {
    const first = await cacheFeatures(options(source()));
    const second = await cacheFeatures(options(source(), changed));
    await Promise.all([first.store.close(), second.store.close()]);
    expect(second.reused).toBe(false);
    expect(second.folder).not.toBe(first.folder);
  });

  test("shards are plain safetensors that other tools read", async () => {
    const { store, folder } = await cacheFeatures(options(source({ length: 5 })));
    const { tensors } = await readSafetensors(await shardOf(folder));
    expect(tensors["features"]!.shape).toEqual([5, 4, 128]);
    await store.close();
  });

  test.each<[string, (shard: string) => Promise<void>]>([
    ["cut off", (shard) => truncate(shard, 2000)],
    ["foreign", (shard) => writeFile(shard, "not a shard at all, but long enough to look at")],
  ])("a shard that is %s is refused by its name", async (_, damage) => {
    const first = await cacheFeatures(options(source()));
    await first.store.close();
    const shard = await shardOf(first.folder);
    await damage(shard);
    const open = async () => {
      const { store } = await cacheFeatures(options(source()));
      await store.read("features", [0]);
    };
    await expect(open()).rejects.toThrow(CacheError);
    await expect(open()).rejects.toThrow(shard.split("/").at(-1));
  });

  test("a shard that is missing is made again, with the same bytes", async () => {
    const first = await cacheFeatures(options(source()));
    await first.store.close();
    const shard = await shardOf(first.folder);
    const before = await readFile(shard);
    await rm(shard);
    const second = await cacheFeatures(options(source()));
    await second.store.close();
    expect(second.reused).toBe(false);
    expect(Buffer.compare(await readFile(shard), before)).toBe(0);
  });

  test("an image that cannot be read ends it by name, and what is half written is not taken for whole", async () => {
    await expect(cacheFeatures(options(source({ bad: 17 })))).rejects.toThrow("picture 17: cannot be decoded");
    const mended = source();
    const { store, reused } = await cacheFeatures(options(mended));
    expect(reused).toBe(false);
    const got = (await store.read("features", [17])) as Float32Array;
    await store.close();
    expect(maxDifference(got, await describePictures(parseTarget("hog"), [randomPicture(17, 32, 32)], [2, 2]))).toBe(0);
  });

  test("reports progress up to the end", async () => {
    const seen: number[] = [];
    const { store } = await cacheFeatures(options(source({ length: 40 }), { onProgress: (done) => seen.push(done) }));
    await store.close();
    expect(seen.at(-1)).toBe(40);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test("an unknown target is refused before any image is read", async () => {
    const pictures = source();
    await expect(cacheFeatures(options(pictures, { target: "shift" }))).rejects.toThrow(UsageError);
    expect(pictures.loads()).toBe(0);
    expect(await readdir(cacheFolder)).toEqual([]);
  });
});

describe("image cache", () => {
  test("holds bytes and labels as the source gives them, mirrored in the second half", async () => {
    const pictures = source({ length: 7 });
    const { store } = await cacheImages({ source: pictures, sizePx: 24, flips: true, cacheFolder });
    const image = await store.read("image", [5, 12]);
    const label = await store.read("label", [5, 12]);
    await store.close();
    expect(Array.from(label as Int32Array)).toEqual([1, 1]);
    expect(
      Buffer.compare(
        image as Uint8Array,
        Buffer.concat([await pictures.load(5, 24), await pictures.load(5, 24, { flip: true })]),
      ),
    ).toBe(0);
  });

  test("random crops are rows too, in images and features alike; their seed is in the key", async () => {
    const pictures = source({ length: 3 });
    const loaded: unknown[] = [];
    const spy: ImageSource = {
      ...pictures,
      load: (index, sizePx, variant) => {
        loaded.push([index, variant]);
        return pictures.load(index, sizePx, variant);
      },
    };
    const shared = { flips: true, variants: 4, seed: 5 };
    const cached = await cacheImages({ source: spy, sizePx: 8, ...shared, cacheFolder });
    expect(cached.store.header.rows).toBe(12);
    const rows = Array.from({ length: 12 }, (_, row) => row);
    expect(await cached.store.read("label", rows)).toEqual(Int32Array.from([0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0]));
    const wanted = rows.map((row) => variantOf(row, 3, shared)).map(({ index, variant }) => [index, variant]);
    expect(loaded).toEqual(wanted);
    loaded.length = 0;
    const features = await cacheFeatures(options(spy, shared));
    expect(loaded).toEqual(wanted);
    const others = [
      await cacheImages({ source: spy, sizePx: 8, ...shared, seed: 6, cacheFolder }),
      await cacheImages({ source: spy, sizePx: 8, ...shared, variants: 2, cacheFolder }),
      await cacheImages({ source: spy, sizePx: 8, ...shared, variants: null, seed: 6, cacheFolder }),
    ];
    await Promise.all([cached, features, ...others].map(({ store }) => store.close()));
    // Without random crops there is nothing that the seed could change.
    expect(others.map(({ reused }) => reused)).toEqual([false, false, true]);
  });

  test("its manifest names the classes", async () => {
    const { store, folder } = await cacheImages({ source: source(), sizePx: 8, flips: false, cacheFolder });
    await store.close();
    const manifest = (await readdir(folder)).find((file) => file.endsWith(".json"))!;
    expect(await readFile(join(folder, manifest), "utf8")).toContain('"odd"');
  });
});
