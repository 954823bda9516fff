/**
 * @file `features.json` of a run: which cached images and features the run uses. Written by the features step, read by the
 * steps after it, so that they see what was cached and never the images that lie there by then.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import { CacheError, UsageError } from "../../data/errors.js";
import { holdFolder } from "../../data/folder-lock.js";
import { markUsed } from "../../data/row-folders.js";
import { isRowStore, type RowStore } from "../../data/row-store.js";
import { openVerifiedStore } from "../../data/verified-shards.js";
import type { Experiment } from "./schema.js";
import { targetsOf } from "./steps/step.js";

/** A cached row store: where it is and what it must be. */
export interface CachedStore {
  /** Relative to the run's working folder, so that it is found wherever that folder is mounted. */
  readonly folder: string;
  readonly key: string;
}

/** Cached latents, and how the model sees them. */
export interface LatentsRecord extends CachedStore {
  /** Canonical name of the autoencoder. */
  readonly autoencoder: string;
  /** SHA-256 (hex) of its files. */
  readonly encoderSha256: string;
  readonly decoderSha256: string;
  /** The model sees (z − bias) · scale; one number a channel. */
  readonly scale: readonly number[];
  readonly bias: readonly number[];
}

/** What the features step made or found. */
export interface FeaturesRecord {
  readonly format: "descry-features-1";
  readonly source: {
    readonly name: string;
    /** SHA-256 of everything that changes the pixels. */
    readonly fingerprint: string;
    /** Images, without their mirrored twins. */
    readonly length: number;
    readonly classes: readonly string[];
    /** Undecodable images that were left out (`--skip-bad`). */
    readonly skipped: readonly string[];
  };
  /** Tokens a side. */
  readonly grid: number;
  /** Pixels. In latent space only the centre crops that the evaluation may ask for, see `comparedImages`. */
  readonly images: CachedStore;
  /** In latent space only. */
  readonly latents?: LatentsRecord;
  readonly targets: Readonly<Record<string, CachedStore>>;
}

const fileOf = (runFolder: string) => path.join(runFolder, "features.json");

/**
 * Write the record, whole or not at all.
 *
 * @param record with absolute folders. @param workingFolder of the run: what is written is relative to it.
 */
export async function writeFeaturesRecord(
  runFolder: string,
  record: FeaturesRecord,
  workingFolder: string,
): Promise<void> {
  const placed = withFolders(record, (folder) => path.relative(workingFolder, folder));
  await writeFileAtomic(fileOf(runFolder), `${JSON.stringify(placed, null, 2)}\n`);
}

function withFolders(record: FeaturesRecord, place: (folder: string) => string): FeaturesRecord {
  const placed = <S extends CachedStore>(store: S): S => ({ ...store, folder: place(store.folder) });
  return {
    ...record,
    images: placed(record.images),
    ...(record.latents === undefined ? {} : { latents: placed(record.latents) }),
    targets: Object.fromEntries(Object.entries(record.targets).map(([name, store]) => [name, placed(store)])),
  };
}

/**
 * Read the record of a run.
 *
 * @throws {UsageError} the features step was not done.
 * @throws {CacheError} the file is damaged.
 */
export async function readFeaturesRecord(runFolder: string): Promise<FeaturesRecord> {
  const record = await findFeaturesRecord(runFolder);
  if (record === undefined) {
    throw new UsageError(`${runFolder}: the features are not cached yet`, {
      hint: `first: descry features ${runFolder}`,
    });
  }
  return record;
}

/** As {@link readFeaturesRecord}, with absolute folders. @param workingFolder of the run. */
export async function readPlacedFeatures(runFolder: string, workingFolder: string): Promise<FeaturesRecord> {
  return withFolders(await readFeaturesRecord(runFolder), (folder) => path.resolve(workingFolder, folder));
}

/** As {@link readFeaturesRecord}; undefined when the step was not done. */
export async function findFeaturesRecord(runFolder: string): Promise<FeaturesRecord | undefined> {
  let text: string;
  try {
    text = await readFile(fileOf(runFolder), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw fileError(error, "cannot read", fileOf(runFolder));
  }
  const hint = "remove the file and run again";
  let record: FeaturesRecord;
  try {
    record = JSON.parse(text) as FeaturesRecord;
  } catch (cause) {
    throw new CacheError(`${fileOf(runFolder)}: not valid JSON`, { hint, cause });
  }
  if (record.format !== "descry-features-1") throw new CacheError(`${fileOf(runFolder)}: unknown format`, { hint });
  return record;
}

/**
 * Whether everything that the record names is still in the cache.
 *
 * @param workingFolder of the run.
 */
export async function isFeaturesRecordWhole(
  record: FeaturesRecord,
  { latents, arms }: Experiment,
  workingFolder: string,
): Promise<boolean> {
  const targets = targetsOf(arms).map((target) => record.targets[target]);
  const stores = [record.images, ...(latents === null ? [] : [record.latents]), ...targets];
  for (const store of stores) {
    if (store === undefined || !(await isRowStore(path.resolve(workingFolder, store.folder), store.key))) return false;
  }
  return true;
}

/**
 * Opens a cached store, after reading all of it that was not found whole before. Until it is closed, nobody prunes it. For processes that run in the run's
 * working folder: tasks do.
 *
 * @throws {CacheError} a shard that is missing, foreign, or not what was written, by its name.
 */
export async function openCachedStore({ folder, key }: CachedStore): Promise<RowStore> {
  const hold = await holdIfThere(folder);
  try {
    const store = await openVerifiedStore(folder, key);
    await markUsed(folder);
    return {
      header: store.header,
      folder,
      read: (column, rows, into) => store.read(column, rows, into),
      close: async () => {
        await store.close();
        await hold.release();
      },
    };
  } catch (error) {
    await hold.release();
    throw error;
  }
}

/** A folder that is not there has nothing to hold: opening says so. */
const holdIfThere = (folder: string) => (existsSync(folder) ? holdFolder(folder) : { release: async () => undefined });
