import { UsageError } from "../../../../data/errors.js";
import { type Command, wholeOption } from "../../command.js";
import { printWritten } from "../../experiment-options.js";
import { COUNT_OPTION, countOption, pointsOf } from "./points-of-runs.js";
import { ANALYSIS_OPTIONS, outFolder, RUNS_POSITIONAL, readNamedRuns } from "./shared.js";

/** `descry analyze cls-mixing`: what the class token in every token does. */
export const clsMixingCommand: Command = {
  name: "cls-mixing",
  arguments: "<run..>",
  summary: "what mixing the class token into an encoder's tokens does to structure, probe and samples (Fig. 3c)",
  positionals: RUNS_POSITIONAL,
  options: {
    against: {
      type: "string",
      requiresArg: true,
      describe: "generation metric, a key of evaluation.json (default: the first there is)",
    },
    probe: { type: "string", requiresArg: true, describe: "probe.json of descry probe: linear probing accuracies" },
    count: COUNT_OPTION,
    seed: { type: "string", requiresArg: true, describe: "of the choice of images (default 0)" },
    ...ANALYSIS_OPTIONS,
  },
  examples: [
    [
      "$0 analyze cls-mixing runs/mix-1a2b3c4d --probe probe/probe.json",
      "arms with ENCODER, mix(ENCODER,alpha=0.1), mix(ENCODER,alpha=0.5), …",
    ],
  ],
  async run(args, context) {
    const seed = wholeOption(args, "seed", 0) ?? 0;
    const { analyzeClsMixing, parseMix } = await import("../../../analyze/cls-mixing.js");
    const { clsMixingChart } = await import("../../../analyze/cls-mixing-chart.js");
    const { clsMixingCsv, formatClsMixing } = await import("../../../analyze/cls-mixing-table.js");
    const { standAloneSvg } = await import("../../../report/stand-alone-svg.js");
    const { writeResult } = await import("../../../report/write-result.js");
    const count = countOption(args);
    const runs = await readNamedRuns(args, context);
    // Before anything is measured.
    const targets = runs.flatMap((run) => run.arms.flatMap(({ align }) => align?.target ?? []));
    if (!targets.some((target) => parseMix(target).alpha > 0)) {
      throw new UsageError("cls-mixing: no arm has a target mix(ENCODER,alpha=A)", {
        hint: `targets: ${[...new Set(targets)].join(", ")}`,
      });
    }
    const analysis = analyzeClsMixing(await pointsOf(runs, args, context, { count, seed }));
    const files = await writeResult(
      outFolder(args, context),
      { "cls-mixing.csv": clsMixingCsv(analysis), "cls-mixing.json": `${JSON.stringify(analysis, null, 2)}\n` },
      { "cls-mixing": await standAloneSvg(clsMixingChart(analysis)) },
    );
    printWritten(args, context, analysis, formatClsMixing(analysis), files);
    return 0;
  },
};
