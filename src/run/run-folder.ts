/**
 * @file The folder of a run: `runs/NAME-HASH8/`. Its name follows from the resolved experiment, so that the same file with the
 * same values continues the same run, and any other value starts another.
 *
 *     experiment.json                       resolved values, versions, machine, when and where it began
 *     report.html
 *     arms/ARM/metrics.jsonl                one line of JSON a step
 *     arms/ARM/checkpoint-0000300.safetensors
 *     arms/ARM/samples.npz  samples.json  samples.png
 *     arms/ARM/evaluation.json  evaluation-NETWORK.json  evaluation-influence.npz
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { writeFileAtomic } from "../../data/atomic.js";
import { CacheError, UsageError } from "../../data/errors.js";
import { networkSlug } from "../evaluate/network-name.js";
import { type MachineFacts, machineFacts, readVersions, type Versions } from "./machine.js";
import { hashExperiment, type ResolvedExperiment } from "./resolve-experiment.js";
import { type ArmConfig, type Experiment, LATER_KEYS } from "./schema.js";

/** Name of the file that makes a folder a run. */
export const RUN_RECORD = "experiment.json";

/** What it holds. */
export interface RunRecord {
  readonly format: "descry-run-1";
  readonly hash: string;
  /** ISO time of the first start. */
  readonly created: string;
  /** Folder that relative paths of the experiment are read from. */
  readonly workingFolder: string;
  readonly versions: Versions;
  readonly machine: MachineFacts;
  readonly experiment: Experiment;
}

/** An opened run. */
export interface Run {
  /** Absolute path. */
  readonly folder: string;
  /** Folder of the feature and image caches, absolute. */
  readonly cacheFolder: string;
  readonly record: RunRecord;
  /** Its folder was made just now, and was not there before. */
  readonly isNew: boolean;
}

/** Files of one arm. */
export interface ArmFiles {
  readonly folder: string;
  readonly metrics: string;
  readonly samples: string;
  readonly samplesRecord: string;
  readonly samplesPicture: string;
  readonly evaluation: string;
}

/** Where the run of an experiment is. */
export const runFolderOf = ({ experiment, hash }: ResolvedExperiment, runsFolder: string): string =>
  path.join(runsFolder, `${experiment.name}-${hash}`);

/**
 * Make the folder of a resolved experiment, or open it when it is there.
 *
 * @param runsFolder folder of all runs, absolute.
 * @param cwd        working folder, absolute: relative paths of the experiment and `.descry/cache` are read from it.
 * @throws {CacheError} the folder holds another experiment or a damaged record.
 */
export async function createRun(resolved: ResolvedExperiment, runsFolder: string, cwd: string): Promise<Run> {
  const folder = runFolderOf(resolved, runsFolder);
  if (existsSync(path.join(folder, RUN_RECORD))) {
    const run = await openRun(folder, cwd);
    // What changes no result (threads, how often to log) follows the file of today.
    return { ...run, record: { ...run.record, experiment: resolved.experiment } };
  }
  const record: RunRecord = {
    format: "descry-run-1",
    hash: resolved.hash,
    created: new Date().toISOString(),
    workingFolder: cwd,
    versions: readVersions(),
    machine: machineFacts(),
    experiment: resolved.experiment,
  };
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(path.join(folder, RUN_RECORD), `${JSON.stringify(record, null, 2)}\n`);
  return { folder, cacheFolder: cacheFolderOf(cwd), record, isNew: true };
}

/**
 * Open the folder of a run.
 *
 * @param cwd used for relative paths when the working folder of the run is no longer there (the run was moved).
 * @throws {UsageError} there is no run in the folder.
 * @throws {CacheError} `experiment.json` is damaged or does not fit its own hash.
 */
export async function openRun(folder: string, cwd: string): Promise<Run> {
  const file = path.join(folder, RUN_RECORD);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new UsageError(`${folder}: no run here (no experiment.json)`, {
      hint: "name a folder under runs/, or an experiment file",
      cause,
    });
  }
  const record = parseRecord(text, file);
  const home = existsSync(record.workingFolder) ? record.workingFolder : cwd;
  return { folder, cacheFolder: cacheFolderOf(home), record: { ...record, workingFolder: home }, isNew: false };
}

function parseRecord(text: string, file: string): RunRecord {
  let record: RunRecord;
  try {
    record = JSON.parse(text) as RunRecord;
  } catch (cause) {
    throw new CacheError(`${file}: not valid JSON`, { hint: "remove the run's folder and run again", cause });
  }
  if (record.format !== "descry-run-1") {
    throw new CacheError(`${file}: wanted format descry-run-1, got ${JSON.stringify(record.format)}`);
  }
  const hash = hashExperiment(record.experiment);
  if (hash !== record.hash) {
    throw new CacheError(`${file}: the experiment was changed by hand (hash ${hash}, recorded ${record.hash})`, {
      hint: "change the experiment file instead; it gets a run of its own",
    });
  }
  fillLaterKeys(record.experiment);
  return record;
}

function fillLaterKeys(experiment: Experiment): void {
  for (const [path, before] of Object.entries(LATER_KEYS)) {
    const [key, section] = path.split(".").reverse() as [string, keyof Experiment | undefined];
    const holder = (section === undefined ? experiment : experiment[section]) as Record<string, unknown>;
    holder[key] ??= before;
  }
}

/** `.descry/cache` of a working folder. */
export function cacheFolderOf(cwd: string): string {
  return path.join(cwd, ".descry", "cache");
}

/** The files of an arm. */
export function armFiles(runFolder: string, arm: string): ArmFiles {
  const folder = path.join(runFolder, "arms", arm);
  return {
    folder,
    metrics: path.join(folder, "metrics.jsonl"),
    samples: path.join(folder, "samples.npz"),
    samplesRecord: path.join(folder, "samples.json"),
    samplesPicture: path.join(folder, "samples.png"),
    evaluation: path.join(folder, "evaluation.json"),
  };
}

/** Networks that an experiment evaluates by, and the file that each writes of an arm: the first one's is `evaluation.json`. */
export function evaluationFiles(runFolder: string, arm: string, { evaluate }: Pick<Experiment, "evaluate">) {
  const { folder, evaluation } = armFiles(runFolder, arm);
  const others = evaluate.also.map((network) => ({
    network,
    file: path.join(folder, `evaluation-${networkSlug(network)}.json`),
  }));
  return [{ network: evaluate.network, file: evaluation }, ...others];
}

/** Checkpoint after `step` steps. */
export function checkpointFile(runFolder: string, arm: string, step: number): string {
  return path.join(armFiles(runFolder, arm).folder, `checkpoint-${String(step).padStart(7, "0")}.safetensors`);
}

/**
 * The arm of that name.
 *
 * @throws {UsageError} there is none; lists those that are.
 */
export function findArm(experiment: Experiment, name: string): ArmConfig {
  const arm = experiment.arms.find((one) => one.name === name);
  if (arm === undefined) {
    const known = experiment.arms.map((one) => one.name).join(", ");
    throw new UsageError(`no arm "${name}" in ${experiment.name}`, { hint: `arms: ${known}` });
  }
  return arm;
}

/** Whether a file is there and not empty. */
export async function isWrittenFile(file: string): Promise<boolean> {
  try {
    const facts = await stat(file);
    return facts.isFile() && facts.size > 0;
  } catch {
    return false;
  }
}
