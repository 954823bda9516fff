import { stringify } from "yaml";
import type { Command } from "../command.js";
import { flag, positional } from "../command.js";
import { EXPERIMENT_OPTIONS, OUTPUT_OPTIONS, printResult, readExperiment } from "../experiment-options.js";

/** `descry config FILE`: what an experiment file resolves to, and which values were given. */
export const configCommand: Command = {
  name: "config",
  arguments: "<file>",
  summary: "check an experiment file and print every value that it resolves to",
  positionals: { file: { type: "string", describe: "experiment file (YAML)" } },
  options: { ...EXPERIMENT_OPTIONS, json: OUTPUT_OPTIONS.json },
  examples: [
    ["$0 config experiments/photos-classical.yaml", "all values, defaults filled in"],
    ["$0 config my.yaml --set train.steps=1000 --json", "with a value overridden, for programs"],
  ],
  async run(args, context) {
    const { experiment, hash, given } = await readExperiment(positional(args, "file"), args, context);
    const origins = flag(args, "json") ? Object.fromEntries(given) : {};
    const overridden = [...given].filter(([, origin]) => origin.startsWith("--"));
    const notes = overridden.map(([path, origin]) => `# ${path}: from ${origin}\n`).join("");
    const text = `# run folder: runs/${experiment.name}-${hash}\n${notes}${stringify(experiment)}`.trimEnd();
    printResult(args, context, { hash, experiment, given: origins }, text);
    return 0;
  },
};
