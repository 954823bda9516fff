import { type Command, numberOption, textOption } from "../../command.js";
import { printWritten } from "../../experiment-options.js";
import { ANALYSIS_OPTIONS, outFolder, RUNS_POSITIONAL, readNamedRuns } from "./shared.js";

const { evaluation: _, ...OPTIONS } = ANALYSIS_OPTIONS;

/** `descry analyze convergence`: a metric against the training step, and the speed-up over the control. */
export const convergenceCommand: Command = {
  name: "convergence",
  arguments: "<run..>",
  summary: "a metric against the training step, and the speed-up: ratio of steps to the control's last value",
  positionals: RUNS_POSITIONAL,
  options: {
    metric: {
      type: "string",
      requiresArg: true,
      describe:
        "measured along training (evaluate.every), or denoising_loss (default: the first there is, else the loss)",
    },
    to: { type: "string", requiresArg: true, describe: "the value to reach (default: the control's last)" },
    ...OPTIONS,
  },
  examples: [
    ["$0 analyze convergence runs/my-1a2b3c4d", "after a run with evaluate.every: 100"],
    ["$0 analyze convergence runs/my-* --metric denoising_loss", "by the training loss; seeds are averaged"],
    ["$0 analyze convergence runs/my-1a2b3c4d --to 0.2 --out speed", "steps to another value"],
  ],
  async run(args, context) {
    const metric = textOption(args, "metric");
    const to = numberOption(args, "to");
    const { analyzeConvergence } = await import("../../../analyze/convergence.js");
    const { convergenceChart } = await import("../../../analyze/convergence-chart.js");
    const { curvesCsv, formatConvergence, speedUpCsv } = await import("../../../analyze/convergence-table.js");
    const { standAloneSvg } = await import("../../../report/stand-alone-svg.js");
    const { writeResult } = await import("../../../report/write-result.js");
    const analysis = analyzeConvergence(await readNamedRuns(args, context), {
      ...(metric === undefined ? {} : { metric }),
      ...(to === undefined ? {} : { to }),
    });
    const files = await writeResult(
      outFolder(args, context),
      {
        "convergence.csv": speedUpCsv(analysis),
        "curves.csv": curvesCsv(analysis),
        "convergence.json": `${JSON.stringify(analysis, null, 2)}\n`,
      },
      { convergence: await standAloneSvg(convergenceChart(analysis)) },
    );
    printWritten(args, context, analysis, formatConvergence(analysis), files);
    return 0;
  },
};
