/**
 * @file How strongly two columns of numbers, one row a target, go together: Pearson's and Spearman's coefficients with p, bootstrap
 * intervals over the targets, and the least-squares line.
 */
import { randomStream } from "../../data/random.js";
import { type Correlation, pearson, spearman } from "../evaluate/correlations.js";
import { intervalOf } from "../report/interval.js";

/** Fewer points: no coefficient, as in iREPA's analysis. */
export const LEAST_POINTS = 3;
/** Fewer points: no interval, since hardly any resample says anything but ±1. */
export const LEAST_FOR_INTERVAL = 5;

export interface CorrelationEstimate {
  /** −1…1. */
  readonly coefficient: number;
  /** Two-sided, from Student's t. */
  readonly p: number;
  /** Ends of the percentile interval that holds 95 % of the resampled coefficients; null with too few points. */
  readonly low: number | null;
  readonly high: number | null;
  /** Resamples that have a coefficient: those that drew equal values only have none. */
  readonly resamples: number;
}

export interface ColumnCorrelation {
  readonly pearson: CorrelationEstimate;
  readonly spearman: CorrelationEstimate;
  /** y = intercept + slope · x, least squares. */
  readonly line: { readonly slope: number; readonly intercept: number };
}

/**
 * Correlate two columns.
 *
 * The bootstrap draws targets with replacement, as many as there are; its draws depend on the seed and the number of targets alone,
 * so that all metrics of the same targets are resampled alike. A percentile interval over few targets is rather too narrow.
 *
 * @param x,y finite, of the same length.
 * @returns null with fewer than three points, or where all values of a column are equal.
 * @source Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
 */
export function correlateColumns(
  x: readonly number[],
  y: readonly number[],
  { seed, resamples }: { readonly seed: number; readonly resamples: number },
): ColumnCorrelation | null {
  const count = x.length;
  if (count < LEAST_POINTS || isConstant(x) || isConstant(y)) return null;
  const { linear, ranked } = count < LEAST_FOR_INTERVAL ? { linear: [], ranked: [] } : resample(x, y, seed, resamples);
  return {
    pearson: withInterval(pearson(x, y), linear),
    spearman: withInterval(spearman(x, y), ranked),
    line: leastSquares(x, y),
  };
}

/** Coefficients of resamples. A resample is how often each target was drawn: equal draws need no copies. */
function resample(x: readonly number[], y: readonly number[], seed: number, resamples: number) {
  const count = x.length;
  const draws = randomStream(seed, "analyze/correlation", count).integers(resamples * count, count);
  const [rankX, rankY] = [rankOf(x), rankOf(y)];
  const times = new Uint32Array(count);
  const linear: number[] = [];
  const ranked: number[] = [];
  for (let r = 0; r < resamples; r++) {
    times.fill(0);
    for (let i = r * count; i < (r + 1) * count; i++) times[draws[i]!]!++;
    const coefficient = weightedPearson(x, y, times);
    if (coefficient === null) continue;
    linear.push(coefficient);
    ranked.push(weightedPearson(rankX(times), rankY(times), times)!);
  }
  return { linear, ranked };
}

/** Pearson's coefficient of points that count several times, or not at all; null where x or y is the same in all that count. */
function weightedPearson(x: ArrayLike<number>, y: ArrayLike<number>, times: Uint32Array): number | null {
  const first = times.findIndex((n) => n > 0);
  let [total, sumX, sumY, isConstantX, isConstantY] = [0, 0, 0, true, true];
  for (let i = 0; i < times.length; i++) {
    const n = times[i]!;
    if (n === 0) continue;
    total += n;
    sumX += n * x[i]!;
    sumY += n * y[i]!;
    isConstantX &&= x[i] === x[first];
    isConstantY &&= y[i] === y[first];
  }
  if (isConstantX || isConstantY) return null;
  const [meanX, meanY] = [sumX / total, sumY / total];
  let [xx, xy, yy] = [0, 0, 0];
  for (let i = 0; i < times.length; i++) {
    const [dx, dy] = [x[i]! - meanX, y[i]! - meanY];
    xx += times[i]! * dx * dx;
    xy += times[i]! * dx * dy;
    yy += times[i]! * dy * dy;
  }
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx) / Math.sqrt(yy)));
}

/** The ranks of values of which each counts so many times; equal ones share the mean of theirs. The array is used again. */
function rankOf(values: readonly number[]): (times: Uint32Array) => Float64Array {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const result = new Float64Array(values.length);
  return (times) => {
    let before = 0;
    for (let start = 0; start < order.length; ) {
      let [end, here] = [start, 0];
      for (; end < order.length && values[order[end]!] === values[order[start]!]; end++) here += times[order[end]!]!;
      for (let i = start; i < end; i++) result[order[i]!] = before + (here + 1) / 2;
      before += here;
      start = end;
    }
    return result;
  };
}

const isConstant = (values: readonly number[]): boolean => values.every((value) => value === values[0]);

function withInterval({ coefficient, p }: Correlation, resampled: readonly number[]): CorrelationEstimate {
  if (resampled.length === 0) return { coefficient, p, low: null, high: null, resamples: 0 };
  return { coefficient, p, ...intervalOf(resampled), resamples: resampled.length };
}

function leastSquares(x: readonly number[], y: readonly number[]): ColumnCorrelation["line"] {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  const products = x.reduce((sum, value, i) => sum + (value - meanX) * (y[i]! - meanY), 0);
  const slope = products / x.reduce((sum, value) => sum + (value - meanX) ** 2, 0);
  return { slope, intercept: meanY - slope * meanX };
}
