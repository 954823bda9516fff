/** @file Does a representation metric of the targets predict the quality of what is generated? iREPA's Fig. 4, on any points. */
import { UsageError } from "../../data/errors.js";
import { type ColumnCorrelation, correlateColumns, LEAST_FOR_INTERVAL, LEAST_POINTS } from "./correlate.js";
import type { RepresentationMetric } from "./metrics.js";
import type { PointGroup, Points } from "./target-points.js";

const RESAMPLES = 10_000;

/** One panel of the figure. */
export interface MetricCorrelation extends RepresentationMetric {
  /** Targets that have a value. */
  readonly targets: number;
  /** Null: see `why`. */
  readonly result: ColumnCorrelation | null;
  /** Why there is no result. */
  readonly why: string | null;
}

export interface GroupCorrelation extends PointGroup {
  readonly correlations: readonly MetricCorrelation[];
}

/** What `correlation.json` holds. */
export interface CorrelationAnalysis {
  readonly format: "descry-correlation-1";
  readonly against: Points["against"];
  readonly bootstrap: { readonly seed: number; readonly resamples: number; readonly interval: string };
  readonly groups: readonly GroupCorrelation[];
  /** Points that were not enough for a correlation: group, targets, and why. */
  readonly leftOut: readonly { readonly label: string; readonly targets: readonly string[]; readonly why: string }[];
}

/**
 * Correlate every column of every group of points.
 *
 * @param seed of the bootstrap.
 * @throws {UsageError} no group has three targets: says what there is.
 */
export function analyzeCorrelation({ against, groups }: Points, seed: number): CorrelationAnalysis {
  const enough = groups.filter(({ points }) => points.length >= LEAST_POINTS);
  const few = groups.filter(({ points }) => points.length < LEAST_POINTS);
  if (enough.length === 0) {
    const found = few.map(({ label, points }) => `${label}: ${points.map(({ target }) => target).join(", ")}`);
    throw new UsageError(
      `a correlation wants ${LEAST_POINTS} targets with ${against.key} under one recipe, found ${found.length === 0 ? "none" : found.join("; ")}`,
      { hint: "arms are compared that differ in nothing but their target" },
    );
  }
  return {
    format: "descry-correlation-1",
    against,
    bootstrap: { seed, resamples: RESAMPLES, interval: "95 %, percentiles, over targets" },
    groups: enough.map((group) => ({
      ...group,
      correlations: group.columns.map((column) => correlate(group, column, seed)),
    })),
    leftOut: few.map(({ label, points }) => ({
      label,
      targets: points.map(({ target }) => target),
      why: `wants ${LEAST_POINTS} targets`,
    })),
  };
}

function correlate({ points }: PointGroup, column: RepresentationMetric, seed: number): MetricCorrelation {
  const known = points.filter(({ metrics }) => metrics[column.key] != null);
  const x = known.map(({ metrics }) => metrics[column.key]!);
  const y = known.map(({ value }) => value);
  const result = correlateColumns(x, y, { seed, resamples: RESAMPLES });
  const why =
    result !== null
      ? null
      : known.length < LEAST_POINTS
        ? `${known.length} of ${points.length} targets have a value, ${LEAST_POINTS} are needed`
        : "all values are equal";
  return { ...column, targets: known.length, result, why };
}

/** What to keep in mind when reading a group's numbers. */
export function caveatOf({ points }: PointGroup): string | null {
  if (points.length < LEAST_FOR_INTERVAL) {
    return `${points.length} targets: too few for an interval (${LEAST_FOR_INTERVAL}), and for a conclusion`;
  }
  return points.length < 10 ? `${points.length} targets: bootstrap intervals over so few are rather too narrow` : null;
}
