import { UsageError } from "../../../data/errors.js";
import type { StorePart } from "../../../data/row-plan.js";
import { CACHE_DTYPES } from "../../../features/cache-dtypes.js";
import { type Arguments, type Command, flag, textOption, wholeOption } from "../command.js";
import type { CliContext } from "../context.js";
import {
  DEVICE_OPTION,
  deviceOption,
  OUTPUT_OPTIONS,
  printResult,
  QUEUE_OPTIONS,
  RUN_OPTIONS,
  showPath,
} from "../experiment-options.js";
import { openProgress } from "../progress.js";
import { cacheByWorkers, refuseShardWithQueue, refuseWithQueue } from "../queue-option.js";
import { runStep } from "../step-command.js";

const BARE_OPTIONS = ["target", "grid", "count", "flips", "dtype", "cache"] as const;

/** `descry features`: cache the features of an experiment, or of a folder of images without one. */
export const featuresCommand: Command = {
  name: "features",
  arguments: "[run]",
  summary: "compute and cache target features, of an experiment or of any images",
  positionals: { run: { type: "string", describe: "experiment file or run folder; without it: --data and --target" } },
  options: {
    target: {
      type: "string",
      requiresArg: true,
      describe: "what to compute (descry targets), without an experiment; several: sift,hog",
    },
    grid: {
      type: "string",
      requiresArg: true,
      describe: "tokens a side (default 16); images are read at 16 pixels a token",
    },
    count: { type: "string", requiresArg: true, describe: "how many images (default: all; photos: 900)" },
    flips: { type: "boolean", describe: "also the mirrored images" },
    dtype: { type: "string", requiresArg: true, choices: CACHE_DTYPES, describe: "number format (default F16)" },
    cache: { type: "string", requiresArg: true, describe: "folder of the cache (default .descry/cache)" },
    shard: {
      type: "string",
      requiresArg: true,
      describe:
        "I/N: only part I (1 to N) of the cache's shards; N processes that share a file system fill it together",
    },
    again: { type: "boolean", describe: "write the record of an experiment again although it is there" },
    ...RUN_OPTIONS,
    device: DEVICE_OPTION,
    ...OUTPUT_OPTIONS,
    ...QUEUE_OPTIONS,
  },
  examples: [
    ["$0 features experiments/photos-classical.yaml", "everything that the experiment needs"],
    ["$0 features --data imagefolder:photos/ --target sift,hog --grid 16", "two targets of your own images"],
    [
      "$0 features my.yaml --shard $SLURM_ARRAY_TASK_ID/8",
      "one of eight jobs (sbatch --array=1-8); the last completes it",
    ],
    ["$0 features my.yaml --queue redis://head-node --parts 32", "by the workers of a queue (descry worker --help)"],
    ["$0 features --data imagefolder:photos/ --target sift --queue redis://head-node", "the same of any images"],
    ["$0 features my.yaml --shard $((JOB_COMPLETION_INDEX + 1))/8", "the same in an indexed job of Kubernetes"],
  ],
  async run(args, context) {
    const part = partOption(args);
    refuseShardWithQueue(args);
    if (args.run !== undefined) {
      const bare = BARE_OPTIONS.find((name) => args[name] !== undefined);
      if (bare !== undefined)
        throw new UsageError(`--${bare} is for features without an experiment; the experiment sets it`);
      refuseWithQueue(args, "--again", flag(args, "again"));
      return runStep("features", args, context, {
        again: flag(args, "again"),
        ...(part === undefined ? {} : { part }),
      });
    }
    const data = textOption(args, "data");
    const target = textOption(args, "target");
    if (data === undefined || target === undefined) {
      throw new UsageError("features: wanted an experiment file, or --data and --target", {
        hint: "for example: descry features --data imagefolder:photos/ --target sift",
      });
    }
    return cacheBare(args, data, target, part, context);
  },
};

async function cacheBare(
  args: Readonly<Record<string, unknown>>,
  data: string,
  target: string,
  part: StorePart | undefined,
  context: CliContext,
): Promise<number> {
  const path = await import("node:path");
  const { parseTargets, splitTargetList } = await import("../../../features/targets.js");
  const { cacheFolderOf } = await import("../../run/run-folder.js");
  const { runTask } = await import("../../run/task-process.js");
  const { cwd, signal } = context;
  const progress = openProgress(context, flag(args, "quiet"));
  const input = {
    data,
    targets: parseTargets(splitTargetList(target), "features").map(({ name }) => name),
    grid: wholeOption(args, "grid", 2) ?? 16,
    count: wholeOption(args, "count", 1) ?? (data === "photos" ? 900 : null),
    flips: flag(args, "flips"),
    skipBad: flag(args, "skip-bad"),
    device: deviceOption(args),
    dtype: CACHE_DTYPES.find((name) => name === args.dtype) ?? "F16",
    cacheFolder: path.resolve(cwd, textOption(args, "cache") ?? cacheFolderOf(cwd)),
  };
  // Where workers have done it, the rest is to see that it is done.
  const cacheFolder = path.relative(cwd, input.cacheFolder);
  await cacheByWorkers({ workingFolder: cwd, input: { ...input, cacheFolder } }, args, context, progress);
  const result = await runTask(
    "targetFeatures",
    { ...input, part: part ?? null },
    { cwd, progress, ...(signal === undefined ? {} : { signal }) },
  );
  const folders = Object.values(result.targets).map(({ folder }) => showPath(folder, context));
  printResult(args, context, result, folders.join("\n"));
  return 0;
}

/** `--shard 2/8`. @throws {UsageError} anything but I/N with I from 1 to N. */
function partOption(args: Arguments): StorePart | undefined {
  const text = textOption(args, "shard");
  if (text === undefined) return undefined;
  const [, index, count] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (index === undefined || count === undefined || index < 1 || index > count) {
    throw new UsageError(`--shard: wanted I/N with I from 1 to N, such as 2/8, got ${JSON.stringify(text)}`, {
      hint: "counting starts at 1: a Slurm array is --array=1-N",
    });
  }
  return { index, count };
}
