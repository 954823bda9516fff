import { compareArms, type MetricCell } from "./compare-arms.js";
import { type ArmValues, drawArms } from "./draw-arms.js";
import { METRICS, type MetricInfo } from "./metrics.js";
import type { RunGroup } from "./run-groups.js";

/** An arm that can be compared, with what its mean might have been. */
export interface DrawnArm {
  readonly name: string;
  /** One a seed. */
  readonly values: readonly number[];
  /** Of the values. */
  readonly mean: number;
  /** [draws]: the mean plus a joint draw of its deviation. */
  readonly draws: Float64Array;
}

/** The arms of a group by one metric, ready to be compared with intervals. */
export interface GroupDraws {
  readonly metric: MetricInfo;
  readonly seeds: number;
  readonly control: DrawnArm;
  /** The others that were measured like the control under every seed, in the order of the group. */
  readonly arms: readonly DrawnArm[];
}

/** Drawing takes a second or so: a group is drawn once. */
const known = new WeakMap<RunGroup, Map<string, GroupDraws | null>>();

/**
 * Draw the arms of a group by a metric, see {@link drawArms}. With one seed the draws tell of other samples from the same weights;
 * with several, of other seeds and other samples.
 *
 * @param name of the evaluation. @param key of the metric; by default that of the verdict.
 * @returns null where no interval is known: without a control or an arm to compare, or where the samples' influences are wanted and
 *   were not kept (by an evaluation of before, or of another metric).
 */
export function drawGroup(group: RunGroup, name = "evaluation", key = METRICS[0]!.key): GroupDraws | null {
  const ofGroup = known.get(group) ?? new Map<string, GroupDraws | null>();
  known.set(group, ofGroup);
  const place = `${name} ${key}`;
  if (!ofGroup.has(place)) ofGroup.set(place, draw(group, name, key));
  return ofGroup.get(place)!;
}

function draw(group: RunGroup, name: string, key: string): GroupDraws | null {
  const comparisons = group.runs.map((run) => compareArms(run, name));
  const samplers = comparisons.map(({ control }) => control?.evaluation?.sampler["seed"]);
  const sharedNoise = samplers.every((seed) => seed === samplers[0]);
  const wantsInfluences = group.runs.length === 1 || sharedNoise;
  const candidates = group.arms.flatMap(({ name: arm, isControl, repetitions }, a) => {
    const rows = comparisons.map(({ arms }) => arms[a]!);
    const cells = rows.map(({ cells }) => cells.find(({ metric }) => metric.key === key));
    if (rows.some(({ unlike }) => unlike.length > 0) || !cells.every(isMeasured)) return [];
    const influences = repetitions.map(
      ({ evaluations }) => evaluations.find((one) => one.name === name)?.influences[key],
    );
    const isWhole = influences.every((one) => one !== undefined);
    if (wantsInfluences && !isWhole) return [];
    const values = cells.map(({ value }) => value);
    const drawn: ArmValues = { values, influences: isWhole ? influences : null };
    return [{ name: arm, isControl, metric: cells[0]!.metric, drawn }];
  });
  const control = candidates.findIndex(({ isControl }) => isControl);
  const metric = candidates[control]?.metric;
  if (metric === undefined || metric.direction === null || candidates.length < 2) return null;
  const deviations = drawArms(
    candidates.map(({ drawn }) => drawn),
    { sharedNoise },
  );
  if (deviations === null) return null;
  const arms = candidates.map(({ name: arm, drawn: { values } }, a): DrawnArm => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { name: arm, values, mean, draws: deviations[a]!.map((deviation) => mean + deviation) };
  });
  return {
    metric,
    seeds: group.runs.length,
    control: arms[control]!,
    arms: arms.filter((_, a) => a !== control),
  };
}

function isMeasured(cell: MetricCell | undefined): cell is MetricCell & { readonly value: number } {
  return cell?.value != null;
}
