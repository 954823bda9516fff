/** @file The caches of an experiment: target features, and the images at the model's resolution, as row stores on disk. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ImageSource } from "../data/image-source.js";
import {
  isRowStore,
  openRowStore,
  type RowBatch,
  type RowStore,
  type RowStoreHeader,
  writeRowStore,
} from "../data/row-store.js";
import type { Device } from "../src/compile/compile.js";
import { openFeatureComputer } from "./compute-features.js";
import { FIT_VERSION, fitDescriptor } from "./fit-descriptor.js";
import { loadDescriptor } from "./load-descriptor.js";
import { parseTarget } from "./targets.js";

/** Pixels of a target image along one token, the encoders' patch. */
export const PIXELS_PER_TOKEN = 16;

/** Images decoded and described at a time. */
const BATCH = 16;

/** Raised when decoding, cropping or resizing change. */
const IMAGES_VERSION = 1;

interface CacheOptions {
  readonly source: ImageSource;
  /** Cache every image also mirrored: row = variant·length + index, variant 1 mirrored. */
  readonly flips: boolean;
  readonly cacheFolder: string;
  onProgress?(done: number, total: number): void;
}

export interface CacheFeaturesOptions extends CacheOptions {
  readonly target: string;
  /** Tokens per side; the target sees images of 16·grid pixels. */
  readonly grid: number;
  /** On disk. Half precision keeps three digits. */
  readonly dtype: "F16" | "F32";
  readonly device?: Device;
}

export interface CacheImagesOptions extends CacheOptions {
  readonly sizePx: number;
}

export interface Cached {
  readonly store: RowStore;
  readonly folder: string;
  /** Whether it was there already. */
  readonly reused: boolean;
}

/**
 * The features of a target, column `features` [T,D], computed unless they are cached whole.
 *
 * The key is a hash of everything that changes the bytes: images, target, its version and files, grid, mirroring, precision.
 *
 * @throws {UsageError} an unknown target. @throws {CacheError} a damaged cache, by the name of the shard.
 */
export async function cacheFeatures(options: CacheFeaturesOptions): Promise<Cached> {
  const { source, grid, dtype } = options;
  const descriptor = await loadDescriptor(parseTarget(options.target), { source, flips: options.flips });
  const sizePx = grid * PIXELS_PER_TOKEN;
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
  const columns = { features: { dtype, shape: [grid ** 2, descriptor.dim] } };
  return fill("features", options, { rows: rowsOf(options), columns, meta }, async function* (startRow) {
    const device = options.device === undefined ? {} : { device: options.device };
    const computing = { imageSizePx: sizePx, grid, batch: BATCH, ...device };
    const fitted = await fitDescriptor(descriptor, source, computing);
    const computer = await openFeatureComputer(fitted, computing);
    try {
      for await (const { images, rows } of imageBatches(source, rowsOf(options), sizePx, startRow)) {
        yield { features: await computer.compute(images, rows.length, rows) };
      }
    } finally {
      await computer.dispose();
    }
  });
}

/** The images as the model sees them, columns `image` uint8 [S,S,3] and `label` int32 []. */
export async function cacheImages(options: CacheImagesOptions): Promise<Cached> {
  const { source, sizePx } = options;
  const meta = { kind: "images", classes: source.classes, ...sourceMeta(options, sizePx) };
  const columns = {
    image: { dtype: "U8", shape: [sizePx, sizePx, 3] },
    label: { dtype: "I32", shape: [] },
  } as const;
  return fill("images", options, { rows: rowsOf(options), columns, meta }, async function* (startRow) {
    for await (const { images, rows } of imageBatches(source, rowsOf(options), sizePx, startRow)) {
      yield { image: images, label: Int32Array.from(rows, (row) => source.label(row % source.length)) };
    }
  });
}

const rowsOf = ({ source, flips }: CacheOptions): number => source.length * (flips ? 2 : 1);

const sourceMeta = ({ source, flips }: CacheOptions, sizePx: number) => ({
  source: source.name,
  fingerprint: source.fingerprint,
  sizePx,
  flips,
  imagesVersion: IMAGES_VERSION,
});

async function fill(
  kind: string,
  { cacheFolder, onProgress }: CacheOptions,
  content: Omit<RowStoreHeader, "key">,
  batches: (startRow: number) => AsyncIterable<RowBatch>,
): Promise<Cached> {
  const { classes: _, source: __, ...keyed } = content.meta as Record<string, unknown>;
  const key = createHash("sha256")
    .update(JSON.stringify({ ...keyed, rows: content.rows, columns: content.columns }))
    .digest("hex");
  const folder = join(cacheFolder, `${kind}-${key.slice(0, 16)}`);
  if (await isRowStore(folder, key)) return { store: await openRowStore(folder, key), folder, reused: true };
  await writeRowStore(folder, { ...content, key }, batches, {
    onRows: (done) => onProgress?.(done, content.rows),
  });
  return { store: await openRowStore(folder, key), folder, reused: false };
}

interface ImageBatch {
  /** [rows.length, sizePx, sizePx, 3]. */
  readonly images: Uint8Array;
  readonly rows: readonly number[];
}

/** Rows from `startRow` on, BATCH at a time; the next batch is decoded while the caller works on one. */
async function* imageBatches(
  source: ImageSource,
  rowCount: number,
  sizePx: number,
  startRow: number,
): AsyncGenerator<ImageBatch> {
  const load = async (start: number): Promise<ImageBatch> => {
    const rows = Array.from({ length: Math.min(BATCH, rowCount - start) }, (_, i) => start + i);
    const images = new Uint8Array(rows.length * sizePx ** 2 * 3);
    await Promise.all(
      rows.map(async (row, i) => {
        const flip = row >= source.length;
        images.set(await source.load(row % source.length, sizePx, { flip }), i * sizePx ** 2 * 3);
      }),
    );
    return { images, rows };
  };
  let next = startRow < rowCount ? load(startRow) : undefined;
  for (let start = startRow; next !== undefined; start += BATCH) {
    const current = await next;
    next = start + BATCH < rowCount ? load(start + BATCH) : undefined;
    // Its failure is reported when it is awaited, not before.
    next?.catch(() => {});
    yield current;
  }
}
