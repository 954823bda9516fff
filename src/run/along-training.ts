/**
 * @file Evaluations along training (`evaluate.every`): which steps, and where their files are. Training keeps the weights, the
 * sampling step draws from them with the noise and the classes of the end, the evaluation step measures.
 *
 *     arms/ARM/along/0000100/weights.safetensors                          averaged weights (sample.weights) after step 100
 *     arms/ARM/along/0000100/samples.npz  samples.json  evaluation.json   as at the end
 *     arms/ARM/convergence.json                                           the numbers of all steps
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { writeFileAtomic } from "../../data/atomic.js";
import { type ConvergenceRecord, convergenceOf } from "../report/convergence-record.js";
import { parseJson } from "../report/read-json.js";
import { evaluationSchema } from "../report/records.js";
import { findImported } from "./hand-over/imported-record.js";
import { armFiles, checkpointFile } from "./run-folder.js";
import type { Experiment } from "./schema.js";

/** A step of the training that is evaluated. */
export interface AlongPoint {
  readonly step: number;
  readonly folder: string;
  readonly weights: string;
  readonly samples: string;
  readonly samplesRecord: string;
  readonly samplesPicture: string;
  readonly evaluation: string;
}

/** The numbers of all steps of an arm, for the report and for others. */
export const convergenceFile = (runFolder: string, arm: string): string =>
  path.join(armFiles(runFolder, arm).folder, "convergence.json");

/** Where the weights after a step are kept. */
export const keptWeightsFile = (runFolder: string, arm: string, step: number): string =>
  path.join(stepFolder(runFolder, arm, step), "weights.safetensors");

/** Of all steps that are evaluated along training. */
export const alongFolder = (runFolder: string, arm: string): string =>
  path.join(armFiles(runFolder, arm).folder, "along");

const stepFolder = (runFolder: string, arm: string, step: number): string =>
  path.join(alongFolder(runFolder, arm), String(step).padStart(7, "0"));

/** Samples of each of them. */
export const alongCount = ({ sample, evaluate }: Experiment): number => evaluate.everyCount ?? sample.count;

/** Whether the training keeps weights after this step. The last ones are in the last checkpoint. */
export function isKept(step: number, { train, evaluate }: Pick<Experiment, "train" | "evaluate">): boolean {
  const { every } = evaluate;
  return every !== null && step % every === 0 && step < train.steps;
}

/**
 * The steps of an arm's training that are evaluated, beside the evaluation at the end; none where its weights were imported. The
 * last step is among them only if it is to be measured by another number of samples than at the end.
 */
export async function alongPoints(runFolder: string, experiment: Experiment, arm: string): Promise<AlongPoint[]> {
  const { train, sample, evaluate } = experiment;
  const { every } = evaluate;
  if (every === null || (await findImported(runFolder, arm)) !== undefined) return [];
  const steps: number[] = [];
  for (let step = every; step < train.steps; step += every) steps.push(step);
  if (alongCount(experiment) !== sample.count) steps.push(train.steps);
  return steps.map((step) => {
    const folder = stepFolder(runFolder, arm, step);
    return {
      step,
      folder,
      weights: step === train.steps ? checkpointFile(runFolder, arm, step) : keptWeightsFile(runFolder, arm, step),
      samples: path.join(folder, "samples.npz"),
      samplesRecord: path.join(folder, "samples.json"),
      samplesPicture: path.join(folder, "samples.png"),
      evaluation: path.join(folder, "evaluation.json"),
    };
  });
}

/** Write down the numbers of all steps, once each of them is evaluated; nothing where only the end is. */
export async function writeConvergence(runFolder: string, experiment: Experiment, arm: string): Promise<void> {
  const points = await alongPoints(runFolder, experiment, arm);
  if (points.length === 0) return;
  const files = points.map(({ evaluation }) => evaluation);
  // Measured by as many samples, the end is the last point.
  if (alongCount(experiment) === experiment.sample.count) files.push(armFiles(runFolder, arm).evaluation);
  const evaluations = [];
  for (const file of files) {
    const text = await readFile(file, "utf8");
    evaluations.push(parseJson(text, file, evaluationSchema, "evaluate again: descry evaluate RUN --again"));
  }
  const record: ConvergenceRecord = convergenceOf(evaluations);
  await writeFileAtomic(convergenceFile(runFolder, arm), `${JSON.stringify(record, null, 2)}\n`);
}
