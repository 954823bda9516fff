import { type Command, flag } from "../command.js";
import { ARM_OPTION, OUTPUT_OPTIONS, RUN_OPTIONS } from "../experiment-options.js";
import { RUN_POSITIONAL, runStep } from "../step-command.js";

/** `descry sample RUN`: draw samples from the trained arms of a run. */
export const sampleCommand: Command = {
  name: "sample",
  arguments: "<run>",
  summary: "draw samples from the trained arms of a run",
  positionals: RUN_POSITIONAL,
  options: {
    ...ARM_OPTION,
    again: { type: "boolean", describe: "do it again although it is done" },
    ...RUN_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 sample runs/my-1a2b3c4d", "all arms"],
    ["$0 sample runs/my-1a2b3c4d --arm control --again", "one arm, drawn again"],
  ],
  run: (args, context) => runStep("sample", args, context, { again: flag(args, "again") }),
};
