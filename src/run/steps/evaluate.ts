import { UsageError } from "../../../data/errors.js";
import { type AlongPoint, alongPoints, convergenceFile, writeConvergence } from "../along-training.js";
import { armFiles, isWrittenFile, type Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { type StepOptions, type StepOutcome, selectArms, tellSkipped } from "./step.js";

/**
 * Step 4: compare the samples of each arm with the real images; writes `evaluation.json`. All arms in one process: the real
 * images pass through the network once. With `evaluate.every` also the samples along the training; writes `convergence.json`.
 *
 * @throws {UsageError} the samples of an arm are missing.
 */
export async function evaluateStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const { experiment, workingFolder } = run.record;
  const outcomes: StepOutcome[] = [];
  const open: string[] = [];
  const along: { arm: string; point: AlongPoint }[] = [];
  const isOpen = async (file: string) => options.again === true || !(await isWrittenFile(file));
  for (const { name } of selectArms(run, options)) {
    const files = armFiles(run.folder, name);
    const points = await alongPoints(run.folder, experiment, name);
    const missing: AlongPoint[] = [];
    for (const point of points) if (await isOpen(point.evaluation)) missing.push(point);
    const isMissing = await isOpen(files.evaluation);
    const isConvergenceMissing = points.length > 0 && (await isOpen(convergenceFile(run.folder, name)));
    if (!isMissing && missing.length === 0 && !isConvergenceMissing) {
      outcomes.push(tellSkipped(options.progress, "evaluate", name, "evaluated"));
      continue;
    }
    for (const { samplesRecord } of [...(isMissing ? [files] : []), ...missing]) {
      if (await isWrittenFile(samplesRecord)) continue;
      throw new UsageError(`arm ${name} has no samples: ${samplesRecord} is missing`, {
        hint: `first: descry sample ${run.folder}`,
      });
    }
    if (isMissing) open.push(name);
    along.push(...missing.map((point) => ({ arm: name, point })));
    outcomes.push({ name, state: "done" });
  }
  if (open.length > 0 || along.length > 0) {
    const input = { runFolder: run.folder, experiment, arms: open, along };
    await runTask("evaluate", input, { ...options, cwd: workingFolder });
  }
  for (const { name, state } of outcomes) {
    if (state === "done") await writeConvergence(run.folder, experiment, name);
  }
  return outcomes;
}
