/**
 * @file How much spatial structure a grid of tokens has: LDS, CDS, SRSS and RMSC, from the cosine similarities of all pairs of
 * tokens and their Manhattan distances. In float64; tokens are [T,D] row-major, T = rows·columns.
 *
 * LDS comes in two variants, because the paper's formula is not what its code computes; whoever reports it must say which.
 *
 * @source iREPA, arXiv 2512.10794, section 3 and the variants of its released code; SPEC §4.
 */
import { ShapeError } from "../data/errors.js";
import type { Grid } from "./descriptor.js";

export interface SpatialMetrics {
  /** As the code: local (4 neighbours) minus distant (Manhattan distance ≥ 6) similarity; NaN when no pair is that far apart. */
  readonly lds: number;
  /** As the paper: similarity of different tokens nearer than half the grid's (shorter) side, minus that of all others. */
  readonly ldsPaper: number;
  /** Minus the least-squares slope of the mean similarity over the distances 1…8. */
  readonly cds: number;
  /** Similarity within the foreground minus to the far background; NaN without a mask or without valid anchors. */
  readonly srss: number;
  /** Root mean square distance of the unit tokens from their mean. */
  readonly rmsc: number;
}

const FAR = 6;
/** Smallest norm that a token is divided by. */
const EPSILON = 1e-8;
const SRSS_EPSILON = 1e-12;
const SLOPE_DISTANCES = 8;

/**
 * All metrics of one image.
 *
 * @param tokens [T,D].
 * @param mask foreground tokens, [T]; without it SRSS is NaN.
 * @throws {ShapeError} lengths that do not fit the grid.
 */
export function spatialMetrics(tokens: Float32Array, grid: Grid, mask?: ArrayLike<number | boolean>): SpatialMetrics {
  const T = grid[0] * grid[1];
  if (T === 0 || tokens.length === 0 || tokens.length % T !== 0) {
    throw new ShapeError(
      `spatial metrics: ${tokens.length} numbers do not fill a grid of ${grid[0]}×${grid[1]} tokens`,
    );
  }
  if (mask !== undefined && mask.length !== T) {
    throw new ShapeError(`spatial metrics: the mask has ${mask.length} entries, the grid ${T} tokens`);
  }
  const unit = unitTokens(tokens, T, EPSILON);
  const similarity = cosines(unit, T);
  const distances = byDistance(similarity, grid);
  return {
    lds: contrast(distances, 2, FAR),
    ldsPaper: contrast(distances, Math.min(...grid) / 2, Math.min(...grid) / 2),
    cds: cds(distances),
    srss: mask === undefined ? Number.NaN : srss(forSrss(tokens, T, similarity), grid, mask),
    rmsc: rmsc(unit, T),
  };
}

/** The reference divides by other smallest norms in SRSS than elsewhere: only tokens shorter than that can tell. */
function forSrss(tokens: Float32Array, T: number, similarity: Float64Array): Float64Array {
  const D = tokens.length / T;
  const isTiny = (_: unknown, t: number) => {
    const norm = Math.hypot(...tokens.subarray(t * D, (t + 1) * D));
    return norm > 0 && norm < EPSILON;
  };
  return Array.from({ length: T }).some(isTiny) ? cosines(unitTokens(tokens, T, SRSS_EPSILON), T) : similarity;
}

/** Tokens of unit length, float64. */
function unitTokens(tokens: Float32Array, T: number, epsilon: number): Float64Array {
  const D = tokens.length / T;
  const unit = Float64Array.from(tokens);
  for (let t = 0; t < T; t++) {
    const token = unit.subarray(t * D, (t + 1) * D);
    const norm = Math.max(Math.sqrt(token.reduce((sum, x) => sum + x * x, 0)), epsilon);
    for (let d = 0; d < D; d++) token[d]! /= norm;
  }
  return unit;
}

/** Cosine similarity of every pair, [T,T]. */
function cosines(unit: Float64Array, T: number): Float64Array {
  const D = unit.length / T;
  const similarity = new Float64Array(T * T);
  for (let i = 0; i < T; i++) {
    for (let j = i; j < T; j++) {
      let dot = 0;
      for (let d = 0; d < D; d++) dot += unit[i * D + d]! * unit[j * D + d]!;
      similarity[i * T + j] = dot;
      similarity[j * T + i] = dot;
    }
  }
  return similarity;
}

const distance = (i: number, j: number, columns: number): number =>
  Math.abs(Math.floor(i / columns) - Math.floor(j / columns)) + Math.abs((i % columns) - (j % columns));

/** Similarity of the pairs of different tokens at each Manhattan distance: sums and counts, index = distance. */
interface Distances {
  readonly sums: Float64Array;
  readonly counts: Float64Array;
}

function byDistance(similarity: Float64Array, [rows, columns]: Grid): Distances {
  const T = rows * columns;
  const sums = new Float64Array(rows + columns);
  const counts = new Float64Array(rows + columns);
  for (let i = 0; i < T; i++) {
    for (let j = i + 1; j < T; j++) {
      const d = distance(i, j, columns);
      sums[d]! += similarity[i * T + j]!;
      counts[d]!++;
    }
  }
  return { sums, counts };
}

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

/** Mean similarity at distances below `near`, minus that at distances of `far` or more. */
function contrast({ sums, counts }: Distances, near: number, far: number): number {
  const meanOf = (isIn: (d: number) => boolean) =>
    total(sums.filter((_, d) => isIn(d))) / total(counts.filter((_, d) => isIn(d)));
  return meanOf((d) => d < near) - meanOf((d) => d >= far);
}

function cds({ sums, counts }: Distances): number {
  const points: [number, number][] = [];
  for (let d = 1; d <= SLOPE_DISTANCES; d++) if ((counts[d] ?? 0) > 0) points.push([d, sums[d]! / counts[d]!]);
  if (points.length === 0) return 0;
  const meanD = total(points.map(([d]) => d)) / points.length;
  const meanS = total(points.map(([, s]) => s)) / points.length;
  const covariance = total(points.map(([d, s]) => (s - meanS) * (d - meanD)));
  return -covariance / Math.max(total(points.map(([d]) => (d - meanD) ** 2)), 1e-12);
}

function srss(similarity: Float64Array, [rows, columns]: Grid, mask: ArrayLike<number | boolean>): number {
  const T = rows * columns;
  const foreground = Array.from({ length: T }, (_, t) => Boolean(mask[t]));
  const inside = foreground.filter(Boolean).length;
  if (inside < 2 || T - inside < 1) return Number.NaN;
  const differences: number[] = [];
  for (let i = 0; i < T; i++) {
    if (!foreground[i]) continue;
    const near: number[] = [];
    const far: number[] = [];
    for (let j = 0; j < T; j++) {
      const d = distance(i, j, columns);
      if (foreground[j] && d === 1) near.push(similarity[i * T + j]!);
      if (!foreground[j] && d >= FAR) far.push(similarity[i * T + j]!);
    }
    if (near.length > 0 && far.length > 0) differences.push(total(near) / near.length - total(far) / far.length);
  }
  return differences.length === 0 ? Number.NaN : total(differences) / differences.length;
}

function rmsc(unit: Float64Array, T: number): number {
  const D = unit.length / T;
  let sum = 0;
  for (let d = 0; d < D; d++) {
    let mean = 0;
    for (let t = 0; t < T; t++) mean += unit[t * D + d]! / T;
    for (let t = 0; t < T; t++) sum += (unit[t * D + d]! - mean) ** 2;
  }
  return Math.sqrt(sum / T);
}
