import { stat } from "node:fs/promises";
import path from "node:path";
import { armFiles, isWrittenFile, type Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { type StepOptions, type StepOutcome, taskLabel, tellSkipped } from "./step.js";

/** The report of a run, where no other file is named. */
export function reportFile(run: Run): string {
  return path.join(run.folder, "report.html");
}

/** Step 5: write the report. Skipped when it is newer than everything that it shows. */
export async function reportStep(run: Run, options: StepOptions, file = reportFile(run)): Promise<StepOutcome[]> {
  const name = path.basename(file);
  if (options.again !== true && (await isNewest(run, file))) {
    return [tellSkipped(options.progress, "report", name, "up to date")];
  }
  const task = options.progress.task(taskLabel("report", name), 0, "");
  const input = { runFolder: run.folder, file };
  const { sizeBytes } = await runTask("report", input, { ...options, cwd: run.record.workingFolder });
  task.finish(`${(sizeBytes / 1e6).toFixed(1)} MB`);
  return [{ name, state: "done" }];
}

async function isNewest(run: Run, file: string): Promise<boolean> {
  if (!(await isWrittenFile(file))) return false;
  const { mtimeMs } = await stat(file);
  for (const arm of run.record.experiment.arms) {
    const { metrics, samplesRecord, evaluation } = armFiles(run.folder, arm.name);
    for (const shown of [metrics, samplesRecord, evaluation]) {
      if ((await isWrittenFile(shown)) && (await stat(shown)).mtimeMs > mtimeMs) return false;
    }
  }
  return true;
}
