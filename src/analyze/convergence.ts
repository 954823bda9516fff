/**
 * @file How fast arms learn: a metric against the training step, and the speed-up over the control, which is the ratio of the steps
 * that both take to the same value.
 *
 * The value is the control's last one (of the same seed), or one that is given. For both the first step counts at which the curve is as
 * good, between two measurements by a straight line: where the control's own curve is not monotone, that may be before its end.
 */
import path from "node:path";
import { UsageError } from "../../data/errors.js";
import { realImages } from "../report/compare-arms.js";
import { curveOf, pointsOf } from "../report/convergence-record.js";
import { type MetricInfo, metricsIn } from "../report/metrics.js";
import type { ArmRecord, RunRecord } from "../report/read-run.js";
import { groupRuns, type RunGroup, seedOf } from "../report/run-groups.js";
import { type CurvePoint, smooth, smoothingWindow } from "../report/smooth.js";
import { checkConditions } from "./arm-groups.js";
import { firstReach, type Reached } from "./reach.js";

const LOSS_KEY = "denoising_loss";

/** One seed of one arm. */
export interface SeedConvergence {
  readonly seed: string;
  readonly points: readonly CurvePoint[];
  /** The value to reach; null: the control has none. */
  readonly goal: number | null;
  /** Null: not reached. */
  readonly reached: Reached | null;
  /** Steps of the control over those of the arm; null where one of them does not get there. */
  readonly speedUp: number | null;
}

export interface ArmConvergence {
  readonly label: string;
  readonly isControl: boolean;
  /** Place among the arms that are no controls; null: the control. */
  readonly colour: number | null;
  readonly seeds: readonly SeedConvergence[];
}

export interface GroupConvergence {
  readonly label: string;
  readonly arms: readonly ArmConvergence[];
}

/** What `convergence.json` of the analysis holds. */
export interface ConvergenceAnalysis {
  readonly format: "descry-convergence-analysis-1";
  readonly metric: { readonly key: string; readonly label: string; readonly direction: "lower" | "higher" };
  /** What the curves are. */
  readonly what: string;
  /** What is to be reached, in words. */
  readonly goal: string;
  readonly groups: readonly GroupConvergence[];
}

export interface ConvergenceOptions {
  /** A metric that was measured along training, or `denoising_loss`. @default the first that was measured, else the loss */
  readonly metric?: string;
  /** The value to reach. @default the control's last */
  readonly to?: number;
}

/**
 * Curves and speed-ups of all arms.
 *
 * @throws {UsageError} a metric that was not measured along training; a group without a control and no value to reach; arms that were
 *   measured in different ways.
 */
export function analyzeConvergence(
  runs: readonly RunRecord[],
  { metric: key, to }: ConvergenceOptions,
): ConvergenceAnalysis {
  const metric = chooseCurve(runs, key);
  const { direction } = metric;
  const groups = groupRuns(runs).map((group) => {
    const control = group.arms.find(({ isControl }) => isControl);
    if (control === undefined) {
      throw new UsageError(`${group.label}: has no control, so there is no speed-up over it`, {
        hint: "an arm without a target is one",
      });
    }
    const curves = (arm: RunGroup["arms"][number]) => arm.repetitions.map(metric.curve);
    const yardsticks = curves(control).map((points) => {
      const goal = to ?? points.at(-1)?.value ?? null;
      return { goal, reached: goal === null ? null : firstReach(points, goal, direction) };
    });
    return {
      label: group.label,
      arms: group.arms.map((arm) => ({
        label: arm.label,
        isControl: arm.isControl,
        colour: arm.colour,
        seeds: curves(arm).map((points, i): SeedConvergence => {
          const yardstick = yardsticks[i]!;
          const reached = yardstick.goal === null ? null : firstReach(points, yardstick.goal, direction);
          const speedUp = reached === null || yardstick.reached === null ? null : yardstick.reached.step / reached.step;
          return { seed: seedOf(group.runs[i]!), points, goal: yardstick.goal, reached, speedUp };
        }),
      })),
    };
  });
  return {
    format: "descry-convergence-analysis-1",
    metric: { key: metric.key, label: metric.label, direction },
    what: metric.what,
    goal: to === undefined ? `the control's last ${metric.label}` : `${metric.label} ${to}`,
    groups,
  };
}

interface Curve {
  readonly key: string;
  readonly label: string;
  readonly direction: "lower" | "higher";
  readonly what: string;
  curve(arm: ArmRecord): CurvePoint[];
}

function chooseCurve(runs: readonly RunRecord[], key: string | undefined): Curve {
  const nameOf = (arm: string, { folder }: RunRecord) =>
    runs.length === 1 ? arm : `${arm} of ${path.basename(folder)}`;
  const records = runs.flatMap((run) =>
    run.arms.flatMap(({ name, convergence }) =>
      convergence === null ? [] : [{ ...convergence, arm: nameOf(name, run) }],
    ),
  );
  const points = pointsOf(records);
  const measured = metricsIn(points).filter(
    (metric): metric is MetricInfo & { direction: "lower" | "higher" } =>
      metric.direction !== null && points.some(({ metrics }) => metrics[metric.key] != null),
  );
  const metric = key === undefined ? measured[0] : measured.find((one) => one.key === key);
  if (metric !== undefined) {
    checkConditions(records);
    const { samples, reference, network, weights } = records[0]!;
    return {
      key: metric.key,
      label: metric.label,
      direction: metric.direction,
      what: `${samples} samples against ${realImages(reference)} by ${network.name}${network.proxy ? ", a proxy" : ""}, ${weights} weights`,
      curve: ({ convergence }) => curveOf(convergence, metric.key),
    };
  }
  if (key !== undefined && key !== LOSS_KEY) {
    const known = [...measured.map((one) => one.key), LOSS_KEY];
    throw new UsageError(`no arm has "${key}" along its training`, {
      hint: `there are: ${known.join(", ")}; evaluate.every in the experiment measures along training`,
    });
  }
  const why =
    key === undefined ? "nothing was evaluated along training (evaluate.every), so this is the training loss: " : "";
  return {
    key: LOSS_KEY,
    label: "denoising loss",
    direction: "lower",
    what: `${why}metrics.jsonl, smoothed over a fifteenth of the steps`,
    curve({ metrics }) {
      const raw = metrics.map(({ step, denoising_loss }) => ({ step, value: denoising_loss }));
      return smooth(raw, smoothingWindow(raw.length));
    },
  };
}
