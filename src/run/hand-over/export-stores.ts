import { mkdir } from "node:fs/promises";
import path from "node:path";
import { planRowStore, type RowStorePlan, rowsOfShard, shardCount } from "../../../data/row-plan.js";
import { bytesOfRow, shardFile } from "../../../data/row-shard.js";
import { type Column, type RowStore, writeRowStore } from "../../../data/row-store.js";
import { type CachedStore, type FeaturesRecord, type LatentsRecord, openCachedStore } from "../features-record.js";
import { formatDuration } from "../format.js";
import type { ProgressSink } from "../progress.js";
import { taskLabel } from "../steps/step.js";

/** A cached store that is exported: images, latents or the features of a target. */
export interface OpenedStore {
  /** Of `stores` in export.json: `images`, `latents`, `targets/sift`. */
  readonly name: string;
  /** The target whose features these are. */
  readonly target?: string;
  readonly store: RowStore;
  readonly plan: RowStorePlan;
  /** Images, of which the store may have several variants. */
  readonly length: number;
  readonly sizeBytes: number;
  /** What export.json says of it. */
  readonly index: Readonly<Record<string, unknown>>;
}

/** Rows read at a time. */
const BATCH = 64;
/** What safetensors readers understand without knowing us. */
const PLAIN: readonly string[] = ["F32", "F16", "U8", "I32"];

/**
 * Open all stores that a training reads: what the model sees, images or latents, and every target. What features.json says of one besides
 * (how latents are scaled) is kept in the index. In latent space the cached pixels are few and for the evaluation: they stay here.
 *
 * @returns what the model sees first. @throws {CacheError} a store is missing or damaged.
 */
export async function openStores(record: FeaturesRecord): Promise<OpenedStore[]> {
  const { length } = record.source;
  const opened: OpenedStore[] = [];
  try {
    const { images, latents } = record;
    opened.push(
      latents === undefined ? await openOne("images", images, length) : await openOne("latents", latents, length),
    );
    for (const [i, [target, value]] of Object.entries(record.targets).entries()) {
      // Targets are named by paths and options too: the folder gets what a file name can have of it.
      const safe = target.replaceAll(/[^A-Za-z0-9._-]+/g, "-").slice(0, 60);
      const isPlain = safe === target;
      opened.push(await openOne(`targets/${isPlain ? safe : `${i}-${safe}`}`, value, length, target));
    }
    return opened;
  } catch (error) {
    for (const { store } of opened) await store.close();
    throw error;
  }
}

async function openOne(
  name: string,
  place: CachedStore | LatentsRecord,
  length: number,
  target?: string,
): Promise<OpenedStore> {
  const { folder, key, ...others } = place;
  const store = await openCachedStore({ folder, key });
  const columns = Object.fromEntries(Object.entries(store.header.columns).map(([column, is]) => [column, plain(is)]));
  const plan = planRowStore({ ...store.header, columns });
  const shards = Array.from({ length: shardCount(plan) }, (_, shard) => {
    const { start, end } = rowsOfShard(plan, shard);
    return { file: shardFile(shard), rows: end - start };
  });
  const { rows, shardRows } = plan;
  return {
    name,
    ...(target === undefined ? {} : { target }),
    store,
    plan,
    length,
    sizeBytes: rows * bytesOfRow(columns),
    index: { ...others, ...(target === undefined ? {} : { target }), folder: name, rows, shardRows, columns, shards },
  };
}

/** Columns that are packed in a way of our own are unpacked to half precision. */
function plain({ dtype, shape }: Column): Column {
  return { dtype: PLAIN.includes(dtype) ? dtype : "F16", shape };
}

/** Write a store into the export, or what is missing of it. */
export async function exportStore(
  { name, store, plan }: OpenedStore,
  folder: string,
  progress: ProgressSink,
): Promise<void> {
  const out = path.join(folder, name);
  await mkdir(out, { recursive: true });
  const task = progress.task(taskLabel("export", name), plan.rows, "rows");
  const began = performance.now();
  const makeRows = async function* (start: number, end: number) {
    for (let first = start; first < end; first += BATCH) {
      const rows = Array.from({ length: Math.min(BATCH, end - first) }, (_, i) => first + i);
      const columns = Object.keys(plan.columns).map(
        async (column) => [column, await store.read(column, rows)] as const,
      );
      yield Object.fromEntries(await Promise.all(columns));
    }
  };
  const { key, rows, columns, meta, shardRows } = plan;
  const options = { shardRows, onRows: (done: number) => task.update(done) };
  await writeRowStore(out, { key, rows, columns, meta }, makeRows, options);
  const shards = shardCount(plan);
  task.finish(
    `${rows} rows in ${shards} shard${shards === 1 ? "" : "s"}, ${formatDuration((performance.now() - began) / 1000)}`,
  );
}
