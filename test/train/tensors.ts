/** Helpers of this folder's tests. */
import tf from "@tensorflow/tfjs";
import type { HostTensors } from "../../src/compile/compile.js";

/** Numbers in (−1, 1) that repeat and are all different: x_i = frac(i·φ·1.7 + seed·√2) scaled; no generator of ours involved. */
export function spread(count: number, seed = 0): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const x = (i + 1) * 1.0519 + seed * Math.SQRT2;
    return 2 * (x - Math.floor(x)) - 1;
  });
}

/** Runs a function of tensors eagerly on TensorFlow.js's CPU backend, leaving nothing behind. */
export async function eagerly(body: () => tf.Tensor | tf.Tensor[]): Promise<Float32Array[]> {
  await tf.setBackend("cpu");
  const before = tf.memory().numTensors;
  const results = tf.tidy(() => {
    const tensors = body();
    return (Array.isArray(tensors) ? tensors : [tensors]).map((tensor) => tensor.dataSync().slice() as Float32Array);
  }) as unknown as Float32Array[];
  if (tf.memory().numTensors !== before) throw new Error("tensors were leaked");
  return results;
}

/** Largest difference relative to the largest magnitude of `want`. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) throw new Error(`lengths ${got.length} and ${want.length}`);
  let scale = 0;
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    scale = Math.max(scale, Math.abs(want[i]!));
    const difference = Math.abs(got[i]! - want[i]!);
    if (!(difference <= worst)) worst = difference; // NaN counts as worst
  }
  return worst / (scale || 1);
}

/** The first element of a host tensor. */
export const scalar = (values: HostTensors, name: string): number => values[name]!.data[0]!;
