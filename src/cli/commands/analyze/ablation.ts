import { type Command, listOption, textOption } from "../../command.js";
import { ARM_OPTION, printWritten } from "../../experiment-options.js";
import { ANALYSIS_OPTIONS, outFolder, RUNS_POSITIONAL, readNamedRuns } from "./shared.js";

/** `descry analyze ablation`: convolution × normalization. */
export const ablationCommand: Command = {
  name: "ablation",
  arguments: "<run..>",
  summary: "what convolution and spatial normalization do, alone and together, a row a target (Table 2)",
  positionals: RUNS_POSITIONAL,
  options: {
    metric: {
      type: "string",
      requiresArg: true,
      describe: "generation metrics, separated by commas (default: all that were measured)",
    },
    ...ARM_OPTION,
    ...ANALYSIS_OPTIONS,
  },
  examples: [
    [
      "$0 analyze ablation runs/my-1a2b3c4d",
      "arms with mlp or conv, with and without spatialNorm; CSV, Markdown, LaTeX",
    ],
    ["$0 analyze ablation runs/my-* --metric frechet_distance", "one metric; seeds are averaged"],
  ],
  async run(args, context) {
    const metrics = textOption(args, "metric")
      ?.split(",")
      .map((key) => key.trim());
    const arms = listOption(args, "arm");
    const { analyzeAblation } = await import("../../../analyze/ablation.js");
    const tables = await import("../../../analyze/ablation-tables.js");
    const { writeResult } = await import("../../../report/write-result.js");
    const analysis = analyzeAblation(await readNamedRuns(args, context), {
      evaluation: textOption(args, "evaluation") ?? "evaluation",
      ...(metrics === undefined ? {} : { metrics }),
      ...(arms.length === 0 ? {} : { arms }),
    });
    const files = await writeResult(
      outFolder(args, context),
      {
        "ablation.csv": tables.ablationCsv(analysis),
        "ablation.md": tables.ablationMarkdown(analysis),
        "ablation.tex": tables.ablationLatex(analysis),
        "ablation.json": `${JSON.stringify(analysis, null, 2)}\n`,
      },
      {},
    );
    printWritten(args, context, analysis, tables.formatAblation(analysis), files);
    return 0;
  },
};
