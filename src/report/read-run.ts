/** @file A run folder as the report sees it: read whole, checked field by field, nothing guessed. */
import { existsSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../../data/atomic.js";
import { DataError, UsageError } from "../../data/errors.js";
import { type ConvergenceRecord, convergenceSchema } from "./convergence-record.js";
import { type FilmRecord, filmSchema } from "./film-record.js";
import { type Influences, readInfluence } from "./read-influence.js";
import { parseJson, readOptionalJson, readOptionalText } from "./read-json.js";
import {
  type ArmSettings,
  type CachesRecord,
  cachesSchema,
  type Evaluation,
  type ExperimentRecord,
  evaluationSchema,
  experimentFileSchema,
  type ImportedRecord,
  importedSchema,
  type LatentsSummary,
  latentsSchema,
  type SamplesFile,
  type StepRecord,
  samplesSchema,
  stepMetricsSchema,
  type TargetsRecord,
  targetsSchema,
} from "./records.js";

/** A run: what was asked for, where it happened, and what came out. */
export interface RunRecord {
  /** Absolute path. */
  readonly folder: string;
  readonly hash: string;
  /** ISO time of the first start. */
  readonly created: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly experiment: ExperimentRecord;
  /** In the order of the experiment. */
  readonly arms: readonly ArmRecord[];
  /** What was cached for it; null before that is done. */
  readonly caches: CachesRecord | null;
  /** Pictures and spatial metrics of the targets, or null when none were made. */
  readonly targets: TargetsRecord | null;
  /** What the model was trained on; null in pixel space. */
  readonly latents: LatentsSummary | null;
}

/** One arm of a run. */
export interface ArmRecord {
  readonly name: string;
  /** Null for a control. */
  readonly align: ArmSettings["align"];
  /** Absolute path of its folder, whether or not it is there. */
  readonly folder: string;
  /** In the order of steps; empty when nothing was logged. */
  readonly metrics: readonly StepRecord[];
  readonly samples: SamplesFile | null;
  /** Where its weights came from, if not from the training here. */
  readonly imported: ImportedRecord | null;
  /** Files of the samples; null where not there. */
  readonly samplesPicture: string | null;
  readonly samplesArray: string | null;
  /** What was drawn while training, or null when nothing was; its pictures lie in the arm's folder `film`. */
  readonly film: FilmRecord | null;
  /** Its numbers along the training; null: not measured. */
  readonly convergence: ConvergenceRecord | null;
  /** By file: `evaluation.json` first, then `evaluation-*.json` by name. Empty: not evaluated. */
  readonly evaluations: readonly NamedEvaluation[];
}

export interface NamedEvaluation {
  /** File name without `.json`. */
  readonly name: string;
  readonly record: Evaluation;
  readonly influences: Influences;
}

export interface ReadOptions {
  /** The run may be written to: a last line of a log without its line feed is left out instead of being an error. @default false */
  readonly underWay?: boolean;
}

/**
 * Read a run folder: `experiment.json`, `features.json`, `targets/targets.json` and of each arm `metrics.jsonl`, `film/film.json`,
 * `convergence.json`, `samples.*` and `evaluation*.json` with the influences that they name. Only `experiment.json` must be there; an
 * arm without the others is one that did not come that far.
 *
 * @throws {DataError} a file is damaged or, for `experiment.json`, missing: names the file, the line and the field.
 */
export async function readRun(runFolder: string, reading: ReadOptions = {}): Promise<RunRecord> {
  const folder = path.resolve(runFolder);
  const inFolder = (...names: string[]) => path.join(folder, ...names);
  const file = inFolder("experiment.json");
  const damaged = "the run's record is damaged: run the experiment again in a new folder";
  const record = await readOptionalJson(file, experimentFileSchema, damaged);
  if (record === null) {
    throw new DataError(`${file}: there is no such file`, { hint: "name a folder that descry run has made" });
  }
  const { hash, created, versions, machine, experiment } = record;
  const names = experiment.arms.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new DataError(`${file}: experiment.arms: two arms are named "${twice}"`);
  const arms: ArmRecord[] = [];
  for (const { name, align } of experiment.arms) {
    arms.push(await readArm(inFolder("arms", name), name, align, reading));
  }
  return {
    folder,
    hash,
    created,
    versions,
    machine,
    experiment,
    arms,
    caches: await readOptionalJson(inFolder("features.json"), cachesSchema, "remove the file and run again"),
    targets: await readOptionalJson(
      inFolder("targets", "targets.json"),
      targetsSchema,
      "remove the folder targets; the pictures can be made again",
    ),
    latents: await readOptionalJson(
      inFolder("latents", "latents.json"),
      latentsSchema,
      "cache anew: descry features RUN --again",
    ),
  };
}

/**
 * Read several runs, in the order given.
 *
 * @throws {UsageError} no folder, or one folder twice. @throws {DataError} see {@link readRun}.
 */
export async function readRuns(runFolders: readonly string[], reading: ReadOptions = {}): Promise<RunRecord[]> {
  if (runFolders.length === 0) throw new UsageError("a report needs at least one run folder");
  const runs: RunRecord[] = [];
  const seen = new Set<string>();
  for (const given of runFolders) {
    const run = await readRun(given, reading);
    const real = await realpath(run.folder);
    if (seen.has(real)) throw new UsageError(`${given}: this run is named twice`);
    seen.add(real);
    runs.push(run);
  }
  return runs;
}

async function readArm(
  folder: string,
  name: string,
  align: ArmSettings["align"],
  reading: ReadOptions,
): Promise<ArmRecord> {
  const inFolder = (...names: string[]) => path.join(folder, ...names);
  const whereThere = (file: string) => (existsSync(file) ? file : null);
  return {
    name,
    align,
    folder,
    metrics: await readMetrics(inFolder("metrics.jsonl"), reading),
    samples: await readOptionalJson(
      inFolder("samples.json"),
      samplesSchema,
      "draw the samples again: descry sample RUN",
    ),
    imported: await readOptionalJson(
      inFolder("imported.json"),
      importedSchema,
      "import the weights again: descry import RUN --replace",
    ),
    samplesPicture: whereThere(inFolder("samples.png")),
    samplesArray: whereThere(inFolder("samples.npz")),
    film: await readOptionalJson(
      inFolder("film", "film.json"),
      filmSchema,
      "remove the folder film; the run is whole without it",
    ),
    convergence: await readOptionalJson(
      inFolder("convergence.json"),
      convergenceSchema,
      "remove it, and evaluate again: descry evaluate RUN",
    ),
    evaluations: await readEvaluations(folder, name),
  };
}

async function readMetrics(file: string, { underWay = false }: ReadOptions): Promise<StepRecord[]> {
  const text = await readOptionalText(file);
  if (text === null) return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "" || underWay) lines.pop();
  const hint = "the training was killed while it wrote; descry train RUN mends the end of the file";
  const records: StepRecord[] = [];
  for (const [i, line] of lines.entries()) {
    const place = `${file}:${i + 1}`;
    const record = parseJson(line, place, stepMetricsSchema, hint);
    const last = records.at(-1)?.step ?? 0;
    if (record.step <= last) {
      throw new DataError(`${place}: step: wanted more than ${last}, got ${record.step}`, {
        hint: "two trainings wrote into one file",
      });
    }
    records.push(record);
  }
  return records;
}

async function readEvaluations(folder: string, arm: string): Promise<NamedEvaluation[]> {
  const names = (await listFolder(folder)).filter((name) => /^evaluation.*\.json$/.test(name));
  names.sort((a, b) => Number(b === "evaluation.json") - Number(a === "evaluation.json") || (a < b ? -1 : 1));
  const evaluations: NamedEvaluation[] = [];
  for (const name of names) {
    const file = path.join(folder, name);
    const text = (await readOptionalText(file)) ?? "";
    const record = parseJson(text, file, evaluationSchema, "evaluate again: descry evaluate RUN");
    if (record.arm !== arm) {
      throw new DataError(`${file}: arm: wanted ${JSON.stringify(arm)}, got ${JSON.stringify(record.arm)}`, {
        hint: "the file belongs to another arm",
      });
    }
    const influences = await readInfluence(folder, record);
    evaluations.push({ name: name.slice(0, -".json".length), record, influences });
  }
  return evaluations;
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw fileError(error, "cannot read", folder);
  }
}
