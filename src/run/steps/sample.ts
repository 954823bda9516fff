import { UsageError } from "../../../data/errors.js";
import { weightsFile } from "../hand-over/imported-record.js";
import { armFiles, isWrittenFile, type Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { type StepOptions, type StepOutcome, selectArms, tellSkipped } from "./step.js";

/**
 * Step 3: draw samples from the last checkpoint of each arm, or from the weights that were imported for it; writes `samples.npz`,
 * `samples.png` and, last, `samples.json`.
 *
 * @throws {UsageError} an arm is not trained yet.
 */
export async function sampleStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const { experiment, workingFolder } = run.record;
  const outcomes: StepOutcome[] = [];
  for (const arm of selectArms(run, options)) {
    const files = armFiles(run.folder, arm.name);
    const written = [files.samples, files.samplesPicture, files.samplesRecord];
    if (options.again !== true && (await Promise.all(written.map(isWrittenFile))).every(Boolean)) {
      outcomes.push(tellSkipped(options.progress, "sample", arm.name, `${experiment.sample.count} samples are drawn`));
      continue;
    }
    const checkpoint = await weightsFile(run.folder, arm.name, experiment.train.steps);
    if (!(await isWrittenFile(checkpoint))) {
      throw new UsageError(`arm ${arm.name} is not trained to its end: ${checkpoint} is missing`, {
        hint: `first: descry train ${run.folder}`,
      });
    }
    const input = { runFolder: run.folder, experiment, arm: arm.name };
    await runTask("sample", input, { ...options, cwd: workingFolder });
    outcomes.push({ name: arm.name, state: "done" });
  }
  return outcomes;
}
