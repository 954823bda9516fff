import type { CknnaVariant, ToldLabels } from "../../../probe/alignment-record.js";
import type { TaskProgress } from "../../../run/progress.js";
import { type Command, flag, listOption, positional, shareOption, textOption, wholeOption } from "../../command.js";
import { ARM_OPTION, OUTPUT_OPTIONS, openTarget, printWritten } from "../../experiment-options.js";
import { interruptible } from "../../interruptible.js";
import { openProgress } from "../../progress.js";
import { ANALYSIS_OPTIONS, outFolder } from "./shared.js";

const [DEFAULT_IMAGES, DEFAULT_TIME, DEFAULT_NEIGHBOURS] = [500, 0.5, 10];

/** `descry analyze alignment`: which layers of a run's models see what its targets see. */
export const alignmentCommand: Command = {
  name: "alignment",
  arguments: "<run>",
  summary: "CKNNA of every layer of every arm with every target of a run",
  positionals: { run: { type: "string", describe: "run folder, or experiment file whose run is trained" } },
  options: {
    ...ARM_OPTION,
    time: {
      type: "string",
      requiresArg: true,
      describe: `of the noise on the images, 0 data … 1 noise (default ${DEFAULT_TIME})`,
    },
    images: { type: "string", requiresArg: true, describe: `how many images (default ${DEFAULT_IMAGES})` },
    neighbours: { type: "string", requiresArg: true, describe: `k (default ${DEFAULT_NEIGHBOURS})` },
    labels: {
      type: "string",
      requiresArg: true,
      choices: ["null", "own"],
      describe: "what the model is told: no class (null, as REPA; default) or the classes of the images",
    },
    by: {
      type: "string",
      requiresArg: true,
      choices: ["code", "paper"],
      describe: "variant in table and figure: its authors' code (default), or their paper's formula",
    },
    seed: { type: "string", requiresArg: true, describe: "of the choice of images and of the noise (default 0)" },
    out: ANALYSIS_OPTIONS.out,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 analyze alignment runs/NAME", "a table, and analysis/alignment.png"],
    ["$0 analyze alignment runs/NAME --arm control --arm sift-irepa --time 0.2 --images 2000", "two arms, less noise"],
  ],
  async run(args, context) {
    const { formatDuration } = await import("../../../run/format.js");
    const { layerAlignment } = await import("../../../probe/layer-alignment.js");
    const { formatAlignmentTable } = await import("../../../probe/alignment-table.js");
    const { writeAlignment } = await import("../../../probe/write-alignment.js");
    const arms = listOption(args, "arm");
    const by = (textOption(args, "by") ?? "code") as CknnaVariant;
    const out = outFolder(args, context);
    const options = {
      images: wholeOption(args, "images", 4) ?? DEFAULT_IMAGES,
      time: shareOption(args, "time") ?? DEFAULT_TIME,
      neighbours: wholeOption(args, "neighbours", 2) ?? DEFAULT_NEIGHBOURS,
      labels: (textOption(args, "labels") ?? "null") as ToldLabels,
      seed: wholeOption(args, "seed", 0) ?? 0,
    };
    const run = await openTarget(positional(args, "run"), args, context);
    const began = performance.now();
    const progress = openProgress(context, flag(args, "quiet"));
    let task: TaskProgress | undefined;
    return interruptible(context, async () => {
      const record = await layerAlignment(run, {
        ...options,
        ...(arms.length === 0 ? {} : { arms }),
        onProgress: (done, total, arm) => {
          task ??= progress.task("alignment", total, "images");
          task.update(done, arm);
        },
        ...(context.signal === undefined ? {} : { signal: context.signal }),
      });
      const time = formatDuration((performance.now() - began) / 1000);
      task?.finish(`${record.arms.length} arms, ${record.images} images, ${time}`);
      const files = await writeAlignment(record, by, out);
      printWritten(args, context, record, formatAlignmentTable(record, by), files);
      return 0;
    });
  },
};
