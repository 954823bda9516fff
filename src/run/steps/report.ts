import { stat } from "node:fs/promises";
import path from "node:path";
import { convergenceFile } from "../along-training.js";
import { importedFiles } from "../hand-over/imported-record.js";
import { armFiles, evaluationFiles, isWrittenFile, type Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { type StepOptions, type StepOutcome, taskLabel, tellSkipped } from "./step.js";

/** The report of a run, where no other file is named. */
export function reportFile(run: Run): string {
  return path.join(run.folder, "report.html");
}

/** Step 5: write the report. Skipped when it is newer than everything that it shows. */
export async function reportStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const file = reportFile(run);
  const name = path.basename(file);
  if (options.again !== true && (await isNewest(run, file))) {
    return [tellSkipped(options.progress, "report", name, "up to date")];
  }
  await reportRuns([run], options, file);
  return [{ name, state: "done" }];
}

/**
 * Write one report of one or more runs.
 *
 * @param relativeTo arm that recovered gains are shares of; absent: the one with the largest gain.
 */
export async function reportRuns(
  runs: readonly [Run, ...Run[]],
  options: StepOptions,
  file: string,
  relativeTo?: string,
): Promise<void> {
  const task = options.progress.task(taskLabel("report", path.basename(file)), 0, "");
  const input = { runFolders: runs.map(({ folder }) => folder), file, relativeTo };
  const { sizeBytes } = await runTask("report", input, { ...options, cwd: runs[0].record.workingFolder });
  task.finish(`${(sizeBytes / 1e6).toFixed(1)} MB`);
}

async function isNewest(run: Run, file: string): Promise<boolean> {
  if (!(await isWrittenFile(file))) return false;
  const { mtimeMs } = await stat(file);
  for (const arm of run.record.experiment.arms) {
    const { metrics, samplesRecord } = armFiles(run.folder, arm.name);
    const evaluations = evaluationFiles(run.folder, arm.name, run.record.experiment).map((one) => one.file);
    const imported = importedFiles(run.folder, arm.name).record;
    for (const shown of [metrics, samplesRecord, ...evaluations, imported, convergenceFile(run.folder, arm.name)]) {
      if ((await isWrittenFile(shown)) && (await stat(shown)).mtimeMs > mtimeMs) return false;
    }
  }
  return true;
}
