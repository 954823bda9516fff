import type { Command } from "../command.js";
import { ARM_OPTION, OUTPUT_OPTIONS, RUN_OPTIONS } from "../experiment-options.js";
import { RUN_POSITIONAL, runStep } from "../step-command.js";

/** `descry train RUN`: train the arms of a run; each goes on where it was. */
export const trainCommand: Command = {
  name: "train",
  arguments: "<run>",
  summary: "train the arms of a run; each goes on where it was",
  positionals: RUN_POSITIONAL,
  options: {
    ...ARM_OPTION,
    resume: { type: "boolean", describe: "continue what is there (always on; --no-resume starts the arms over)" },
    ...RUN_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 train my.yaml", "all arms"],
    ["$0 train runs/my-1a2b3c4d --arm control --resume", "one arm of a run, continued"],
  ],
  run: (args, context) => runStep("train", args, context, { again: args.resume === false }),
};
