import { UsageError } from "../../../data/errors.js";
import { armFiles, isWrittenFile, type Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { type StepOptions, type StepOutcome, selectArms, tellSkipped } from "./step.js";

/**
 * Step 4: compare the samples of each arm with the real images; writes `evaluation.json`. All arms in one process: the real
 * images pass through the network once.
 *
 * @throws {UsageError} the samples of an arm are missing.
 */
export async function evaluateStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const { experiment, workingFolder } = run.record;
  const outcomes: StepOutcome[] = [];
  const open: string[] = [];
  for (const arm of selectArms(run, options)) {
    const files = armFiles(run.folder, arm.name);
    if (options.again !== true && (await isWrittenFile(files.evaluation))) {
      outcomes.push(tellSkipped(options.progress, "evaluate", arm.name, "evaluated"));
      continue;
    }
    if (!(await isWrittenFile(files.samplesRecord))) {
      throw new UsageError(`arm ${arm.name} has no samples: ${files.samplesRecord} is missing`, {
        hint: `first: descry sample ${run.folder}`,
      });
    }
    open.push(arm.name);
    outcomes.push({ name: arm.name, state: "done" });
  }
  if (open.length > 0) {
    const input = { runFolder: run.folder, experiment, arms: open };
    await runTask("evaluate", input, { ...options, cwd: workingFolder });
  }
  return outcomes;
}
