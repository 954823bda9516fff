import { UsageError } from "../../../data/errors.js";
import { type AlongPoint, alongPoints } from "../along-training.js";
import { weightsFile } from "../hand-over/imported-record.js";
import { type ArmFiles, armFiles, isWrittenFile, type Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { type StepOptions, type StepOutcome, selectArms, tellSkipped } from "./step.js";

/**
 * Step 3: draw samples from the last checkpoint of each arm, or from the weights that were imported for it; writes `samples.npz`,
 * `samples.png` and, last, `samples.json`. With `evaluate.every` also from the weights that were kept along the training.
 *
 * @throws {UsageError} an arm is not trained yet.
 */
export async function sampleStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const { experiment, workingFolder } = run.record;
  const outcomes: StepOutcome[] = [];
  for (const arm of selectArms(run, options)) {
    const isDrawn = async ({ samples, samplesPicture, samplesRecord }: DrawnFiles): Promise<boolean> =>
      options.again !== true &&
      (await Promise.all([samples, samplesPicture, samplesRecord].map(isWrittenFile))).every(Boolean);
    const input = { runFolder: run.folder, experiment, arm: arm.name };
    const missing: AlongPoint[] = [];
    for (const point of await alongPoints(run.folder, experiment, arm.name)) {
      if (!(await isDrawn(point))) missing.push(point);
    }
    const isDone = await isDrawn(armFiles(run.folder, arm.name));
    if (isDone && missing.length === 0) {
      outcomes.push(tellSkipped(options.progress, "sample", arm.name, `${experiment.sample.count} samples are drawn`));
      continue;
    }
    const final = await weightsFile(run.folder, arm.name, experiment.train.steps);
    for (const weights of [...(isDone ? [] : [final]), ...missing.map((point) => point.weights)]) {
      if (await isWrittenFile(weights)) continue;
      throw new UsageError(`arm ${arm.name} is not trained to its end: ${weights} is missing`, {
        hint: `first: descry train ${run.folder}`,
      });
    }
    for (const point of missing) await runTask("sample", { ...input, point }, { ...options, cwd: workingFolder });
    if (!isDone) await runTask("sample", input, { ...options, cwd: workingFolder });
    outcomes.push({ name: arm.name, state: "done" });
  }
  return outcomes;
}

type DrawnFiles = Pick<ArmFiles, "samples" | "samplesPicture" | "samplesRecord">;
