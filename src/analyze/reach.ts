import type { CurvePoint } from "../report/smooth.js";

/** Where a curve first is as good as some value. */
export interface Reached {
  /** Between two points by a straight line. */
  readonly step: number;
  /** It was there at the first point already: the step is an upper bound. */
  readonly isBound: boolean;
}

/**
 * The first step at which a curve is as good as `goal`.
 *
 * @param points    by rising steps.
 * @param direction which way is better.
 * @returns null: not reached.
 */
export function firstReach(points: readonly CurvePoint[], goal: number, direction: "lower" | "higher"): Reached | null {
  const isThere = ({ value }: CurvePoint) => (direction === "lower" ? value <= goal : value >= goal);
  const at = points.findIndex(isThere);
  if (at < 0) return null;
  if (at === 0) return { step: points[0]!.step, isBound: true };
  const [before, after] = [points[at - 1]!, points[at]!];
  const share = (before.value - goal) / (before.value - after.value);
  return { step: before.step + share * (after.step - before.step), isBound: false };
}
