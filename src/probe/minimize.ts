/**
 * @file L-BFGS: minimizes a smooth function of many variables from its values and gradients. In float64; the function may be computed
 * in float32, whose noise the line search allows for. Deterministic.
 *
 * @source Nocedal & Wright, Numerical Optimization, 2nd edition, algorithms 7.4 and 7.5; the line search by bisection: Lewis &
 * Overton, Math. Program. 141 (2013).
 */

/** A function's value and gradient at a point. */
export interface Evaluation {
  readonly value: number;
  /** As long as the point; whoever asked may keep it. */
  readonly gradient: Float64Array;
}

export interface MinimizeOptions {
  /** Stop when no part of the gradient is larger. */
  readonly tolerance: number;
  readonly maxIterations: number;
}

export interface Minimum extends Evaluation {
  readonly point: Float64Array;
  readonly iterations: number;
  /** Whether the gradient is as small as was wanted; false: out of iterations, or the function's noise hides what is left. */
  readonly isConverged: boolean;
}

/** Pairs of steps and gradient changes that are remembered. */
const MEMORY = 10;
/** Of the Armijo and the curvature condition. */
const [DECREASE, CURVATURE] = [1e-4, 0.9];
const MOST_TRIALS = 25;
/** Relative noise of a value that was computed in float32. */
const NOISE = 2 ** -23;

/** @param start is not changed. */
export async function minimize(
  evaluate: (point: Float64Array) => Promise<Evaluation>,
  start: Float64Array,
  { tolerance, maxIterations }: MinimizeOptions,
): Promise<Minimum> {
  let point: Float64Array = start.slice();
  let { value, gradient } = await evaluate(point);
  const memory: { readonly step: Float64Array; readonly change: Float64Array; readonly product: number }[] = [];
  let iterations = 0;
  while (largest(gradient) > tolerance && iterations < maxIterations) {
    let direction = descent(gradient, memory);
    let slope = dot(direction, gradient);
    if (!(slope < 0)) {
      // Noise has spoilt what is remembered.
      memory.length = 0;
      direction = gradient.map((part) => -part);
      slope = dot(direction, gradient);
    }
    const first = memory.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
    const next = await search(evaluate, { point, value, direction, slope, first });
    if (next === undefined) {
      if (memory.length === 0) break;
      memory.length = 0; // once more, downhill
      continue;
    }
    const step = next.point.map((part, i) => part - point[i]!);
    const change = next.gradient.map((part, i) => part - gradient[i]!);
    const product = dot(step, change);
    if (product > 1e-12 * dot(change, change)) {
      memory.push({ step, change, product });
      if (memory.length > MEMORY) memory.shift();
    }
    ({ point, value, gradient } = next);
    iterations++;
  }
  return { point, value, gradient, iterations, isConverged: largest(gradient) <= tolerance };
}

/** −H·gradient, by the two loops over what is remembered. */
function descent(
  gradient: Float64Array,
  memory: readonly { readonly step: Float64Array; readonly change: Float64Array; readonly product: number }[],
): Float64Array {
  const direction = gradient.map((part) => -part);
  const shares: number[] = [];
  for (const { step, change, product } of memory.toReversed()) {
    const share = dot(step, direction) / product;
    shares.push(share);
    addScaled(direction, change, -share);
  }
  const last = memory.at(-1);
  if (last !== undefined) {
    const scale = last.product / dot(last.change, last.change);
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  for (const { step, change, product } of memory) {
    addScaled(direction, step, shares.pop()! - dot(change, direction) / product);
  }
  return direction;
}

/** Along a direction, a point that is lower by enough and less steep by enough; undefined when there is none. */
async function search(
  evaluate: (point: Float64Array) => Promise<Evaluation>,
  from: { point: Float64Array; value: number; direction: Float64Array; slope: number; first: number },
): Promise<(Evaluation & { point: Float64Array }) | undefined> {
  const { point, value, direction, slope } = from;
  const noise = NOISE * Math.abs(value);
  let [low, high, length] = [0, Number.POSITIVE_INFINITY, from.first];
  let lower: (Evaluation & { point: Float64Array }) | undefined;
  for (let trial = 0; trial < MOST_TRIALS; trial++) {
    const there = point.map((part, i) => part + length * direction[i]!);
    const found = await evaluate(there);
    if (!(found.value <= value + DECREASE * length * slope + noise)) high = length;
    else if (dot(found.gradient, direction) < CURVATURE * slope) {
      low = length;
      lower = { ...found, point: there };
    } else return { ...found, point: there };
    length = high === Number.POSITIVE_INFINITY ? 2 * low : (low + high) / 2;
  }
  return lower;
}

function addScaled(to: Float64Array, vector: Float64Array, scale: number): void {
  for (let i = 0; i < to.length; i++) to[i]! += scale * vector[i]!;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function largest(vector: Float64Array): number {
  let most = 0;
  for (const part of vector) {
    if (Number.isNaN(part)) return Number.NaN;
    most = Math.max(most, Math.abs(part));
  }
  return most;
}
