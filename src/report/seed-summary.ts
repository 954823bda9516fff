/** @file The same arms under several seeds: means, spreads, and in how many seeds the arm beat the control of that seed. */
import { compareArms } from "./compare-arms.js";
import type { MetricInfo } from "./metrics.js";
import type { RunGroup } from "./run-groups.js";

/** Mean and standard deviation (n − 1) of the seeds where it was measured. */
export interface Spread {
  readonly mean: number;
  /** Null for a single value. */
  readonly std: number | null;
  readonly count: number;
}

export interface SeedCell {
  readonly metric: MetricInfo;
  readonly value: Spread | null;
  /** Of the paired gains, in units of the metric; null for the control. */
  readonly gain: Spread | null;
  /** Of the gains as shares of the control's values; null where one has none. */
  readonly relative: Spread | null;
  /** Seeds in which it was better than the control. */
  readonly wins: number;
}

export interface SeedRow {
  readonly name: string;
  readonly label: string;
  readonly isControl: boolean;
  readonly cells: readonly SeedCell[];
}

/** Summarize a group over its seeds. */
export function summarizeSeeds(group: RunGroup, name = "evaluation"): SeedRow[] {
  const comparisons = group.runs.map((run) => compareArms(run, name));
  const metrics = comparisons.flatMap((one) => one.metrics);
  const distinct = metrics.filter(({ key }, i) => metrics.findIndex((metric) => metric.key === key) === i);
  return group.arms.map(({ name: arm, label, isControl }, a) => ({
    name: arm,
    label,
    isControl,
    cells: distinct.map((metric): SeedCell => {
      const cells = comparisons.flatMap(({ arms }) => arms[a]!.cells.filter((cell) => cell.metric.key === metric.key));
      const gains = cells.map(({ gain }) => gain).filter((gain) => gain !== null);
      const relative = gains.map((gain) => gain.relative).filter((share) => share !== null);
      return {
        metric,
        value: spreadOf(cells.map(({ value }) => value).filter((value) => value !== null)),
        gain: spreadOf(gains.map(({ absolute }) => absolute)),
        relative: relative.length === gains.length ? spreadOf(relative) : null,
        wins: gains.filter(({ absolute }) => absolute > 0).length,
      };
    }),
  }));
}

/** Mean and standard deviation (n − 1); null of nothing. */
export function spreadOf(values: readonly number[]): Spread | null {
  const count = values.length;
  if (count === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) return { mean, std: null, count };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / (count - 1)), count };
}
