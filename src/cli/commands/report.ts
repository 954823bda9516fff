import path from "node:path";
import { type Command, flag, positional, textOption } from "../command.js";
import { OUTPUT_OPTIONS, openTarget, printResult, RUN_OPTIONS, showPath } from "../experiment-options.js";
import { openProgress } from "../progress.js";
import { RUN_POSITIONAL } from "../step-command.js";

/** `descry report RUN`: the HTML report of a run. */
export const reportCommand: Command = {
  name: "report",
  arguments: "<run>",
  summary: "write the HTML report of a run from what is there",
  positionals: RUN_POSITIONAL,
  options: {
    out: { type: "string", requiresArg: true, describe: "file to write (default: report.html in the run's folder)" },
    ...RUN_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [["$0 report runs/my-1a2b3c4d --out my.html", "one self-contained file"]],
  async run(args, context) {
    const { reportFile, reportStep } = await import("../../run/steps/report.js");
    const run = await openTarget(positional(args, "run"), args, context);
    const out = textOption(args, "out");
    const file = out === undefined ? reportFile(run) : path.resolve(context.cwd, out);
    const progress = openProgress(context, flag(args, "quiet"));
    await reportStep(run, { progress, again: true, ...(context.signal ? { signal: context.signal } : {}) }, file);
    printResult(args, context, { run: run.folder, report: file }, showPath(file, context));
    return 0;
  },
};
