import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { SOURCE_FORMS } from "../../../data/source-forms.js";
import type { ProbeData } from "../../probe/open-probe-data.js";
import type { ProgressSink } from "../../run/progress.js";
import { type Arguments, type Command, flag, numberOption, textOption, wholeOption } from "../command.js";
import type { CliContext } from "../context.js";
import { DEVICE_OPTION, deviceOption, OUTPUT_OPTIONS, openTarget, printWritten } from "../experiment-options.js";
import { interruptible } from "../interruptible.js";
import { openProgress } from "../progress.js";

const BARE_OPTIONS = ["data", "targets", "grid", "count", "cls", "skip-bad", "cache"] as const;
const DEFAULT_SHARE = 0.2;

/** `descry probe`: how well a linear classifier tells classes apart by a target. */
export const probeCommand: Command = {
  name: "probe",
  arguments: "[run]",
  summary: "linear probing: how well a linear classifier tells the classes apart by each target",
  positionals: { run: { type: "string", describe: "run whose targets to probe; without it: --data and --targets" } },
  options: {
    data: { type: "string", requiresArg: true, describe: `images with labels: ${SOURCE_FORMS.join(", ")}` },
    targets: { type: "string", requiresArg: true, describe: "targets separated by commas (descry targets)" },
    grid: {
      type: "string",
      requiresArg: true,
      describe: "tokens a side (default 16); images are read at 16 pixels a token",
    },
    count: { type: "string", requiresArg: true, describe: "how many images (default: all; photos: 900)" },
    cls: {
      type: "boolean",
      describe: "also the class token of encoders that have one, beside the mean of the patches",
    },
    validation: {
      type: "string",
      requiresArg: true,
      describe: `share of each class that is kept for validation (default ${DEFAULT_SHARE})`,
    },
    seed: { type: "string", requiresArg: true, describe: "of the choice of images and of the split (default 0)" },
    device: DEVICE_OPTION,
    "skip-bad": { type: "boolean", describe: "leave out undecodable images (counted) instead of stopping" },
    cache: { type: "string", requiresArg: true, describe: "folder of the cache (default .descry/cache)" },
    out: { type: "string", requiresArg: true, describe: "folder for probe.csv and probe.json (default: probe)" },
    ...OUTPUT_OPTIONS,
  },
  examples: [
    [
      "$0 probe --data 'webdataset:cifar/*.tar.gz' --count 5000 --targets sift,hog,noise",
      "a table, and probe/probe.json",
    ],
    ["$0 probe runs/NAME --out NAME-probe", "the targets of a run, from its cached features"],
    [
      "$0 analyze correlation runs/NAME --probe probe/probe.json",
      "does accuracy say which target makes a better model?",
    ],
  ],
  async run(args, context) {
    const { formatDuration } = await import("../../run/format.js");
    const { fitsOf, probeTargets } = await import("../../probe/probe-targets.js");
    const { formatProbeTable } = await import("../../probe/probe-table.js");
    const { writeProbe } = await import("../../probe/write-probe.js");
    const share =
      numberOption(args, "validation", "a number between 0 and 1", (value) => value > 0 && value < 1) ?? DEFAULT_SHARE;
    const seed = wholeOption(args, "seed", 0) ?? 0;
    const out = path.resolve(context.cwd, textOption(args, "out") ?? "probe");
    const progress = openProgress(context, flag(args, "quiet"));
    const { images, targets } = await openData(args, context, seed, progress);
    const began = performance.now();
    const task = progress.task("probe", fitsOf(targets), "fits");
    return interruptible(context, async () => {
      const record = await probeTargets(images, targets, {
        share,
        seed,
        device: deviceOption(args),
        onProgress: (done, target) => task.update(done, target),
        ...(context.signal === undefined ? {} : { signal: context.signal }),
      });
      const time = formatDuration((performance.now() - began) / 1000);
      task.finish(`${targets.length} targets, ${record.images} images, ${time}`);
      const files = await writeProbe(record, out);
      printWritten(args, context, record, formatProbeTable(record), files);
      return 0;
    });
  },
};

async function openData(
  args: Arguments,
  context: CliContext,
  seed: number,
  progress: ProgressSink,
): Promise<ProbeData> {
  const { cacheProbeData, readProbeData } = await import("../../probe/open-probe-data.js");
  if (args["run"] !== undefined) {
    const bare = BARE_OPTIONS.find((name) => args[name] !== undefined);
    if (bare !== undefined) throw new UsageError(`--${bare} is for probing without a run; the run has its own`);
    return readProbeData(await openTarget(String(args["run"]), args, context));
  }
  const data = textOption(args, "data");
  const list = textOption(args, "targets");
  if (data === undefined || list === undefined) {
    throw new UsageError("probe: wanted a run, or --data and --targets", {
      hint: "for example: descry probe --data imagefolder:photos/ --targets sift,hog",
    });
  }
  const { splitTargetList } = await import("../../../features/targets.js");
  const { cacheFolderOf } = await import("../../run/run-folder.js");
  const cache = textOption(args, "cache");
  return cacheProbeData(
    {
      data,
      targets: splitTargetList(list),
      grid: wholeOption(args, "grid", 2) ?? 16,
      count: wholeOption(args, "count", 2) ?? (data === "photos" ? 900 : null),
      cls: flag(args, "cls"),
      skipBad: flag(args, "skip-bad"),
      seed,
      cacheFolder: cache === undefined ? cacheFolderOf(context.cwd) : path.resolve(context.cwd, cache),
      device: deviceOption(args),
    },
    progress,
  );
}
