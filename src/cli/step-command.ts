/** @file What the commands of single steps share: open the run, do the step, say what became of it. */
import type { StepName } from "../run/run-experiment.js";
import type { StepOptions } from "../run/steps/step.js";
import { type Arguments, flag, listOption, positional } from "./command.js";
import type { CliContext } from "./context.js";
import { openTarget, printResult, showPath } from "./experiment-options.js";
import { openProgress } from "./progress.js";
import { runByWorkers } from "./queue-option.js";

/** Positional of all step commands. */
export const RUN_POSITIONAL = {
  run: { type: "string", describe: "run folder, or experiment file whose run is made or continued" },
} as const;

/**
 * Do one step of the run that the command line names.
 *
 * @param options `again`: do it although its output is there; `part`: only this part of it.
 */
export async function runStep(
  step: StepName,
  args: Arguments,
  context: CliContext,
  { again = false, part }: Pick<StepOptions, "again" | "part"> = {},
): Promise<number> {
  const { runExperiment } = await import("../run/run-experiment.js");
  const run = await openTarget(positional(args, "run"), args, context);
  const arms = listOption(args, "arm");
  const progress = openProgress(context, flag(args, "quiet"));
  // Where workers have done it, the rest is to see that it is done.
  if (step !== "report") await runByWorkers([{ run, words: "" }], [step], args, context, progress);
  const outcome = await runExperiment(
    run,
    {
      progress,
      again,
      ...(part === undefined ? {} : { part }),
      ...(arms.length === 0 ? {} : { arms }),
      ...(context.signal === undefined ? {} : { signal: context.signal }),
    },
    [step],
  );
  printResult(args, context, { run: run.folder, [step]: outcome[step] }, showPath(run.folder, context));
  return 0;
}
