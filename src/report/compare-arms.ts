/**
 * @file The numbers of a run side by side: each arm against the control, as far as both were measured alike. Nothing is compared
 * that was measured in different ways.
 */
import { differingKeys, flattenSettings } from "./flatten.js";
import { type Gain, gainOver, type MetricInfo, metricsIn } from "./metrics.js";
import type { ArmRecord, RunRecord } from "./read-run.js";
import type { Evaluation } from "./records.js";
import type { RunGroup } from "./run-groups.js";

/** One number of one arm. */
export interface MetricCell {
  readonly metric: MetricInfo;
  /** Exactly as in the evaluation; null: not measured. */
  readonly value: number | null;
  readonly spread: number | null;
  /** Null for the control itself, without a control, or where the two cannot be compared. */
  readonly gain: Gain | null;
  /** The best of all arms that were measured as the control was. */
  readonly isBest: boolean;
  /** Why there is no value. */
  readonly missing: string | null;
}

export interface ComparedArm {
  readonly arm: ArmRecord;
  readonly isControl: boolean;
  /** Null: not evaluated. */
  readonly evaluation: Evaluation | null;
  /** One for each metric of the comparison; empty where there is no evaluation. */
  readonly cells: readonly MetricCell[];
  /** In what it was measured differently from the control (from the first evaluated arm without one); empty: alike. */
  readonly unlike: readonly string[];
}

/** All arms of a run by one evaluation. */
export interface Comparison {
  /** `evaluation`, or `evaluation-…` for a further one. */
  readonly name: string;
  readonly metrics: readonly MetricInfo[];
  readonly arms: readonly ComparedArm[];
  /** The control, when there is one. With several, the first. */
  readonly control: ComparedArm | null;
  /** Metrics of real images in the place of samples; null: not measured. */
  readonly floor: Readonly<Record<string, number | null>> | null;
}

/** The names of a run's evaluations, `evaluation` first. */
export function evaluationNames(run: RunRecord): string[] {
  const names = new Set(run.arms.flatMap(({ evaluations }) => evaluations.map(({ name }) => name)));
  return [...names].sort((a, b) => Number(b === "evaluation") - Number(a === "evaluation") || (a < b ? -1 : 1));
}

/** An evaluation of an arm; null: there is none of that name. */
export function evaluationOf({ evaluations }: ArmRecord, name: string): Evaluation | null {
  return evaluations.find((one) => one.name === name)?.record ?? null;
}

/** The first evaluation of that name of any arm in a group of runs. */
export function firstEvaluation({ arms }: RunGroup, name: string): Evaluation | undefined {
  return arms.flatMap(({ repetitions }) => repetitions.flatMap((arm) => evaluationOf(arm, name) ?? []))[0];
}

/**
 * Compare the arms of a run.
 *
 * @param name which evaluation.
 */
export function compareArms(run: RunRecord, name = "evaluation"): Comparison {
  const evaluations = run.arms.flatMap((arm) => evaluationOf(arm, name) ?? []);
  const metrics = metricsIn(evaluations);
  const controlArm = run.arms.find(({ align }) => align === null);
  const controlEvaluation = controlArm === undefined ? null : evaluationOf(controlArm, name);
  const yardstick = controlEvaluation ?? evaluations[0] ?? null;
  const unlike = run.arms.map((arm) => {
    const evaluation = evaluationOf(arm, name);
    return evaluation === null || yardstick === null ? [] : unlikeConditions(evaluation, yardstick);
  });
  const arms = run.arms.map((arm, i): ComparedArm => {
    const evaluation = evaluationOf(arm, name);
    const isControl = arm === controlArm;
    const cells = metrics.map((metric): MetricCell => {
      const value = evaluation?.metrics[metric.key] ?? null;
      const baseline = controlEvaluation?.metrics[metric.key] ?? null;
      const hasGain = value !== null && baseline !== null && !isControl && unlike[i]!.length === 0;
      return {
        metric,
        value,
        spread: metric.spreadKey === null ? null : (evaluation?.metrics[metric.spreadKey] ?? null),
        gain: hasGain ? gainOver(baseline, value, metric.direction) : null,
        isBest: false,
        missing: value === null ? (evaluation?.not_measured[metric.key] ?? "not measured") : null,
      };
    });
    return { arm, isControl, evaluation, cells: evaluation === null ? [] : cells, unlike: unlike[i]! };
  });
  const marked = arms.map((row) => ({ ...row, cells: row.cells.map((cell, m) => markBest(cell, row, arms, m)) }));
  return {
    name,
    metrics,
    arms: marked,
    control: marked.find(({ isControl }) => isControl) ?? null,
    floor: yardstick?.floor ?? null,
  };
}

/** How numbers were measured. */
export type Conditions = Pick<Evaluation, "weights" | "samples" | "reference" | "protocol"> & {
  /** Absent: along the training. */
  readonly step?: number;
  readonly sampler: Readonly<Record<string, unknown>>;
  readonly network: { readonly name: string; readonly sha256: string; readonly resize?: unknown };
};

/** In which conditions two measurements differ, as dotted keys; numbers of such measurements must not be compared. */
export function unlikeConditions(one: Conditions, other: Conditions): string[] {
  return differingKeys([flatten(one), flatten(other)]);
}

/** Among measurements under other seeds, what makes them not comparable: {@link unlikeConditions} but for the seeds. */
export function unlikeBesidesSeeds(one: Conditions, other: Conditions): string[] {
  return unlikeConditions(one, other).filter((key) => key !== "protocol.seed" && key !== "sampler.seed");
}

function flatten({ step, weights, samples, reference, sampler, network, protocol }: Conditions) {
  const { name, sha256, resize } = network;
  return flattenSettings({ step, weights, samples, reference, sampler, network: { name, sha256, resize }, protocol });
}

/** Ties are all best; where all arms are equal, or only one is comparable, none is. */
function markBest(cell: MetricCell, row: ComparedArm, arms: readonly ComparedArm[], m: number): MetricCell {
  const { direction } = cell.metric;
  if (cell.value === null || direction === null || row.unlike.length > 0) return cell;
  const rivals = arms
    .filter(({ unlike, evaluation }) => evaluation !== null && unlike.length === 0)
    .map(({ cells }) => cells[m]!.value)
    .filter((value) => value !== null);
  if (new Set(rivals).size < 2) return cell;
  return { ...cell, isBest: cell.value === (direction === "lower" ? Math.min(...rivals) : Math.max(...rivals)) };
}

/** What samples are compared with, in words; null: statistics that do not say of how many images they are. */
export const realImages = (reference: number | null): string =>
  reference === null ? "the statistics of a reference file" : `${reference} real images`;

/** The conditions of an evaluation in one line, to stand beside its numbers. */
export function describeConditions(evaluation: Evaluation): string {
  const { network, samples, reference, sampler, weights, step } = evaluation;
  const interval = sampler["guidanceInterval"];
  const isPart = Array.isArray(interval) && (interval[0] !== 0 || interval[1] !== 1) && sampler.guidance !== 1;
  const parts = [
    network.proxy ? `${network.name} (proxy)` : network.name,
    `${samples} samples against ${reference === null ? realImages(reference) : `${reference} real`}`,
    `${sampler.name} ${sampler.steps} steps`,
    `guidance ${sampler.guidance}${isPart ? ` for t in [${interval.join(", ")}]` : ""}`,
    `${weights} weights at step ${step}`,
  ];
  return parts.join(" · ");
}
