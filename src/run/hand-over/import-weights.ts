import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { writeFileAtomic } from "../../../data/atomic.js";
import { UsageError } from "../../../data/errors.js";
import { lockFolder } from "../../../data/folder-lock.js";
import { hashFile } from "../../../data/hash-file.js";
import { influencePath } from "../../evaluate/write-influence.js";
import type { ImportedRecord } from "../../report/records.js";
import { listCheckpoints, writeCheckpointFile } from "../../train/checkpoint.js";
import { METRICS_FILE } from "../../train/train-arm.js";
import { parameterShapes } from "../../train/train-state.js";
import { alongFolder, convergenceFile } from "../along-training.js";
import { readFeaturesRecord } from "../features-record.js";
import { armFiles, evaluationFiles, findArm } from "../run-folder.js";
import type { Experiment } from "../schema.js";
import { armModel } from "./arm-model.js";
import { findImported, importedFiles } from "./imported-record.js";
import { readPytorchWeights } from "./read-pytorch-weights.js";

export interface ImportInput {
  readonly runFolder: string;
  readonly experiment: Experiment;
  readonly arm: string;
  /** Absolute. */
  readonly file: string;
  /** Training step of the weights; null: as the file's metadata say, or else the experiment's last. */
  readonly step: number | null;
  /** Also where the arm has weights: they are removed. */
  readonly replace: boolean;
}

/**
 * Take weights that were trained elsewhere as those of an arm. What was drawn and measured of the arm before is removed, for it
 * belongs to other weights.
 *
 * @throws {UsageError} no such arm; one that has weights, without `replace`; weights of another kind than the experiment samples
 *   from. @throws {DataError} weights that are not of this arm's model. @throws {CacheError} another process works on the run.
 */
export async function importWeights({
  runFolder,
  experiment,
  arm: name,
  file,
  step,
  replace,
}: ImportInput): Promise<ImportedRecord> {
  const arm = findArm(experiment, name);
  const record = await readFeaturesRecord(runFolder);
  const { config } = await armModel(experiment, record, arm);
  const wanted = experiment.sample.weights;
  const { tensors, weights, metadata } = await readPytorchWeights(file, parameterShapes(config), wanted);
  if (!weights.includes(wanted)) {
    throw new UsageError(`${file}: has ${weights.join()} weights only, and the experiment samples from ${wanted}`, {
      hint: `save the ${wanted} weights, or name these without a prefix`,
    });
  }
  const lock = await lockFolder(runFolder);
  try {
    const { folder, samples, samplesPicture, samplesRecord } = armFiles(runFolder, name);
    const evaluations = evaluationFiles(runFolder, name, experiment).map((one) => one.file);
    const files = importedFiles(runFolder, name);
    const trained = await listCheckpoints(folder);
    const before = await findImported(runFolder, name).catch(() => null);
    if (!replace && (trained.length > 0 || before !== undefined)) {
      const has = trained.length > 0 ? `checkpoints up to step ${trained.at(-1)!.step}` : "weights that were imported";
      throw new UsageError(`arm ${name} has ${has}`, { hint: "--replace removes them" });
    }
    const imported: ImportedRecord = {
      format: "descry-import-1",
      file: path.basename(file),
      sha256: await hashFile(file),
      ...stepOf(step, metadata["step"], experiment.train.steps),
      weights: [...weights],
      imported: new Date().toISOString(),
    };
    await mkdir(folder, { recursive: true });
    // The record goes first and comes last: where it is, everything beside it belongs to it.
    await rm(files.record, { force: true });
    const measured = [...evaluations, ...evaluations.map(influencePath), convergenceFile(runFolder, name)];
    for (const old of [samplesRecord, samples, samplesPicture, ...measured]) await rm(old, { force: true });
    await rm(alongFolder(runFolder, name), { recursive: true, force: true });
    await writeCheckpointFile(files.weights, {
      step: imported.step,
      state: tensors,
      config: { imported: imported.file, sha256: imported.sha256 },
      configHash: "imported",
    });
    for (const { path: old } of trained) await rm(old);
    if (trained.length > 0) await rm(path.join(folder, METRICS_FILE), { force: true });
    await writeFileAtomic(files.record, `${JSON.stringify(imported, null, 2)}\n`);
    return imported;
  } finally {
    await lock.release();
  }
}

function stepOf(
  given: number | null,
  said: string | undefined,
  usual: number,
): Pick<ImportedRecord, "step" | "stepFrom"> {
  if (given !== null) return { step: given, stepFrom: "--step" };
  if (said !== undefined && /^\d{1,15}$/.test(said)) return { step: Number(said), stepFrom: "the file" };
  return { step: usual, stepFrom: "the experiment" };
}
