import { formatDuration } from "../../run/format.js";
import { type Command, flag, positional } from "../command.js";
import {
  OUTPUT_OPTIONS,
  openTarget,
  printResult,
  QUEUE_OPTIONS,
  RUN_OPTIONS,
  showPath,
} from "../experiment-options.js";
import { openProgress } from "../progress.js";
import { refuseWithQueue, runByWorkers } from "../queue-option.js";

/** `descry run FILE`: the whole way, from images to a report. */
export const runCommand: Command = {
  name: "run",
  arguments: "<file>",
  summary: "run an experiment from images to a report; run again to continue",
  positionals: { file: { type: "string", describe: "experiment file (YAML), or the folder of a run to continue" } },
  options: {
    ...RUN_OPTIONS,
    resume: { type: "boolean", describe: "continue what is there (always on; --no-resume starts the arms over)" },
    ...OUTPUT_OPTIONS,
    ...QUEUE_OPTIONS,
  },
  examples: [
    ["$0 run experiments/photos-classical.yaml", "five arms on crops of nine photographs, about 7 minutes on 2 cores"],
    ["$0 run my.yaml --data imagefolder:photos/ --set train.steps=1000", "on your own images, for longer"],
  ],
  async run(args, context) {
    const began = Date.now();
    refuseWithQueue(args, "--no-resume", args.resume === false);
    const { runExperiment, STEPS } = await import("../../run/run-experiment.js");
    const { JOB_STEPS } = await import("../../run/plan.js");
    const { reportFile } = await import("../../run/steps/report.js");
    const { summarizeRun } = await import("../../run/summarize-run.js");
    const run = await openTarget(positional(args, "file"), args, context);
    const progress = openProgress(context, flag(args, "quiet"));
    const { experiment } = run.record;
    const arms = `${experiment.arms.length} arm${experiment.arms.length === 1 ? "" : "s"}`;
    progress.line(
      `${experiment.name}: ${arms}, ${experiment.train.steps} steps each → ${showPath(run.folder, context)}`,
    );
    const isDone = await runByWorkers([{ run, words: "" }], JOB_STEPS, args, context, progress);
    const options = {
      progress,
      again: args.resume === false,
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    };
    const steps = await runExperiment(run, options, isDone ? ["report"] : STEPS);
    const seconds = (Date.now() - began) / 1000;
    const { table, arms: results } = await summarizeRun(run);
    const report = reportFile(run);
    const text = `\n${table}\n\nreport: ${showPath(report, context)}  (${formatDuration(seconds)})`;
    printResult(args, context, { run: run.folder, report, seconds, steps, arms: results }, text);
    return 0;
  },
};
