import path from "node:path";
import type { Command } from "../command.js";
import { flag, positional } from "../command.js";
import { OUTPUT_OPTIONS, printResult } from "../experiment-options.js";

/** `descry parity DIR`: replay golden numbers of reference implementations. */
export const parityCommand: Command = {
  name: "parity",
  arguments: "<dir>",
  summary: "replay the golden numbers in a folder and print the error of each tensor",
  positionals: { dir: { type: "string", describe: "folder of *.safetensors and *.json suites" } },
  options: { json: OUTPUT_OPTIONS.json },
  examples: [
    ["$0 parity ../shared/golden", "every suite that is found; exit code 1 when a tensor is out of tolerance"],
  ],
  async run(args, context) {
    const { runParity } = await import("../../parity/parity.js");
    const format = (error: number | undefined) => (error === undefined ? "" : error.toExponential(1));
    const lines = await runParity(path.resolve(context.cwd, positional(args, "dir")), (line) => {
      if (flag(args, "json")) return;
      const numbers =
        line.error === undefined || Number.isNaN(line.tolerance)
          ? ""
          : `  ${format(line.error)} of ${format(line.tolerance)}`;
      const detail = line.detail === undefined ? "" : `  (${line.detail})`;
      context.stdout.write(`${line.status.padEnd(9)}  ${line.suite}  ${line.tensor}${numbers}${detail}\n`);
    });
    const count = (status: string) => lines.filter((line) => line.status === status).length;
    const summary = `parity: ${count("pass")} passed, ${count("fail")} failed, ${count("not built")} not built`;
    printResult(args, context, lines, summary);
    return count("fail") > 0 ? 1 : 0;
  },
};
