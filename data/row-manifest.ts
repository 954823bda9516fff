/**
 * @file The two JSON files of a row store, each with a checksum of itself: `manifest.json`, written last, says what the store is and
 * knows every shard; `plan.json` says the same of a store that is being filled, without the shards, and goes when it is finished.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileError, writeFileAtomic } from "./atomic.js";
import { CacheError } from "./errors.js";
import type { RowStorePlan } from "./row-plan.js";
import { damagedFile, type ShardRecord, sha256 } from "./row-shard.js";

const FORMAT = "descry-rows";
const VERSION = 1;
export const MANIFEST = "manifest.json";
export const PLAN = "plan.json";

export interface Manifest extends RowStorePlan {
  readonly shards: readonly ShardRecord[];
}

/** @throws {DataError} it cannot be written. */
export async function writeManifest(folder: string, plan: RowStorePlan, shards: readonly ShardRecord[]): Promise<void> {
  await writeSigned(folder, MANIFEST, { ...contentOf(plan), shards });
}

/** @throws {DataError} it cannot be written. */
export async function writePlan(folder: string, plan: RowStorePlan): Promise<void> {
  await writeSigned(folder, PLAN, contentOf(plan));
}

/** @throws {CacheError} none there, or a damaged one. */
export async function readManifest(folder: string): Promise<Manifest> {
  return (await readSigned(folder, MANIFEST)) as Manifest;
}

/** The plan of a store that is not finished; undefined when there is none that can be read. @throws {DataError} no permission, … */
export async function findPlan(folder: string): Promise<RowStorePlan | undefined> {
  return orUndefined(readSigned(folder, PLAN));
}

/** As `readManifest`, undefined when there is none that can be read. */
export async function findManifest(folder: string): Promise<Manifest | undefined> {
  return orUndefined(readManifest(folder));
}

async function orUndefined<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof CacheError) return undefined;
    throw error;
  }
}

function contentOf({ key, rows, columns, meta, shardRows }: RowStorePlan) {
  return { format: FORMAT, version: VERSION, key, rows, columns, meta, shardRows };
}

const checksum = (content: object): string => sha256(Buffer.from(JSON.stringify(content)));

async function writeSigned(folder: string, file: string, content: object): Promise<void> {
  const signed = { ...content, checksum: checksum(content) };
  await writeFileAtomic(join(folder, file), `${JSON.stringify(signed, null, 2)}\n`);
}

async function readSigned(folder: string, file: string): Promise<RowStorePlan> {
  const path = join(folder, file);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw fileError(error, "cannot read", path);
    throw new CacheError(`${path}: there is no finished row store here`, {
      hint: "run again to write it",
      cause: error,
    });
  }
  let signed: { format?: string; version?: number; checksum?: string };
  try {
    signed = JSON.parse(text);
  } catch (error) {
    throw damagedFile(folder, file, "not JSON", error);
  }
  const { checksum: want, ...content } = signed ?? {};
  if (content.format !== FORMAT || content.version !== VERSION) {
    const got = `${content.format} ${content.version}`;
    throw damagedFile(folder, file, `not of ${FORMAT} ${VERSION} (it says ${got})`);
  }
  if (checksum(content) !== want) {
    throw damagedFile(folder, file, "damaged or changed by hand: its checksum does not fit");
  }
  return content as unknown as RowStorePlan;
}
