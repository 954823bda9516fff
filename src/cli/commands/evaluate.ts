import { type Command, flag } from "../command.js";
import { ARM_OPTION, OUTPUT_OPTIONS, RUN_OPTIONS } from "../experiment-options.js";
import { RUN_POSITIONAL, runStep } from "../step-command.js";

/** `descry evaluate RUN`: compare the samples of a run with the real images. */
export const evaluateCommand: Command = {
  name: "evaluate",
  arguments: "<run>",
  summary: "compare the samples of a run with the real images",
  positionals: RUN_POSITIONAL,
  options: {
    ...ARM_OPTION,
    again: { type: "boolean", describe: "do it again although it is done" },
    ...RUN_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [["$0 evaluate runs/my-1a2b3c4d", "all arms"]],
  run: (args, context) => runStep("evaluate", args, context, { again: flag(args, "again") }),
};
