import type { RandomStream } from "../../data/random.js";
import type { PathName } from "./interpolant.js";

export type TimeName = "uniform" | "lognormal";

export interface TimeOptions {
  readonly path: PathName;
  readonly time: TimeName;
}

/** What the training times are made of: uniform in [0,1) for `uniform`, standard normal for `lognormal`. */
export function drawTimes(stream: RandomStream, count: number, { time }: Pick<TimeOptions, "time">): Float32Array {
  return time === "uniform" ? stream.uniform(count) : stream.normal(count);
}

/**
 * Training times from raw draws:
 *
 *   uniform    t = u
 *   lognormal  s = exp(n);  linear path: t = s/(1 + s);  cosine path: t = (2/π)·atan(s)
 *
 * (s = σ/α is log-normal, so that the same noise levels are met on both paths.)
 *
 * @param draws  uniform in [0,1) or standard normal, see `drawTimes`. Read only.
 * @returns [B] float32 in [0,1], computed in float64.
 * @source REPA, arXiv 2410.06940; SPEC §1.7.
 */
export function mapTimes(draws: Float32Array, { path, time }: TimeOptions): Float32Array {
  if (time === "uniform") return draws.slice();
  // 1/(1 + exp(−n)) is s/(1 + s) without overflow.
  return path === "linear"
    ? draws.map((n) => 1 / (1 + Math.exp(-n)))
    : draws.map((n) => (2 / Math.PI) * Math.atan(Math.exp(n)));
}
