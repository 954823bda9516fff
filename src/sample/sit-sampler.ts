/**
 * @file From noise to samples: the probability-flow ODE by Euler or Heun, and the reverse SDE by Euler–Maruyama. The clock
 * runs from t = 1 (noise) to t = 0 (data), v = noise − data. The state is kept in float64; the network gets float32.
 *
 * @source SiT, arXiv 2401.08740; time grids, diffusion coefficient and last step as in the code of REPA and iREPA.
 */
import { ConfigError, ShapeError } from "../../data/errors.js";
import { checkGuidance, type Guidance, guidedVelocity, isGuided, type Velocity } from "./guidance.js";

export const SAMPLERS = ["euler", "heun", "sde"] as const;
export type SamplerName = (typeof SAMPLERS)[number];

/** Paths between data and noise; the ODE samplers do not depend on it. */
export const SAMPLE_PATHS = ["linear", "cosine"] as const;
export type SamplePath = (typeof SAMPLE_PATHS)[number];

/** Where the SDE takes its last, noiseless step from. */
export const LAST_SDE_TIME = 0.04;

export interface SamplerOptions extends Guidance {
  readonly sampler: SamplerName;
  /** N ≥ 1: network calls, but 2N − 1 for heun; guided steps call twice. */
  readonly steps: number;
  /** The path that the model was trained on; only the SDE needs it. @default "linear" */
  readonly path?: SamplePath;
  /** Standard normal noise for step `step` = 0..N−2 of the SDE, as long as the state. Required for "sde". */
  readonly noise?: (step: number) => ArrayLike<number>;
  /** Called after each step with the number of steps done. */
  readonly onStep?: (done: number, total: number) => void;
}

/**
 * The times of a sampler, N + 1 of them, from 1 to 0. ODE: (N−i)/N, each correctly rounded, so that the closed ends of a
 * guidance interval fall where their decimals say. SDE: N equal points from 1 to 0.04, then 0.
 */
export function timeGrid(sampler: SamplerName, steps: number): Float64Array {
  if (sampler !== "sde") return Float64Array.from({ length: steps + 1 }, (_, i) => (steps - i) / steps);
  const grid = new Float64Array(steps + 1);
  if (steps === 1) return Float64Array.of(1, 0);
  const stride = (LAST_SDE_TIME - 1) / (steps - 1);
  // From both ends to the middle, so that both ends are exact.
  for (let i = 0; i < steps; i++) grid[i] = i < steps / 2 ? 1 + stride * i : LAST_SDE_TIME - stride * (steps - 1 - i);
  return grid;
}

/**
 * Factors of the SDE's drift d = v − ½·w·s = ofX·x + ofV·v, with w(t) = 2t on both paths and s the score:
 * linear s = −(x + (1−t)v)/t, so d = x + (2−t)v; cosine s = −(2/π)·cot(πt/2)·v − x, so d = tx + (1 + (2t/π)·cot(πt/2))v.
 */
function driftFactors(path: SamplePath, t: number): { ofX: number; ofV: number } {
  switch (path) {
    case "linear":
      return { ofX: 1, ofV: 2 - t };
    case "cosine":
      return { ofX: t, ofV: 1 + ((2 * t) / Math.PI) * (Math.cos((Math.PI * t) / 2) / Math.sin((Math.PI * t) / 2)) };
  }
}

/**
 * Integrate from noise to data.
 *
 *   euler  x ← x + (t′−t)·v(x,t)
 *   heun   x̂ = x + (t′−t)·v(x,t); x ← x + (t′−t)·(v(x,t) + v(x̂,t′))/2; its last step is Euler's
 *   sde    x ← x + (t′−t)·d(x,t) + √(2t·(t−t′))·n; its last step, from 0.04, without noise
 *
 * @param velocity the network.
 * @param start noise, [B·…] flat; read only.
 * @param labels [B] class indices.
 * @returns the samples, float64, as long as `start`.
 * @throws {ConfigError} options that cannot work. @throws {ShapeError} a length that does not fit.
 * @parity Heun's second evaluation is guided if the start of its step is, as in the reference. Differences to the reference:
 *         the null label is an option (there the literal 1000), and a guidance below 1 is refused (there ignored).
 */
export async function sampleSit(
  velocity: Velocity,
  start: ArrayLike<number>,
  labels: Int32Array,
  options: SamplerOptions,
): Promise<Float64Array> {
  checkSampler(options);
  const { sampler, steps, guidance, nullLabel, path = "linear", noise, onStep } = options;
  if (labels.length === 0 || start.length % labels.length !== 0) {
    throw new ShapeError(`sampler: ${start.length} values of noise do not divide among ${labels.length} labels`);
  }
  const grid = timeGrid(sampler, steps);
  const x = Float64Array.from(start);
  const evaluate = async (state: Float64Array, t: number, guided: boolean): Promise<Float64Array> => {
    const v = await guidedVelocity(velocity, Float32Array.from(state), t, labels, { guided, guidance, nullLabel });
    if (v.length !== x.length) throw new ShapeError(`sampler: want ${x.length} velocities, got ${v.length}`);
    return v;
  };
  for (let step = 0; step < steps; step++) {
    const [t, next] = [grid[step]!, grid[step + 1]!];
    const dt = next - t;
    const last = step === steps - 1;
    const guided = isGuided(options, t);
    const v = await evaluate(x, t, guided);
    switch (sampler) {
      case "euler":
        for (let i = 0; i < x.length; i++) x[i]! += dt * v[i]!;
        break;
      case "heun":
        if (last) {
          for (let i = 0; i < x.length; i++) x[i]! += dt * v[i]!;
        } else {
          const ahead = await evaluate(
            x.map((value, i) => value + dt * v[i]!),
            next,
            guided,
          );
          for (let i = 0; i < x.length; i++) x[i]! += (dt * (v[i]! + ahead[i]!)) / 2;
        }
        break;
      case "sde": {
        const { ofX, ofV } = driftFactors(path, t);
        const n = last ? undefined : noise!(step);
        if (n !== undefined && n.length !== x.length) {
          throw new ShapeError(`sampler: want ${x.length} values of noise at step ${step}, got ${n.length}`);
        }
        const spread = Math.sqrt(2 * t) * Math.sqrt(-dt);
        for (let i = 0; i < x.length; i++) {
          x[i]! += dt * (ofX * x[i]! + ofV * v[i]!) + (n === undefined ? 0 : spread * n[i]!);
        }
        break;
      }
    }
    onStep?.(step + 1, steps);
  }
  return x;
}

/** @throws {ConfigError} naming the option, what was wanted and what came. */
export function checkSampler(options: SamplerOptions): void {
  const { sampler, steps, path = "linear", noise } = options;
  if (!SAMPLERS.includes(sampler)) {
    throw new ConfigError(`unknown sampler "${sampler}"; known: ${SAMPLERS.join(", ")}`);
  }
  if (!SAMPLE_PATHS.includes(path)) {
    throw new ConfigError(`unknown path "${path}"; known: ${SAMPLE_PATHS.join(", ")}`);
  }
  if (!Number.isInteger(steps) || steps < 1) {
    throw new ConfigError(`sampler steps must be a whole number of at least 1, got ${steps}`);
  }
  if (sampler === "sde" && noise === undefined) throw new ConfigError("the sde sampler needs noise");
  checkGuidance(options);
}
