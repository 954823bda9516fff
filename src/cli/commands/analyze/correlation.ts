import path from "node:path";
import { UsageError } from "../../../../data/errors.js";
import type { Points } from "../../../analyze/target-points.js";
import { type Arguments, type Command, listOption, textOption, wholeOption } from "../../command.js";
import type { CliContext } from "../../context.js";
import { printWritten } from "../../experiment-options.js";
import { COUNT_OPTION, countOption, pointsOf } from "./points-of-runs.js";
import { ANALYSIS_OPTIONS, outFolder, RUNS_POSITIONAL, readNamedRuns } from "./shared.js";

/** `descry analyze correlation`: does the structure of targets predict what is generated with them? */
export const correlationCommand: Command = {
  name: "correlation",
  arguments: "[run..]",
  summary: "each representation metric of the targets against the generation metric, over all targets (Fig. 4)",
  positionals: RUNS_POSITIONAL,
  options: {
    against: {
      type: "string",
      requiresArg: true,
      describe: "generation metric, a key of evaluation.json or a column of --csv (default: the first there is)",
    },
    probe: { type: "string", requiresArg: true, describe: "probe.json of descry probe: linear probing accuracies" },
    csv: {
      type: "string",
      requiresArg: true,
      describe: "points from a table instead of runs: columns target, fid (or --against) and any metrics",
    },
    metrics: { type: "string", requiresArg: true, describe: "of --csv: these columns only, separated by commas" },
    count: COUNT_OPTION,
    seed: { type: "string", requiresArg: true, describe: "of the bootstrap and the choice of images (default 0)" },
    ...ANALYSIS_OPTIONS,
  },
  examples: [
    ["$0 analyze correlation runs/my-* --probe probe/probe.json", "runs that differ in their seeds are averaged"],
    ["$0 analyze correlation --csv published.csv --metrics lds,cds,srss,rmsc", "points of others: target,lds,…,fid"],
  ],
  async run(args, context) {
    const seed = wholeOption(args, "seed", 0) ?? 0;
    const { analyzeCorrelation } = await import("../../../analyze/correlation.js");
    const { correlationChart } = await import("../../../analyze/correlation-chart.js");
    const { correlationCsv, formatCorrelation, pointsCsv } = await import("../../../analyze/correlation-table.js");
    const { standAloneSvg } = await import("../../../report/stand-alone-svg.js");
    const { writeResult } = await import("../../../report/write-result.js");
    const analysis = analyzeCorrelation(await readPoints(args, context, seed), seed);
    const files = await writeResult(
      outFolder(args, context),
      {
        "correlation.csv": correlationCsv(analysis),
        "points.csv": pointsCsv(analysis),
        "correlation.json": `${JSON.stringify(analysis, null, 2)}\n`,
      },
      { correlation: await standAloneSvg(correlationChart(analysis)) },
    );
    printWritten(args, context, analysis, formatCorrelation(analysis), files);
    return 0;
  },
};

async function readPoints(args: Arguments, context: CliContext, seed: number): Promise<Points> {
  const table = textOption(args, "csv");
  const against = textOption(args, "against");
  if (table !== undefined) {
    const foreign = ["probe", "count", "evaluation"].find((name) => args[name] !== undefined);
    if (foreign !== undefined) throw new UsageError(`--${foreign} is for runs: the table has what it has`);
    if (listOption(args, "run").length > 0) {
      throw new UsageError("correlation: wanted runs or --csv, got both", {
        hint: "points.csv of runs can be added to",
      });
    }
    const { readPointTable } = await import("../../../analyze/read-point-table.js");
    const metrics = textOption(args, "metrics")
      ?.split(",")
      .map((name) => name.trim());
    return readPointTable(path.resolve(context.cwd, table), {
      ...(against === undefined ? {} : { against }),
      ...(metrics === undefined ? {} : { metrics }),
    });
  }
  if (args["metrics"] !== undefined) throw new UsageError("--metrics chooses columns of --csv");
  const count = countOption(args);
  const runs = await readNamedRuns(args, context);
  if (runs.length === 0) {
    throw new UsageError("correlation: wanted runs, or --csv FILE", {
      hint: "for example: descry analyze correlation runs/my-*",
    });
  }
  return pointsOf(runs, args, context, { count, seed });
}
