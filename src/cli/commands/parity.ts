import path from "node:path";
import type { Command } from "../command.js";
import { positional } from "../command.js";
import { OUTPUT_OPTIONS, printResult } from "../experiment-options.js";

/** `descry parity DIR`: replay golden numbers of reference implementations. */
export const parityCommand: Command = {
  name: "parity",
  arguments: "<dir>",
  summary: "replay the golden numbers in a folder and print the error of each tensor",
  positionals: { dir: { type: "string", describe: "folder of *.safetensors and *.json suites" } },
  options: { json: OUTPUT_OPTIONS.json },
  examples: [["$0 parity ../shared/golden", "every suite that is found; exit code 2 when one is out of tolerance"]],
  async run(args, context) {
    const { runParity } = await import("../../parity/parity.js");
    const report = await runParity(path.resolve(context.cwd, positional(args, "dir")));
    printResult(args, context, report, "");
    return 0;
  },
};
