/** @file What the analyses share: runs in, files out. */
import path from "node:path";
import type { RunRecord } from "../../../report/read-run.js";
import { type Arguments, listOption, textOption } from "../../command.js";
import type { CliContext } from "../../context.js";
import { OUTPUT_OPTIONS, openTarget } from "../../experiment-options.js";

export const RUNS_POSITIONAL = {
  run: { type: "string", describe: "run folders, or experiment files with runs" },
} as const;

export const ANALYSIS_OPTIONS = {
  evaluation: {
    type: "string",
    requiresArg: true,
    describe: "which evaluations of the arms (default evaluation: evaluation.json)",
  },
  out: { type: "string", requiresArg: true, describe: "folder for the files (default analysis)" },
  ...OUTPUT_OPTIONS,
} as const;

/** The runs that a command line names, as the report reads them; empty where it names none. */
export async function readNamedRuns(args: Arguments, context: CliContext): Promise<RunRecord[]> {
  const names = listOption(args, "run");
  if (names.length === 0) return [];
  const folders: string[] = [];
  for (const name of names) folders.push((await openTarget(name, args, context)).folder);
  const { readRuns } = await import("../../../report/read-run.js");
  return readRuns(folders);
}

/** `--out`, or `analysis` in the working folder; absolute. */
export function outFolder(args: Arguments, { cwd }: CliContext): string {
  return path.resolve(cwd, textOption(args, "out") ?? "analysis");
}
