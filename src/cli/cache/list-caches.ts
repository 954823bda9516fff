import { listRowFolders, type RowFolder } from "../../../data/row-folders.js";
import { formatAge, formatBytes } from "../../run/format.js";
import { alignColumns } from "./align-columns.js";

/** One cache, as JSON. */
export interface ListedCache {
  readonly name: string;
  readonly folder: string;
  readonly key: string | null;
  /** Target, or `images`. */
  readonly holds: string | null;
  /** Data set. */
  readonly data: string | null;
  readonly rows: number | null;
  /** Number format of every column. */
  readonly dtype: string | null;
  readonly sizeBytes: number;
  readonly state: RowFolder["state"];
  readonly shards: RowFolder["shards"];
  readonly temporary: RowFolder["temporary"];
  readonly minCosine: number | null;
  /** ISO time. */
  readonly lastUsed: string;
  readonly holders: RowFolder["holders"];
}

/** All caches of a folder, as JSON and as a table. */
export async function listCaches(cacheFolder: string): Promise<{ caches: ListedCache[]; table: string }> {
  const caches = (await listRowFolders(cacheFolder)).map(listedCache);
  if (caches.length === 0) return { caches, table: `no caches in ${cacheFolder}` };
  const rows = caches.map((one) => [
    one.name,
    one.holds ?? "?",
    one.data ?? "?",
    one.rows?.toLocaleString("en") ?? "?",
    formatBytes(one.sizeBytes),
    one.minCosine === null ? (one.dtype ?? "?") : `${one.dtype} (cosine ≥ ${floorTo(one.minCosine, 5)})`,
    stateOf(one),
    formatAge((Date.now() - Date.parse(one.lastUsed)) / 1000),
  ]);
  const total = caches.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const head = ["cache", "holds", "data", "rows", "size", "format", "state", "last used"];
  return { caches, table: `${alignColumns([head, ...rows], [3, 4])}\n${formatBytes(total)} in ${cacheFolder}` };
}

function listedCache(found: RowFolder): ListedCache {
  const { name, folder, plan, sizeBytes, state, shards, temporary, minCosine, lastUsedMs, holders } = found;
  const meta = plan?.meta ?? {};
  const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
  const columns = Object.values(plan?.columns ?? {});
  return {
    name,
    folder,
    key: plan?.key ?? null,
    holds: text(meta["target"]) ?? text(meta["kind"]),
    data: text(meta["source"]),
    rows: plan?.rows ?? null,
    dtype: plan === undefined ? null : columns.map(({ dtype }) => (dtype === "Q8" ? "U8" : dtype)).join(" + "),
    sizeBytes,
    state,
    shards,
    temporary,
    minCosine: minCosine ?? null,
    lastUsed: new Date(lastUsedMs).toISOString(),
    holders,
  };
}

function stateOf({ state, shards, temporary, holders }: ListedCache): string {
  const words: string[] = [state];
  if (state === "incomplete") words[0] = `resumable, ${shards.there} of ${shards.all} shards`;
  for (const { pid, host, doing } of holders) words.push(`${doing}: process ${pid} on ${host}`);
  if (temporary.count > 0 && holders.length === 0) words.push(`${formatBytes(temporary.sizeBytes)} of orphans`);
  return words.join("; ");
}

/** Rounded down: what is stated holds. */
const floorTo = (value: number, digits: number): string =>
  (Math.floor(value * 10 ** digits) / 10 ** digits).toFixed(digits);
