/** @file The row stores in a folder of caches, finished or not, as far as their files tell without their data being read. */
import { readdir, stat, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileError } from "./atomic.js";
import { findHolders, type Holder } from "./folder-lock.js";
import { findManifest, findPlan, MANIFEST } from "./row-manifest.js";
import { type RowStorePlan, shardCount } from "./row-plan.js";

/** A file that a writer had not finished. */
export const TEMPORARY = /^\..+\.tmp\.\d+\.[0-9a-f]+$/;
export const SHARD = /^shard-\d{5,}\.safetensors$/;

export interface RowFolder {
  /** Absolute. */
  readonly folder: string;
  /** Its last part. */
  readonly name: string;
  /** `unknown`: shards without a manifest or a plan that can be read. */
  readonly state: "complete" | "incomplete" | "unknown";
  /** What it holds or is to hold; absent when unknown. */
  readonly plan?: RowStorePlan;
  /** Shards that are there, and how many it is to have. */
  readonly shards: { readonly there: number; readonly all: number | undefined };
  /** Of all of its files. */
  readonly sizeBytes: number;
  /** Files that a process was writing: it still is when there are holders, else they are orphans. */
  readonly temporary: { readonly count: number; readonly sizeBytes: number };
  /** Milliseconds since 1970: when a command opened it last (`markUsed`) or something was written. */
  readonly lastUsedMs: number;
  /** Smallest cosine of the vectors of a store of bytes to what they stand for. */
  readonly minCosine?: number;
  /** Processes that write or read it and may still run. */
  readonly holders: readonly Holder[];
}

/** All row stores right in a folder, by name; none when it is not there. @throws {DataError} it cannot be read. */
export async function listRowFolders(cacheFolder: string): Promise<RowFolder[]> {
  let names: string[];
  try {
    names = (await readdir(cacheFolder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError(error, "cannot read", cacheFolder);
  }
  const found: RowFolder[] = [];
  for (const name of names) {
    const one = await findRowFolder(join(cacheFolder, name));
    if (one !== undefined) found.push(one);
  }
  return found;
}

/** What is in a folder; undefined when it is no row store. @throws {DataError} it cannot be read. */
export async function findRowFolder(folder: string): Promise<RowFolder | undefined> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw fileError(error, "cannot read", folder);
  }
  const manifest = await findManifest(folder);
  const plan = manifest ?? (await findPlan(folder));
  const there = names.filter((name) => SHARD.test(name)).length;
  if (plan === undefined && there === 0 && !names.includes(MANIFEST)) return undefined;

  const temporary = { count: 0, sizeBytes: 0 };
  let sizeBytes = 0;
  let newestMs = 0;
  for (const name of names) {
    const facts = await stat(join(folder, name)).catch(() => undefined); // renamed or removed since: a writer is at work
    if (facts === undefined) continue;
    sizeBytes += facts.size;
    newestMs = Math.max(newestMs, facts.mtimeMs);
    if (!TEMPORARY.test(name)) continue;
    temporary.count++;
    temporary.sizeBytes += facts.size;
  }
  const cosines = manifest?.shards.flatMap(({ minCosine }) => minCosine ?? []) ?? [];
  return {
    folder,
    name: basename(folder),
    state:
      plan === undefined ? "unknown" : manifest === undefined || there < shardCount(plan) ? "incomplete" : "complete",
    ...(plan === undefined ? {} : { plan }),
    shards: { there, all: plan === undefined ? undefined : shardCount(plan) },
    sizeBytes,
    temporary,
    lastUsedMs: newestMs,
    ...(cosines.length === 0 ? {} : { minCosine: Math.min(...cosines) }),
    holders: await findHolders(folder),
  };
}

/** Notes that a store is used now, where the folder can be written. */
export async function markUsed(folder: string): Promise<void> {
  const now = new Date();
  await utimes(join(folder, MANIFEST), now, now).catch(() => undefined);
}
