/**
 * @file Correlation coefficients with two-sided p-values: does a spatial metric of the encoders predict the quality of what is
 * generated with them?
 */
import { NumericError, ShapeError } from "../../data/errors.js";
import { incompleteBeta } from "./incomplete-beta.js";

export interface Correlation {
  /** −1…1. */
  readonly coefficient: number;
  /** Probability of a coefficient at least as far from 0 if x and y were unrelated; 1 for two points. */
  readonly p: number;
  readonly count: number;
}

/**
 * Pearson's linear correlation, r = Σ(x−x̄)(y−ȳ) / √(Σ(x−x̄)² Σ(y−ȳ)²).
 *
 * p is that of t = r √(ν / (1−r²)) under Student's distribution with ν = n−2, which is I_{1−r²}(ν/2, 1/2): exact for
 * independent normal data.
 *
 * @throws {ShapeError} lengths that differ, or fewer than two points.
 * @throws {NumericError} values that are not finite, or all equal (the coefficient is then not defined).
 */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): Correlation {
  check(x, y);
  const count = x.length;
  const [dx, dy] = [centredUnit(x, "x"), centredUnit(y, "y")];
  let sum = 0;
  for (let i = 0; i < count; i++) sum += dx[i]! * dy[i]!;
  const coefficient = Math.max(-1, Math.min(1, sum));
  if (count === 2) return { coefficient, p: 1, count };
  return { coefficient, p: incompleteBeta((1 - coefficient) * (1 + coefficient), (count - 2) / 2, 0.5), count };
}

/**
 * Spearman's rank correlation: Pearson's of the ranks, where equal values share the mean of theirs. Its p is that of Student's t as
 * well, which is an approximation below about 20 points.
 *
 * @throws {ShapeError | NumericError} as {@link pearson}.
 */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): Correlation {
  check(x, y);
  return pearson(ranks(x), ranks(y));
}

/** Ranks from 1; equal values get the mean of the ranks that they take up. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) result[order[i]!] = (start + 1 + end) / 2;
    start = end;
  }
  return result;
}

function check(x: ArrayLike<number>, y: ArrayLike<number>): void {
  if (x.length !== y.length) throw new ShapeError(`correlation: x has ${x.length} values, y has ${y.length}`);
  if (x.length < 2) throw new ShapeError(`correlation: want at least 2 points, got ${x.length}`);
  for (const [name, values] of [["x", x] as const, ["y", y] as const]) {
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i]!)) throw new NumericError(`correlation: ${name}[${i}] is ${values[i]}`);
    }
  }
}

/** Values minus their mean, scaled to unit length. */
function centredUnit(values: ArrayLike<number>, name: string): Float64Array {
  const list = Float64Array.from(values);
  const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
  if (list.every((value) => value === list[0])) {
    throw new NumericError(`correlation: all values of ${name} are ${list[0]}, so it is not defined`);
  }
  const centred = list.map((value) => value - mean);
  const length = Math.hypot(...centred);
  return centred.map((value) => value / length);
}
