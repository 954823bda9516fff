import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import type { Run } from "../../run/run-folder.js";
import { type Arguments, type Command, listOption, wholeOption } from "../command.js";
import type { CliContext } from "../context.js";
import { openTarget, RUN_OPTIONS, readExperiment, runsFolder } from "../experiment-options.js";

/** `descry watch RUN…`: the report of a run that is under way, in a browser, following it. */
export const watchCommand: Command = {
  name: "watch",
  arguments: "<run..>",
  summary: "serve the report of a run on this machine while it is under way; the page follows it",
  positionals: { run: { type: "string", describe: "run folder, or the experiment file of a run that has begun" } },
  options: {
    port: { type: "string", requiresArg: true, describe: "port on 127.0.0.1 (default: one that is free)" },
    ...RUN_OPTIONS,
  },
  examples: [
    ["$0 watch runs/my-1a2b3c4d", "then open the address that it prints; Ctrl-C ends it, and never the run"],
    ["$0 watch runs/my-* --port 8080", "several runs on one page"],
  ],
  async run(args, context) {
    const { watchRuns } = await import("../../report/watch-runs.js");
    const port = wholeOption(args, "port", 0) ?? 0;
    if (port > 65_535) throw new UsageError(`--port: wanted at most 65535, got ${port}`);
    const runFolders: string[] = [];
    for (const name of listOption(args, "run")) runFolders.push((await findRun(name, args, context)).folder);
    await watchRuns({
      runFolders,
      port,
      signal: context.signal ?? new AbortController().signal,
      onListening: (url) => context.stdout.write(`${url}  (Ctrl-C ends it)\n`),
    });
    return 0;
  },
};

/** A run that is there: unlike other commands, this one makes none. */
async function findRun(name: string, args: Arguments, context: CliContext): Promise<Run> {
  const full = path.resolve(context.cwd, name);
  if (existsSync(full) && statSync(full).isDirectory()) return openTarget(name, args, context);
  const { openRun, runFolderOf } = await import("../../run/run-folder.js");
  return openRun(runFolderOf(await readExperiment(name, args, context), runsFolder(args, context)), context.cwd);
}
