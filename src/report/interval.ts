import { quantile } from "../../data/quantile.js";

/** The ends of an interval, in the units of what it is of. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Share of the draws inside of an interval. */
const CONFIDENCE = 0.95;

/** The interval that holds the middle 95 % of some draws (percentiles). @param draws at least one. */
export function intervalOf(draws: ArrayLike<number>): Interval {
  const sorted = Float64Array.from(draws).sort();
  const tail = (1 - CONFIDENCE) / 2;
  return { low: quantile(sorted, tail), high: quantile(sorted, 1 - tail) };
}

/** Whether 0 lies outside: the sign is known. */
export function isApartFromZero({ low, high }: Interval): boolean {
  return low > 0 || high < 0;
}
