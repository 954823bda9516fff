import { UsageError } from "../../../data/errors.js";
import { formatDuration } from "../../run/format.js";
import { type Command, flag, positional, textOption } from "../command.js";
import {
  OUTPUT_OPTIONS,
  printResult,
  QUEUE_OPTIONS,
  RUN_OPTIONS,
  readExperiment,
  readOverrides,
  runsFolder,
  showPath,
} from "../experiment-options.js";
import { openProgress } from "../progress.js";
import { runByWorkers } from "../queue-option.js";

/** Seeds that one sweep may have. */
const MOST_SEEDS = 1000;

/** `descry sweep FILE --seeds 0,1,2`: the same experiment under several seeds, and one report of all. */
export const sweepCommand: Command = {
  name: "sweep",
  arguments: "<file>",
  summary: "run an experiment under several seeds, and write one report of all; run again to continue",
  positionals: { file: { type: "string", describe: "experiment file (YAML)" } },
  options: {
    seeds: { type: "string", requiresArg: true, demandOption: true, describe: "such as 0,1,2 or 0..4" },
    ...RUN_OPTIONS,
    ...OUTPUT_OPTIONS,
    ...QUEUE_OPTIONS,
  },
  examples: [
    ["$0 sweep experiments/photos-classical.yaml --seeds 0,1,2", "three runs, averaged in one report"],
    ["$0 sweep my.yaml --seeds 0..9 --set train.steps=3000", "ten seeds, for longer"],
    ["$0 sweep my.yaml --seeds 0..9 --queue redis://head-node", "by the workers of a queue (descry worker --help)"],
  ],
  async run(args, context) {
    const began = Date.now();
    const seeds = parseSeeds(textOption(args, "seeds")!);
    const { openSweep } = await import("../../run/open-sweep.js");
    const { runExperiment } = await import("../../run/run-experiment.js");
    const { discardUntouched } = await import("../../run/discard-untouched.js");
    const { JOB_STEPS } = await import("../../run/plan.js");
    const { reportRuns } = await import("../../run/steps/report.js");
    const { readRuns } = await import("../../report/read-run.js");
    const { groupRuns } = await import("../../report/run-groups.js");
    const { summarizeArms } = await import("../../report/summarize-report.js");
    const { formatSweepTable } = await import("../../report/sweep-table.js");
    const file = positional(args, "file");
    if (readOverrides(args).some(({ path }) => path.join(".") === "seed")) {
      throw new UsageError("--set seed and --seeds at once: a sweep has the seeds of --seeds");
    }
    const resolved = [];
    for (const seed of seeds) {
      const override = { path: ["seed"], value: seed, origin: "--seeds" };
      resolved.push(await readExperiment(file, args, context, [override]));
    }
    const { name, runs, reportFile } = await openSweep(resolved, runsFolder(args, context), context.cwd);
    const progress = openProgress(context, flag(args, "quiet"));
    const signal = context.signal === undefined ? {} : { signal: context.signal };
    const { arms, train } = runs[0].record.experiment;
    progress.line(`${name}: ${arms.length} arms × ${seeds.length} seeds, ${train.steps} steps each`);
    const queued = runs.map((run, i) => ({ run, words: runs.length === 1 ? "" : `seed ${seeds[i]}` }));
    const isDone = await runByWorkers(queued, JOB_STEPS, args, context, progress);
    try {
      for (const [i, run] of isDone ? [] : runs.entries()) {
        progress.line(`\nseed ${seeds[i]} → ${showPath(run.folder, context)}`);
        await runExperiment(run, { progress, ...signal }, JOB_STEPS);
      }
    } catch (error) {
      await discardUntouched(runs);
      throw error;
    }
    await reportRuns(runs, { progress, ...signal }, reportFile);
    const folders = runs.map(({ folder }) => folder);
    const [group] = groupRuns(await readRuns(folders));
    const seconds = (Date.now() - began) / 1000;
    const text = `\n${formatSweepTable(group!)}\n\nreport: ${showPath(reportFile, context)}  (${formatDuration(seconds)})`;
    printResult(args, context, { runs: folders, report: reportFile, seconds, arms: summarizeArms(group!) }, text);
    return 0;
  },
};

/** `0,1,2`, `0..4`, or both mixed. @throws {UsageError} anything else, or a seed twice. */
export function parseSeeds(text: string): number[] {
  const seeds = text.split(",").flatMap((part) => {
    const range = /^\s*(\d{1,15})(?:\.\.(\d{1,15}))?\s*$/.exec(part);
    const first = Number(range?.[1]);
    const last = Number(range?.[2] ?? range?.[1]);
    if (range === null || last < first || last - first >= MOST_SEEDS) {
      throw new UsageError(`--seeds ${text}: wanted whole numbers such as 0,1,2 or a range such as 0..4`);
    }
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  const twice = seeds.find((seed, i) => seeds.indexOf(seed) !== i);
  if (twice !== undefined) throw new UsageError(`--seeds ${text}: ${twice} is named twice`);
  if (seeds.length > MOST_SEEDS) throw new UsageError(`--seeds ${text}: wanted at most ${MOST_SEEDS} seeds`);
  return seeds;
}
