import type tf from "@tensorflow/tfjs";
import { compileFunction, type Device } from "../src/compile/compile.js";
import { spatialNormalize } from "./spatial-normalize.js";

export interface NormalizerOptions {
  /** T */
  readonly tokens: number;
  /** D */
  readonly dim: number;
  /** Images that are normalized at once. */
  readonly batch: number;
  /** Share of the spatial mean that is removed, 0..1. */
  readonly alpha: number;
  readonly device?: Device;
  readonly threads?: number;
}

/** Spatial normalization, ready for tokens of one size. Calls must not overlap. */
export interface Normalizer {
  /** [count,T,D] → [count,T,D], the caller's; `count` is any number. */
  normalize(tokens: Float32Array, count: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Compile {@link spatialNormalize}. */
export async function openNormalizer({ tokens, dim, batch, alpha, ...engine }: NormalizerOptions): Promise<Normalizer> {
  const shape = [batch, tokens, dim];
  const compiled = await compileFunction(
    ({ x }) => ({ y: spatialNormalize(x as tf.Tensor3D, { alpha }) }),
    { x: { shape } },
    { name: `spatial normalization of ${tokens}×${dim}`, ...engine },
  );
  const size = tokens * dim;
  const data = new Float32Array(batch * size);
  return {
    async normalize(values, count) {
      const normalized = new Float32Array(count * size);
      for (let first = 0; first < count; first += batch) {
        const taken = Math.min(batch, count - first);
        data.set(values.subarray(first * size, (first + taken) * size));
        data.fill(0, taken * size);
        const { y } = await compiled.run({ x: { data, shape } });
        normalized.set((y!.data as Float32Array).subarray(0, taken * size), first * size);
      }
      return normalized;
    },
    dispose: () => compiled.dispose(),
  };
}
