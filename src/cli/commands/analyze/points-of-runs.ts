import path from "node:path";
import type { Points } from "../../../analyze/target-points.js";
import type { RunRecord } from "../../../report/read-run.js";
import { type Arguments, flag, textOption, wholeOption } from "../../command.js";
import type { CliContext } from "../../context.js";
import { interruptible } from "../../interruptible.js";
import { openProgress } from "../../progress.js";

const DEFAULT_COUNT = 500;

export const COUNT_OPTION = {
  type: "string",
  requiresArg: true,
  describe: `cached images that the spatial metrics are means over (default ${DEFAULT_COUNT})`,
} as const;

/** `--count`. */
export const countOption = (args: Arguments): number => wholeOption(args, "count", 1) ?? DEFAULT_COUNT;

/** The targets of runs as points, with a line of progress for each target and normalization that is measured. */
export async function pointsOf(
  runs: readonly RunRecord[],
  args: Arguments,
  context: CliContext,
  { count, seed }: { readonly count: number; readonly seed: number },
): Promise<Points> {
  const { TargetMeter } = await import("../../../analyze/measure-targets.js");
  const { pointsOfRuns } = await import("../../../analyze/target-points.js");
  const { readProbe } = await import("../../../analyze/read-probe.js");
  const against = textOption(args, "against");
  const probe = textOption(args, "probe");
  const progress = openProgress(context, flag(args, "quiet"));
  const tasks = new Map<string, ReturnType<typeof progress.task>>();
  const meter = new TargetMeter({
    count,
    seed,
    cwd: context.cwd,
    onImages: (done, total, target, alpha) => {
      const name = alpha === null ? target : `${target}, spatial norm ${alpha}`;
      const task = tasks.get(name) ?? progress.task(`measure   ${name}`, total, "images");
      tasks.set(name, task);
      if (done < total) task.update(done);
      else task.finish(`${total} images`);
    },
    ...(context.signal === undefined ? {} : { signal: context.signal }),
  });
  return interruptible(context, async () =>
    pointsOfRuns(runs, {
      evaluation: textOption(args, "evaluation") ?? "evaluation",
      meter,
      ...(against === undefined ? {} : { against }),
      ...(probe === undefined ? {} : { probe: await readProbe(path.resolve(context.cwd, probe)) }),
    }),
  );
}
