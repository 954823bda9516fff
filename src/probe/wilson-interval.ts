import type { Interval } from "../report/interval.js";

/** Of the standard normal distribution, for 95 %. */
const Z = 1.959963984540054;

/**
 * The 95 % interval of a share, by Wilson's score: it never leaves [0,1], and holds for few trials and for shares near 0 and 1.
 *
 * @param hits  of `trials`.
 * @source Wilson, J. Am. Stat. Assoc. 22 (1927); Brown, Cai & DasGupta, Statistical Science 16 (2001).
 */
export function wilsonInterval(hits: number, trials: number): Interval {
  const share = hits / trials;
  const spread = Z ** 2 / trials;
  const middle = (share + spread / 2) / (1 + spread);
  const half = (Z / (1 + spread)) * Math.sqrt((share * (1 - share)) / trials + spread / (4 * trials));
  // At 0 and 1 the ends are met but for rounding.
  return { low: hits === 0 ? 0 : middle - half, high: hits === trials ? 1 : middle + half };
}
