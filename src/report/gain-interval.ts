import type { DrawnArm, GroupDraws } from "./draw-group.js";
import { type Interval, intervalOf, isApartFromZero } from "./interval.js";
import { gainOver } from "./metrics.js";

/** How much better one arm is than another, and within which ends that is known; positive is better. */
export interface GainInterval {
  /** In units of the metric, mean over seeds. */
  readonly absolute: number;
  readonly interval: Interval;
  /** As shares of the other's magnitude, mean over seeds; null where that may be 0. */
  readonly relative: number | null;
  readonly relativeInterval: Interval | null;
  /** The interval does not hold 0. */
  readonly isDistinguishable: boolean;
}

/** The gain of the arm of that name over the control, see {@link gainInterval}; null where its interval is not known. */
export function gainOf(draws: GroupDraws | null, name: string): GainInterval | null {
  const arm = draws?.arms.find((one) => one.name === name);
  return draws === null || arm === undefined ? null : gainInterval(draws, arm);
}

/**
 * The gain of an arm over another with its 95 % interval: over the control, if no other is named.
 *
 * Each interval is for its comparison alone: of twenty arms that do not differ, one is expected outside.
 */
export function gainInterval({ metric, control }: GroupDraws, arm: DrawnArm, over = control): GainInterval {
  const gain = (baseline: number, value: number) => gainOver(baseline, value, metric.direction)!;
  const absolute = gain(over.mean, arm.mean).absolute;
  const draws = arm.draws.map((value, r) => gain(over.draws[r]!, value).absolute);
  const interval = intervalOf(draws);
  const shares = arm.values.map((value, s) => gain(over.values[s]!, value).relative);
  const relative = shares.includes(null) ? null : mean(shares as number[]);
  // A share of what may be 0 may be anything.
  const isShare = relative !== null && isApartFromZero(intervalOf(over.draws));
  const ofMeans = absolute / Math.abs(over.mean); // several seeds: not quite the mean of their shares
  const shifted = draws.map((value, r) => relative! + value / Math.abs(over.draws[r]!) - ofMeans);
  return {
    absolute,
    interval,
    relative,
    relativeInterval: isShare ? intervalOf(shifted) : null,
    isDistinguishable: isApartFromZero(interval),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
