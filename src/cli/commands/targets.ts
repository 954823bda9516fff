import type { Command } from "../command.js";
import { OUTPUT_OPTIONS, printResult } from "../experiment-options.js";

/** `descry targets`: what a model can be aligned to. */
export const targetsCommand: Command = {
  name: "targets",
  arguments: "",
  summary: "list what a model can be aligned to",
  positionals: {},
  options: { json: OUTPUT_OPTIONS.json },
  examples: [
    ["$0 targets", "names, widths and one line about each"],
    ["$0 targets --json", "the same for programs"],
  ],
  async run(args, context) {
    const { listTargets } = await import("../../../features/targets.js");
    const targets = listTargets();
    const wide = Math.max(...targets.map(({ pattern }) => pattern.length));
    const dims = Math.max(...targets.map(({ dim }) => dim.length));
    const lines = targets.map(
      ({ pattern, dim, summary }) => `${pattern.padEnd(wide)}  ${dim.padStart(dims)} channels  ${summary}`,
    );
    printResult(args, context, targets, lines.join("\n"));
    return 0;
  },
};
