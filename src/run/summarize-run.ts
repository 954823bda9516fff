/** @file What a finished run comes down to: the numbers of its arms, and a small table for the terminal. */
import { type NamedEvaluation, readRun } from "../report/read-run.js";
import { groupRuns } from "../report/run-groups.js";
import { formatTerminalTable } from "../report/terminal-table.js";
import type { Run } from "./run-folder.js";

/** The result of one arm: its `evaluation.json`, or null when it was not evaluated. */
export interface ArmResult {
  readonly arm: string;
  readonly evaluation: NamedEvaluation["record"] | null;
}

/** Collect the arms' results. @throws {DataError} a damaged file in the run's folder. */
export async function summarizeRun(run: Run): Promise<{ arms: ArmResult[]; table: string }> {
  const record = await readRun(run.folder);
  const arms = record.arms.map(({ name, evaluations }) => ({ arm: name, evaluation: evaluations[0]?.record ?? null }));
  return { arms, table: formatTerminalTable(groupRuns([record])[0]!) };
}
