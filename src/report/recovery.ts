/**
 * @file "Target X recovers p % of target Y's gain": the claim that a cheap target rivals a dear one, as a number with an interval.
 */
import type { GroupDraws } from "./draw-group.js";
import { type GainInterval, gainInterval } from "./gain-interval.js";
import { type Interval, intervalOf } from "./interval.js";

/** How much of the reference arm's gain another arm has. */
export interface Recovery {
  readonly arm: string;
  /** (control − arm) / (control − reference), of means over seeds: 1 is all of it, below 0 a loss. */
  readonly share: number;
  readonly interval: Interval;
}

export interface Recoveries {
  /** The arm whose gain is the whole. */
  readonly reference: string;
  /** It was not named but taken for its gain, the largest: shares above 1 are then not to be expected. */
  readonly isLargest: boolean;
  readonly gain: GainInterval;
  /** The other arms in their order; null: not defined, for the reference's gain is not distinguishable from 0, or a loss. */
  readonly arms: readonly Recovery[] | null;
}

/**
 * What each arm recovers of the gain of a reference arm, from the same draws as the gains.
 *
 * A ratio whose denominator may be 0 has no finite interval (Fieller 1954, Some problems in interval estimation), so that it is
 * given only where the denominator's own interval lies above 0. Of the draws, those below 0 (fewer than one in 40) then count as
 * infinite with the numerator's sign, which is where the ratio goes when the denominator goes to 0.
 *
 * @param relativeTo name of the reference arm. Absent: the one with the largest gain.
 * @returns null where no other arm can be compared, or `relativeTo` is none of them.
 */
export function recoveries(draws: GroupDraws, relativeTo?: string): Recoveries | null {
  const { control } = draws;
  const gains = draws.arms.map((arm) => ({ arm, gain: gainInterval(draws, arm) }));
  const largest = gains.reduce((best, one) => (one.gain.absolute > best.gain.absolute ? one : best));
  const found = relativeTo === undefined ? largest : gains.find(({ arm }) => arm.name === relativeTo);
  if (found === undefined || draws.arms.length < 2) return null;
  const { arm: reference, gain } = found;
  const whole = { reference: reference.name, isLargest: relativeTo === undefined, gain };
  if (gain.interval.low <= 0) return { ...whole, arms: null };
  const sign = Math.sign(control.mean - reference.mean); // of gains, in the metric's direction
  const others = draws.arms.filter((arm) => arm !== reference);
  return {
    ...whole,
    arms: others.map((arm): Recovery => {
      const shares = control.draws.map((from, r) => {
        const [part, all] = [sign * (from - arm.draws[r]!), sign * (from - reference.draws[r]!)];
        return all > 0 ? part / all : part > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
      });
      const share = (control.mean - arm.mean) / (control.mean - reference.mean);
      return { arm: arm.name, share, interval: intervalOf(shares) };
    }),
  };
}
