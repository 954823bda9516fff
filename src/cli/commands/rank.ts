import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { SOURCE_FORMS } from "../../../data/source-forms.js";
import { type Command, flag, shareOption, textOption, wholeOption } from "../command.js";
import { DEVICE_OPTION, deviceOption, OUTPUT_OPTIONS, printWritten } from "../experiment-options.js";
import { interruptible } from "../interruptible.js";
import { openProgress } from "../progress.js";

const METRICS = { lds: "lds", "lds-paper": "ldsPaper", cds: "cds", srss: "srss", rmsc: "rmsc" } as const;
const DEFAULT_ALPHA = 0.6;

/** `descry rank`: which targets have spatial structure, before anything is trained. */
export const rankCommand: Command = {
  name: "rank",
  arguments: "",
  summary: "order targets by the spatial structure that they have on your images, before anything is trained",
  positionals: {},
  options: {
    data: { type: "string", requiresArg: true, describe: `images: ${SOURCE_FORMS.join(", ")}` },
    targets: { type: "string", requiresArg: true, describe: "targets separated by commas (descry targets)" },
    grid: {
      type: "string",
      requiresArg: true,
      describe: "tokens a side (default 16); images are read at 16 pixels a token",
    },
    count: {
      type: "string",
      requiresArg: true,
      describe: "how many images, of a seeded order (default: all; photos: 900)",
    },
    alpha: { type: "string", requiresArg: true, describe: `of the spatial normalization (default ${DEFAULT_ALPHA})` },
    by: {
      type: "string",
      requiresArg: true,
      choices: Object.keys(METRICS),
      describe: "what the order follows (default lds: the variant of iREPA's code; lds-paper: its paper's formula)",
    },
    masks: {
      type: "string",
      requiresArg: true,
      describe:
        "folder of foreground masks for SRSS: CLASS/name.png for CLASS/name.jpg (default: the disc at the centre)",
    },
    seed: { type: "string", requiresArg: true, describe: "of the choice of images and of the bootstrap (default 0)" },
    device: DEVICE_OPTION,
    "skip-bad": { type: "boolean", describe: "leave out undecodable images (counted) instead of stopping" },
    out: {
      type: "string",
      requiresArg: true,
      describe: "folder for ranking.csv, .json, .svg and .png (default: rank)",
    },
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 rank --data imagefolder:photos/ --targets sift,hog,noise", "a table, and rank/ranking.png"],
    ["$0 rank --data photos --count 100 --targets 'sift,shuffle(sift),concat(sift,hog)' --by cds", "another order"],
  ],
  async run(args, context) {
    const data = textOption(args, "data");
    const list = textOption(args, "targets");
    if (data === undefined || list === undefined) {
      throw new UsageError("rank: wanted --data and --targets", {
        hint: "for example: descry rank --data photos --targets sift,hog",
      });
    }
    const { parseTarget, splitTargetList } = await import("../../../features/targets.js");
    const targets = splitTargetList(list);
    for (const target of targets) parseTarget(target); // a misspelt one is told before the images are looked at
    const grid = wholeOption(args, "grid", 2) ?? 16;
    const count = wholeOption(args, "count", 2);
    const alpha = shareOption(args, "alpha") ?? DEFAULT_ALPHA;
    const by = METRICS[(textOption(args, "by") ?? "lds") as keyof typeof METRICS];
    const seed = wholeOption(args, "seed", 0) ?? 0;
    const out = path.resolve(context.cwd, textOption(args, "out") ?? "rank");
    const masks = textOption(args, "masks");

    const { openImageSource } = await import("../../../data/open-source.js");
    const { rankTargets } = await import("../../rank/rank-targets.js");
    const { formatRankingTable } = await import("../../rank/ranking-table.js");
    const { writeRanking } = await import("../../rank/write-ranking.js");
    const { openMasks } = await import("../../rank/open-masks.js");
    const { formatDuration } = await import("../../run/format.js");
    const { downloadProgress } = await import("../../run/download-progress.js");
    const device = deviceOption(args);
    const progress = openProgress(context, flag(args, "quiet"));
    const began = performance.now();
    const source = await openImageSource(data, {
      ...(count === undefined ? {} : { count }),
      seed,
      skipBad: flag(args, "skip-bad"),
    });
    return interruptible(context, async () => {
      const { skipped } = source;
      if (skipped.length > 0) progress.line(`left out ${skipped.length} undecodable image(s): ${skipped.join(", ")}`);
      const task = progress.task("rank", source.length * targets.length, "images");
      const ranking = await rankTargets({
        source,
        targets,
        grid,
        alpha,
        by,
        seed,
        device,
        onDownload: downloadProgress(progress),
        ...(masks === undefined ? {} : { masks: { folder: masks, load: openMasks(masks, source, grid) } }),
        onProgress: (done, _total, target) => task.update(done, target),
        ...(context.signal === undefined ? {} : { signal: context.signal }),
      });
      task.finish(
        `${targets.length} targets, ${source.length} images, ${formatDuration((performance.now() - began) / 1000)}`,
      );
      const files = await writeRanking(ranking, out);
      printWritten(args, context, ranking, formatRankingTable(ranking), files);
      return 0;
    }).finally(() => source.close());
  },
};
