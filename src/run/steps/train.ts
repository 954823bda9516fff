import { rm } from "node:fs/promises";
import { findImported } from "../hand-over/imported-record.js";
import { armFiles, checkpointFile, isWrittenFile, type Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { type StepOptions, type StepOutcome, selectArms, tellSkipped } from "./step.js";

/**
 * Step 2: train each arm, one process after the other; writes `metrics.jsonl` and checkpoints. An arm whose last checkpoint is
 * there is skipped; one that was stopped goes on after its newest checkpoint.
 */
export async function trainStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const { experiment, hash, workingFolder } = run.record;
  const outcomes: StepOutcome[] = [];
  for (const arm of selectArms(run, options)) {
    const { steps } = experiment.train;
    if (options.again === true) await rm(armFiles(run.folder, arm.name).folder, { recursive: true, force: true });
    const imported = await findImported(run.folder, arm.name);
    if (imported !== undefined) {
      const why = `imported from ${imported.file}, step ${imported.step}`;
      outcomes.push(tellSkipped(options.progress, "train", arm.name, why));
      continue;
    }
    if (await isWrittenFile(checkpointFile(run.folder, arm.name, steps))) {
      outcomes.push(tellSkipped(options.progress, "train", arm.name, `${steps} steps are done`));
      continue;
    }
    const input = { runFolder: run.folder, experiment, hash, arm: arm.name };
    await runTask("train", input, { ...options, cwd: workingFolder });
    outcomes.push({ name: arm.name, state: "done" });
  }
  return outcomes;
}
