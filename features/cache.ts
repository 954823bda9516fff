/**
 * @file The caches of an experiment: target features, and the images at the model's resolution, as row stores on disk. A cache is
 * planned first, which computes nothing; its shards are then filled, by one process or by several together.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ImageSource } from "../data/image-source.js";
import { markUsed } from "../data/row-folders.js";
import {
  allShards,
  defaultShardRows,
  planRowStore,
  type RowStoreHeader,
  type RowStorePlan,
  rowsOfShard,
  type StorePart,
  shardsOfPart,
} from "../data/row-plan.js";
import { isRowStore, openRowStore, type RowBatch, type RowStore } from "../data/row-store.js";
import { finishRowStore, type WriteShardsOptions, writeShards } from "../data/row-writer.js";
import { hasCrops, type Variants, variantCount } from "../data/variants.js";
import type { Device } from "../src/compile/compile.js";
import type { CacheDtype } from "./cache-dtypes.js";
import type { Descriptor, DownloadListener } from "./descriptor.js";
import { FIT_VERSION } from "./fit-descriptor.js";
import { BATCH, imageBatches } from "./image-batches.js";
import { loadDescriptor } from "./load-descriptor.js";
import { TargetRows } from "./target-rows.js";
import { parseTarget } from "./targets.js";

/** Pixels of a target image along one token, the encoders' patch. */
export const PIXELS_PER_TOKEN = 16;

/** Raised when decoding, cropping or resizing change. */
const IMAGES_VERSION = 1;

/** Raised when other random crops are drawn. */
const CROPS_VERSION = 1;

/** Every variant of an image is a row: row = variant · length + index. */
export interface PlanOptions extends Variants {
  readonly source: ImageSource;
  readonly cacheFolder: string;
}

export interface PlanTargetsOptions extends PlanOptions {
  readonly targets: readonly string[];
  /** Tokens per side; the target sees images of 16·grid pixels. */
  readonly grid: number;
  readonly dtype: CacheDtype;
  readonly device?: Device;
  /** Told of the files that the target needs and does not have. */
  readonly onDownload?: DownloadListener;
}

export interface PlanFeaturesOptions extends Omit<PlanTargetsOptions, "targets"> {
  readonly target: string;
}

export interface PlanImagesOptions extends PlanOptions {
  readonly sizePx: number;
}

/** A cache that may be filled, in part or whole, or is so already. */
export interface CachePlan {
  readonly folder: string;
  readonly store: RowStorePlan;
  /**
   * Compute and write some shards (`allShards`, `missingShards` of it), as `writeShards` does. May be called again and again, not at
   * the same time.
   */
  fill(shards: readonly number[], options?: WriteShardsOptions): Promise<void>;
  /** Lets go of what computes. */
  close(): Promise<void>;
}

export interface FillOptions {
  /** Only this part of the shards. @default all of them, as the only process that writes */
  readonly part?: StorePart;
  onProgress?(done: number): void;
}

export interface Filled {
  /** Whether all of it was there already. */
  readonly reused: boolean;
  /** Shards that other parts have still to make: none when the cache is whole. */
  readonly missing: number;
}

export interface CacheFeaturesOptions extends PlanFeaturesOptions, Omit<FillOptions, "part"> {}
export interface CacheImagesOptions extends PlanImagesOptions, Omit<FillOptions, "part"> {}

export interface Cached {
  readonly store: RowStore;
  readonly folder: string;
  /** Whether it was there already. */
  readonly reused: boolean;
}

/**
 * The features of a target, column `features` [T,D], computed unless they are cached whole.
 *
 * @throws {UsageError} an unknown target. @throws {CacheError} a damaged cache, by the name of the shard.
 */
export async function cacheFeatures(options: CacheFeaturesOptions): Promise<Cached> {
  return fillAndOpen(await planFeatures(options), options);
}

/** The images as the model sees them, columns `image` uint8 [S,S,3] and `label` int32 []. */
export async function cacheImages(options: CacheImagesOptions): Promise<Cached> {
  return fillAndOpen(planImages(options), options);
}

/** All of a cache, opened; the only process that writes it. */
export async function fillAndOpen(plan: CachePlan, options: Omit<FillOptions, "part">): Promise<Cached> {
  const { folder, store } = plan;
  const { reused } = await fillCache(plan, options);
  return { store: await openRowStore(folder, store.key), folder, reused };
}

/**
 * Compute what is missing of a cache, or of one part of it, and finish it when nothing is missing then; closes the plan.
 *
 * @throws {CacheError} another process is at it. @throws {DataError} an image that cannot be decoded, or no space.
 */
export async function fillCache(plan: CachePlan, { part, onProgress }: FillOptions = {}): Promise<Filled> {
  const { folder, store } = plan;
  try {
    if (await isRowStore(folder, store.key)) {
      await markUsed(folder);
      return { reused: true, missing: 0 };
    }
    await plan.fill(part === undefined ? allShards(store) : shardsOfPart(store, part), {
      ...(part === undefined ? {} : { part: `${part.index}-of-${part.count}` }),
      ...(onProgress === undefined ? {} : { onRows: onProgress }),
    });
    return { reused: false, missing: (await finishRowStore(folder, store)).length };
  } finally {
    await plan.close();
  }
}

/** As {@link planTargets}, of one target. */
export async function planFeatures({ target, ...options }: PlanFeaturesOptions): Promise<CachePlan> {
  const [plan] = await planTargets({ ...options, targets: [target] });
  return plan!;
}

/**
 * The caches of the features of targets, in their order. The key of each is a hash of everything that changes its bytes: images,
 * target, its version and files, grid, mirroring, precision. Caches that are filled at the same time read their images together.
 *
 * @throws {UsageError} an unknown target.
 */
export async function planTargets(options: PlanTargetsOptions): Promise<CachePlan[]> {
  const { source, grid, dtype, device, onDownload } = options;
  const sizePx = grid * PIXELS_PER_TOKEN;
  const rowCount = rowsOf(options);
  const descriptors: Descriptor[] = [];
  for (const target of options.targets) {
    descriptors.push(await loadDescriptor(parseTarget(target), { ...options, source }, onDownload));
  }
  const shared = new TargetRows(descriptors, {
    data: options,
    rowCount,
    sizePx,
    grid,
    ...(device !== undefined && { device }),
  });
  const open = new Set(descriptors.keys());
  return descriptors.map((descriptor, i) => {
    const meta = {
      kind: "features",
      target: descriptor.name,
      version: descriptor.version,
      grid,
      ...(descriptor.fingerprint === undefined ? {} : { files: descriptor.fingerprint }),
      // The images that it is fitted to follow from the source, whose fingerprint is in the key.
      ...(descriptor.fit === undefined ? {} : { fitVersion: FIT_VERSION }),
      ...sourceMeta(options, sizePx),
    };
    const columns = {
      features: { dtype: dtype === "U8" ? "Q8" : dtype, shape: [grid ** 2, descriptor.dim] },
    } as const;
    const plan = planOf("features", options, planStore({ rows: rowCount, columns, meta }), {
      async *makeRows(start, end) {
        for await (const features of shared.read(i, start, end)) yield { features };
      },
      async close() {
        open.delete(i);
        shared.leave(i);
        if (open.size === 0) await shared.close();
      },
    });
    return {
      ...plan,
      fill(shards, how) {
        if (shards.length > 0) shared.expect(i, rowsOfShard(plan.store, shards[0]!).start);
        return plan.fill(shards, how).finally(() => shared.leave(i));
      },
    };
  });
}

/** The cache of the images as the model sees them. */
export function planImages(options: PlanImagesOptions): CachePlan {
  const { source, sizePx } = options;
  const meta = { kind: "images", classes: source.classes, ...sourceMeta(options, sizePx) };
  const columns = {
    image: { dtype: "U8", shape: [sizePx, sizePx, 3] },
    label: { dtype: "I32", shape: [] },
  } as const;
  return planOf("images", options, planStore({ rows: rowsOf(options), columns, meta }), {
    async *makeRows(start, end) {
      for await (const { images, rows } of imageBatches(options, sizePx, start, end)) {
        yield { image: images, label: Int32Array.from(rows, (row) => source.label(row % source.length)) };
      }
    },
    close: async () => {},
  });
}

/** Rows of all variants. */
export const rowsOf = (options: PlanOptions): number => options.source.length * variantCount(options);

/** What of the images is in every key. */
export const sourceMeta = ({ source, flips, variants, seed = 0 }: PlanOptions, sizePx: number) => ({
  source: source.name,
  fingerprint: source.fingerprint,
  sizePx,
  flips,
  ...(hasCrops({ flips, variants }) ? { variants, seed, cropsVersion: CROPS_VERSION } : {}),
  imagesVersion: IMAGES_VERSION,
});

/** A name and the bytes of a store's rows. */
export function planStore(content: Omit<RowStoreHeader, "key">): RowStorePlan {
  const { classes: _, source: __, ...keyed } = content.meta as Record<string, unknown>;
  const key = createHash("sha256")
    .update(JSON.stringify({ ...keyed, rows: content.rows, columns: content.columns }))
    .digest("hex");
  return planRowStore({ ...content, key }, defaultShardRows(content, BATCH));
}

/** @param making rows, any part of them in order; `close` lets go of what computes them. */
export function planOf(
  kind: string,
  { cacheFolder }: PlanOptions,
  store: RowStorePlan,
  { makeRows, close }: { makeRows(start: number, end: number): AsyncIterable<RowBatch>; close(): Promise<void> },
): CachePlan {
  const folder = join(cacheFolder, `${kind}-${store.key.slice(0, 16)}`);
  return { folder, store, fill: (shards, options) => writeShards(folder, store, shards, makeRows, options), close };
}
