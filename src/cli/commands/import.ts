import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { type Command, flag, positional, textOption, wholeOption } from "../command.js";
import { OUTPUT_OPTIONS, openTarget, printResult, RUN_OPTIONS } from "../experiment-options.js";
import { openProgress } from "../progress.js";

/** `descry import RUN --arm NAME FILE`: weights that were trained with PyTorch become those of an arm. */
export const importCommand: Command = {
  name: "import",
  arguments: "<run> <file>",
  summary: "take a PyTorch checkpoint (safetensors) as the weights of an arm: to sample, evaluate, report",
  positionals: {
    run: { type: "string", describe: "run folder, or its experiment file" },
    file: { type: "string", describe: "safetensors with the names of the reference's state_dict" },
  },
  options: {
    arm: { type: "string", requiresArg: true, describe: "the arm that was trained (wanted)" },
    step: { type: "string", requiresArg: true, describe: "its training step (default: the file's, or the last)" },
    replace: { type: "boolean", describe: "remove the weights that the arm has" },
    ...RUN_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 import runs/my-1a2b3c4d --arm sift-irepa ema.safetensors --step 400000", "then: descry sample RUN"],
    ["$0 import my.yaml --arm control ema.safetensors --replace", "in place of what was trained here"],
  ],
  async run(args, context) {
    const { runTask } = await import("../../run/task-process.js");
    const arm = textOption(args, "arm");
    if (arm === undefined) throw new UsageError("import: wanted the arm that was trained", { hint: "--arm NAME" });
    const { folder: runFolder, record } = await openTarget(positional(args, "run"), args, context);
    const imported = await runTask(
      "import",
      {
        runFolder,
        experiment: record.experiment,
        arm,
        file: path.resolve(context.cwd, positional(args, "file")),
        step: wholeOption(args, "step", 0) ?? null,
        replace: flag(args, "replace"),
      },
      {
        cwd: record.workingFolder,
        progress: openProgress(context, flag(args, "quiet")),
        ...(context.signal === undefined ? {} : { signal: context.signal }),
      },
    );
    const { file, weights, step, stepFrom } = imported;
    const text = `arm ${arm}: ${weights.join(" and ")} weights of ${file}, step ${step} (as ${stepFrom} says)`;
    printResult(args, context, { run: runFolder, arm, ...imported }, text);
    return 0;
  },
};
