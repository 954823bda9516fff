import path from "node:path";
import { UsageError } from "../../../data/errors.js";
import { INCEPTION, NETWORKS, parseNetworkName } from "../../evaluate/network-name.js";
import { type Command, flag, textOption, wholeOption } from "../command.js";
import { EXPERIMENT_OPTIONS, OUTPUT_OPTIONS, printResult, showPath } from "../experiment-options.js";
import { openProgress } from "../progress.js";

const DEFAULT_SIZE_PX = 256;
/** As many as the ADM suite's files have. */
const DEFAULT_IMAGES = 10_000;

/** `descry reference`: statistics of a data set, and some of its images, as a file to compare samples with. */
export const referenceCommand: Command = {
  name: "reference",
  arguments: "",
  summary: "write a reference file of any images, as the ADM evaluation suite has them",
  positionals: {},
  options: {
    data: EXPERIMENT_OPTIONS.data,
    out: { type: "string", requiresArg: true, describe: "npz file to write (required)" },
    network: {
      type: "string",
      requiresArg: true,
      describe: `${NETWORKS.map(({ pattern }) => pattern).join("; ")} (default ${INCEPTION})`,
    },
    size: { type: "string", requiresArg: true, describe: `pixels a side (default ${DEFAULT_SIZE_PX})` },
    count: { type: "string", requiresArg: true, describe: "how many images the statistics are of (default: all)" },
    images: {
      type: "string",
      requiresArg: true,
      describe: `images that go into the file, for precision, recall and KID (default ${DEFAULT_IMAGES}, or all; 0: none)`,
    },
    "skip-bad": EXPERIMENT_OPTIONS["skip-bad"],
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ["$0 reference --data imagefolder:imagenet/train --out imagenet256.npz", "what FID and sFID compare with"],
    ["$0 run my.yaml --reference imagenet256.npz --set evaluate.network=inception-adm", "an experiment that uses it"],
  ],
  async run(args, context) {
    const { runTask } = await import("../../run/task-process.js");
    const [data, out] = [textOption(args, "data"), textOption(args, "out")];
    if (data === undefined || out === undefined) {
      throw new UsageError("reference: wanted --data and --out", {
        hint: "for example: descry reference --data imagefolder:photos/ --out photos.npz",
      });
    }
    const network = textOption(args, "network") ?? INCEPTION;
    parseNetworkName(network);
    const file = path.resolve(context.cwd, out);
    const result = await runTask(
      "reference",
      {
        data,
        network,
        sizePx: wholeOption(args, "size", 4) ?? DEFAULT_SIZE_PX,
        count: wholeOption(args, "count", 2) ?? null,
        images: wholeOption(args, "images", 0) ?? DEFAULT_IMAGES,
        skipBad: flag(args, "skip-bad"),
        file,
      },
      {
        cwd: context.cwd,
        progress: openProgress(context, flag(args, "quiet")),
        ...(context.signal === undefined ? {} : { signal: context.signal }),
      },
    );
    printResult(args, context, result, showPath(file, context));
    return 0;
  },
};
