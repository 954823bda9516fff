/**
 * @file Hands a run over to PyTorch: cached images or latents, labels, targets, and of each arm the initial weights and the recipe,
 * in one folder that explains itself. What comes back is `import-weights.ts`.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, statfs } from "node:fs/promises";
import path from "node:path";
import { fileError, writeFileAtomic } from "../../../data/atomic.js";
import { DataError, UsageError } from "../../../data/errors.js";
import { type SafeTensor, writeSafetensors } from "../../../data/safetensors.js";
import { parameterCount } from "../../models/parameters.js";
import { initialState, parameterShapes } from "../../train/train-state.js";
import { readFeaturesRecord } from "../features-record.js";
import { formatBytes } from "../format.js";
import type { ProgressSink } from "../progress.js";
import { type Experiment, RESULT_NEUTRAL_KEYS } from "../schema.js";
import { taskLabel } from "../steps/step.js";
import { type ArmModel, armModel } from "./arm-model.js";
import { exportReadme } from "./export-readme.js";
import { exportStore, type OpenedStore, openStores } from "./export-stores.js";

export interface ExportInput {
  readonly runFolder: string;
  readonly experiment: Experiment;
  /** Of the experiment. */
  readonly hash: string;
  readonly version: string;
  /** Absolute; must not hold anything. */
  readonly out: string;
}

export interface ExportResult {
  readonly out: string;
  readonly sizeBytes: number;
}

/** What the unfinished folder belongs to. */
const MARK = ".descry-export";

/**
 * Write everything that a training with PyTorch needs. It is written beside `out` as `OUT.partial` and renamed when it is whole; one
 * that was interrupted goes on after its last whole shard.
 *
 * @throws {UsageError} `out` holds something, or the features are not cached. @throws {DataError} no space, or it cannot be written.
 * @throws {CacheError} the cache is damaged.
 */
export async function exportRun(
  { runFolder, experiment, hash, version, out }: ExportInput,
  progress: ProgressSink,
): Promise<ExportResult> {
  const record = await readFeaturesRecord(runFolder);
  await refuseFilled(out);
  const stores = await openStores(record);
  try {
    const arms = await Promise.all(experiment.arms.map((arm) => armModel(experiment, record, arm)));
    const weightBytes = arms.reduce((sum, { config }) => sum + 4 * parameterCount(parameterShapes(config)), 0);
    const sizeBytes = stores.reduce((sum, store) => sum + store.sizeBytes, weightBytes);
    const partial = `${out}.partial`;
    const identity = JSON.stringify([hash, ...stores.map(({ store }) => store.header.key)]);
    await preparePartial(partial, identity, sizeBytes, progress);
    for (const store of stores) await exportStore(store, partial, progress);
    for (const arm of arms) await exportArm(arm, experiment, stores, partial, progress);
    const labels = await readLabels(stores[0]!);
    const labelTensor: SafeTensor = { dtype: "I64", shape: [labels.length], data: labels };
    await writeSafetensors(path.join(partial, "labels.safetensors"), { labels: labelTensor });
    await writeFileAtomic(path.join(partial, "README.md"), exportReadme(experiment, stores));
    const index = {
      format: "descry-export-1",
      descry: version,
      run: { name: experiment.name, hash },
      seed: experiment.seed,
      source: { name: record.source.name, fingerprint: record.source.fingerprint },
      length: record.source.length,
      classes: record.source.classes,
      labels: "labels.safetensors",
      stores: Object.fromEntries(stores.map((store) => [store.name, store.index])),
      arms: Object.fromEntries(
        arms.map(({ arm }) => [
          arm.name,
          {
            recipe: `arms/${arm.name}/recipe.json`,
            initial: `arms/${arm.name}/initial.safetensors`,
            target: arm.align === null ? null : arm.align.target,
          },
        ]),
      ),
    };
    await writeFileAtomic(path.join(partial, "export.json"), `${JSON.stringify(index, null, 2)}\n`);
    await finish(partial, out);
    return { out, sizeBytes };
  } finally {
    for (const { store } of stores) await store.close();
  }
}

async function refuseFilled(out: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(out);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw fileError(error, "cannot export into", out);
  }
  if (names.length === 0) return;
  throw new UsageError(`${out}: is not empty (it holds ${names[0]})`, { hint: "name a new folder: --out DIR" });
}

async function preparePartial(
  partial: string,
  identity: string,
  sizeBytes: number,
  progress: ProgressSink,
): Promise<void> {
  const mark = path.join(partial, MARK);
  try {
    const isThere = existsSync(partial);
    if (isThere && (!existsSync(mark) || (await readFile(mark, "utf8")) !== identity)) {
      throw new UsageError(`${partial}: holds something else than the unfinished export of this run`, {
        hint: "remove it, or name another folder: --out DIR",
      });
    }
    await mkdir(partial, { recursive: true });
    await writeFileAtomic(mark, identity);
    const { bavail, bsize } = await statfs(partial);
    const free = bavail * bsize;
    if (!isThere && sizeBytes > free) {
      await rm(partial, { recursive: true });
      throw new DataError(`${partial}: the export takes ${formatBytes(sizeBytes)}, but ${formatBytes(free)} are free`, {
        hint: "free some space, or name a folder on another disk: --out DIR",
      });
    }
    const again = isThere ? ", what an interrupted export has written is kept" : "";
    progress.line(`to export: ${formatBytes(sizeBytes)}; ${formatBytes(free)} are free${again}`);
  } catch (error) {
    throw fileError(error, "cannot export into", partial);
  }
}

async function finish(partial: string, out: string): Promise<void> {
  try {
    await rm(path.join(partial, MARK));
    // An empty folder is replaced; one that was filled meanwhile is not.
    await rename(partial, out);
  } catch (error) {
    throw fileError(error, "cannot export into", out);
  }
}

async function exportArm(
  { arm, config, model }: ArmModel,
  experiment: Experiment,
  stores: readonly OpenedStore[],
  partial: string,
  progress: ProgressSink,
): Promise<void> {
  const folder = path.join(partial, "arms", arm.name);
  await mkdir(folder, { recursive: true });
  const task = progress.task(taskLabel("export", arm.name), 0, "");
  const tensors: Record<string, SafeTensor> = {};
  for (const [name, { data, shape }] of Object.entries(initialState(config, experiment.seed))) {
    if (name.startsWith("model/")) tensors[name.slice("model/".length)] = { dtype: "F32", shape, data };
  }
  await writeSafetensors(path.join(folder, "initial.safetensors"), tensors, { format: "pt" });
  const results = Object.entries(experiment.train).filter(([key]) => !RESULT_NEUTRAL_KEYS.includes(`train.${key}`));
  const target = stores.find(({ target: name }) => arm.align !== null && name === arm.align.target);
  const recipe = {
    arm: arm.name,
    seed: experiment.seed,
    model: { type: experiment.model.type, ...model, nullClass: model.classes },
    align:
      arm.align === null
        ? null
        : { ...arm.align, store: target!.name, dim: config.targets[0]!.dim, parameters: "projectors.0." },
    train: Object.fromEntries(results),
  };
  await writeFileAtomic(path.join(folder, "recipe.json"), `${JSON.stringify(recipe, null, 2)}\n`);
  task.finish(`${Object.keys(tensors).length} tensors, recipe`);
}

/** Of the centre crops; those of their variants are the same. */
async function readLabels({ store, length }: OpenedStore): Promise<BigInt64Array> {
  const rows = Array.from({ length }, (_, i) => i);
  return BigInt64Array.from((await store.read("label", rows)) as Int32Array, BigInt);
}
