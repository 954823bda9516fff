import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { type Command, flag, textOption, wholeOption } from "../command.js";
import { OUTPUT_OPTIONS, printResult } from "../experiment-options.js";
import { openProgress } from "../progress.js";

const LOST_AFTER_SECONDS = 30;

/** `descry worker`: do the jobs of a queue until told to stop. */
export const workerCommand: Command = {
  name: "worker",
  arguments: "",
  summary: "do the jobs that others submit with --queue, on this machine, until Ctrl-C",
  positionals: {},
  options: {
    queue: {
      type: "string",
      requiresArg: true,
      demandOption: true,
      describe:
        "redis://[:PASSWORD@]HOST[:PORT][/DB][?prefix=NAME], rediss:// for TLS; or the password in REDISCLI_AUTH",
    },
    workdir: {
      type: "string",
      requiresArg: true,
      describe: "the folder that the jobs are submitted from, as this machine sees it (default: this folder)",
    },
    "lost-after": {
      type: "string",
      requiresArg: true,
      describe: `seconds without a sign of life until a worker's job goes to another (default ${LOST_AFTER_SECONDS})`,
    },
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 worker --queue redis://head-node --workdir /shared/lab", "on each machine that sees /shared/lab"],
    ["$0 sweep my.yaml --seeds 0..4 --queue redis://head-node", "in /shared/lab: what the workers then do"],
  ],
  async run(args, context) {
    const { parseQueueAddress } = await import("../../queue/queue-address.js");
    const { work } = await import("../../queue/work.js");
    const { existsSync } = await import("node:fs");
    const address = parseQueueAddress(textOption(args, "queue")!, context.env);
    const workingFolder = path.resolve(context.cwd, textOption(args, "workdir") ?? ".");
    if (!existsSync(workingFolder)) throw new UsageError(`--workdir: there is no folder ${workingFolder}`);
    const progress = openProgress(context, flag(args, "quiet"));
    progress.line(`jobs of ${workingFolder} from ${address.shown}, until Ctrl-C`);
    const jobs = await work({
      address,
      workingFolder,
      lostAfterSeconds: wholeOption(args, "lost-after", 1) ?? LOST_AFTER_SECONDS,
      progress,
      signal: context.signal ?? new AbortController().signal,
    });
    printResult(args, context, { jobs }, `${jobs} job${jobs === 1 ? "" : "s"} done`);
    return 0;
  },
};
