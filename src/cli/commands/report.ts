import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import type { Run } from "../../run/run-folder.js";
import { type Command, flag, listOption, textOption } from "../command.js";
import { OUTPUT_OPTIONS, openTarget, printResult, RUN_OPTIONS, showPath } from "../experiment-options.js";
import { openProgress } from "../progress.js";
import { RUN_POSITIONAL } from "../step-command.js";

/** `descry report RUN…`: the HTML report of a run, or of several beside each other. */
export const reportCommand: Command = {
  name: "report",
  arguments: "<run..>",
  summary: "write the HTML report of one or more runs from what is there",
  positionals: RUN_POSITIONAL,
  options: {
    "relative-to": {
      type: "string",
      requiresArg: true,
      describe: "arm that the others' gains are told as a share of (default: that with the largest gain)",
    },
    out: { type: "string", requiresArg: true, describe: "file to write (default: report.html in the run's folder)" },
    ...RUN_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 report runs/my-1a2b3c4d --out my.html", "one self-contained file"],
    ["$0 report runs/my-* --out seeds.html", "runs that differ in their seeds are averaged, others compared"],
    ["$0 report runs/my-* --out my.html --relative-to dinov2", "how much of dinov2's gain each target recovers"],
  ],
  async run(args, context) {
    const { reportFile, reportRuns } = await import("../../run/steps/report.js");
    const { readRuns } = await import("../../report/read-run.js");
    const { summarizeReport } = await import("../../report/summarize-report.js");
    const [first, ...others] = listOption(args, "run");
    const runs: [Run, ...Run[]] = [await openTarget(first!, args, context)];
    for (const name of others) runs.push(await openTarget(name, args, context));
    const out = textOption(args, "out");
    if (out === undefined && others.length > 0) {
      throw new UsageError(`a report of ${runs.length} runs belongs to none of them`, {
        hint: "say where: --out FILE",
      });
    }
    const relativeTo = textOption(args, "relative-to");
    if (relativeTo !== undefined) checkRelativeTo(runs, relativeTo);
    const file = out === undefined ? reportFile(runs[0]) : path.resolve(context.cwd, out);
    const progress = openProgress(context, flag(args, "quiet"));
    await reportRuns(runs, { progress, ...(context.signal ? { signal: context.signal } : {}) }, file, relativeTo);
    const folders = runs.map(({ folder }) => folder);
    const { groups, table } = summarizeReport(await readRuns(folders), relativeTo);
    printResult(
      args,
      context,
      { runs: folders, report: file, groups },
      `${table}\n\nreport: ${showPath(file, context)}`,
    );
    return 0;
  },
};

/** @throws {UsageError} no run has an aligned arm of that name. */
function checkRelativeTo(runs: readonly Run[], name: string): void {
  const aligned = runs.flatMap(({ record }) => record.experiment.arms.filter(({ align }) => align !== null));
  if (aligned.some((arm) => arm.name === name)) return;
  const known = [...new Set(aligned.map((arm) => arm.name))].join(", ");
  throw new UsageError(`--relative-to ${name}: no aligned arm has this name`, {
    hint: `aligned arms: ${known || "none"}`,
  });
}
