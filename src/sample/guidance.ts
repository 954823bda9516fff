/** @file Classifier-free guidance over an interval of times. */
import { ConfigError } from "../../data/errors.js";

/**
 * The network: velocity of the samples `x` [B·…] (flat, float32) at one time `t` for the labels `y` [B]. Each result is a
 * new array; `x` and `y` are read during the call only.
 */
export type Velocity = (x: Float32Array, t: number, y: Int32Array) => Promise<Float32Array>;

export interface Guidance {
  /** w ≥ 1; 1 is no guidance. */
  readonly guidance: number;
  /** [low, high] within [0,1], t = 1 being noise: guidance acts where low ≤ t ≤ high, both ends included. */
  readonly guidanceInterval: readonly [low: number, high: number];
  /** Label that means "no class": the number of classes. */
  readonly nullLabel: number;
}

/** @throws {ConfigError} a scale below 1, or an interval that does not lie in [0,1] in order. */
export function checkGuidance({ guidance, guidanceInterval: [low, high] }: Guidance): void {
  if (!(guidance >= 1) || !Number.isFinite(guidance)) {
    throw new ConfigError(`guidance must be a number of at least 1, got ${guidance}`, { hint: "1 means no guidance" });
  }
  if (!(low >= 0 && low <= high && high <= 1)) {
    throw new ConfigError(`guidanceInterval must be [low, high] with 0 ≤ low ≤ high ≤ 1, got [${low}, ${high}]`);
  }
}

/** Whether guidance acts on the step that starts at `t`. */
export const isGuided = ({ guidance, guidanceInterval: [low, high] }: Guidance, t: number): boolean =>
  guidance > 1 && low <= t && t <= high;

/**
 * The velocity under guidance: v_null + w·(v_class − v_null), or v_class alone, at half the cost, where `guided` is false.
 * All drifts of the samplers are affine in v, so guiding v is the same as guiding the drift.
 *
 * @param guided what `isGuided` said of the **start of the step**, also for Heun's second evaluation.
 * @returns float64.
 * @source Ho & Salimans, arXiv 2207.12598, equation 6 (our w is theirs plus 1); interval: Kynkäänniemi et al., arXiv 2404.07724.
 */
export async function guidedVelocity(
  velocity: Velocity,
  x: Float32Array,
  t: number,
  y: Int32Array,
  { guided, guidance, nullLabel }: { guided: boolean; guidance: number; nullLabel: number },
): Promise<Float64Array> {
  const result = Float64Array.from(await velocity(x, t, y));
  if (!guided) return result;
  const unconditional = await velocity(x, t, new Int32Array(y.length).fill(nullLabel));
  for (let i = 0; i < result.length; i++) {
    const base = unconditional[i]!;
    result[i] = base + guidance * (result[i]! - base);
  }
  return result;
}
