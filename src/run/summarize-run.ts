/** @file What a finished run comes down to: the numbers of its arms, and a small table for the terminal. */
import { readFile } from "node:fs/promises";
import type { EvaluationRecord } from "../evaluate/evaluate-samples.js";
import { terminalTable } from "../report/terminal-table.js";
import { armFiles, isWrittenFile, type Run } from "./run-folder.js";

/** The result of one arm: its `evaluation.json`, or null when it was not evaluated. */
export interface ArmResult {
  readonly arm: string;
  readonly evaluation: EvaluationRecord | null;
}

/** Collect the arms' results. */
export async function summarizeRun(run: Run): Promise<{ arms: ArmResult[]; table: string }> {
  const arms: ArmResult[] = [];
  for (const { name } of run.record.experiment.arms) {
    const file = armFiles(run.folder, name).evaluation;
    const evaluation = (await isWrittenFile(file))
      ? (JSON.parse(await readFile(file, "utf8")) as EvaluationRecord)
      : null;
    arms.push({ arm: name, evaluation });
  }
  return { arms, table: terminalTable(arms) };
}
