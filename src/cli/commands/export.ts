import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { type Command, flag, positional, textOption } from "../command.js";
import { OUTPUT_OPTIONS, openTarget, printResult, RUN_OPTIONS, showPath } from "../experiment-options.js";
import { openProgress } from "../progress.js";
import { RUN_POSITIONAL } from "../step-command.js";

/** `descry export RUN --out DIR`: everything that a training with PyTorch needs. */
export const exportCommand: Command = {
  name: "export",
  arguments: "<run>",
  summary: "write images, targets, initial weights and recipes of a run for training with PyTorch",
  positionals: RUN_POSITIONAL,
  options: {
    out: { type: "string", requiresArg: true, describe: "new folder for the export (wanted)" },
    ...RUN_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 export runs/my-1a2b3c4d --out /scratch/my", "a README.md in it has the layout and a torch Dataset"],
    ["$0 import runs/my-1a2b3c4d --arm sift-irepa ema.safetensors", "what comes back"],
  ],
  async run(args, context) {
    const { runTask } = await import("../../run/task-process.js");
    const { packageVersion } = await import("../../run/machine.js");
    const out = textOption(args, "out");
    if (out === undefined) throw new UsageError("export: wanted a folder to write", { hint: "--out DIR" });
    const { folder: runFolder, record } = await openTarget(positional(args, "run"), args, context);
    const { experiment, hash, workingFolder } = record;
    const result = await runTask(
      "export",
      { runFolder, experiment, hash, version: packageVersion("descry"), out: path.resolve(context.cwd, out) },
      {
        cwd: workingFolder,
        progress: openProgress(context, flag(args, "quiet")),
        ...(context.signal === undefined ? {} : { signal: context.signal }),
      },
    );
    printResult(args, context, { run: runFolder, ...result }, showPath(result.out, context));
    return 0;
  },
};
