/** Helpers of the evaluation tests: small deterministic data, and the naive forms that the metrics are held against. */
import type { FeatureMatrix } from "../../src/evaluate/feature-matrix.js";

/** Uniform in (0, 1): a Weyl sequence through a mixing function. Independent of the project's own generator. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (((x ^ (x >>> 15)) >>> 0) + 0.5) / 2 ** 32;
  };
}

export function normals(seed: number): () => number {
  const uniform = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** `count` vectors; channel d has mean `shift` and standard deviation `1 + d / dim`. */
export function gaussianRows(seed: number, count: number, dim: number, shift = 0): FeatureMatrix {
  const normal = normals(seed);
  const data = Float64Array.from({ length: count * dim }, (_, i) => shift + normal() * (1 + (i % dim) / dim));
  return { data, count, dim };
}

export const matrix = (rows: readonly (readonly number[])[]): FeatureMatrix => ({
  data: Float64Array.from(rows.flat()),
  count: rows.length,
  dim: rows[0]!.length,
});

export const rowsOf = ({ data, count, dim }: FeatureMatrix): number[][] =>
  Array.from({ length: count }, (_, i) => Array.from(data.subarray(i * dim, (i + 1) * dim)));

/** Every row turned by the same random rotation (a product of plane rotations). */
export function rotated(features: FeatureMatrix, seed: number): FeatureMatrix {
  const uniform = uniforms(seed);
  const rows = rowsOf(features);
  for (let i = 0; i < features.dim; i++) {
    for (let j = 0; j < i; j++) {
      const angle = 2 * Math.PI * uniform();
      const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
      for (const row of rows) [row[i], row[j]] = [cosine * row[i]! - sine * row[j]!, sine * row[i]! + cosine * row[j]!];
    }
  }
  return matrix(rows);
}

export const moved = ({ data, count, dim }: FeatureMatrix, by: (channel: number) => number): FeatureMatrix => ({
  data: Float64Array.from(data, (value, i) => value + by(i % dim)),
  count,
  dim,
});

/** Smooth coloured images: what a network can tell from noise. */
export function smoothImages(seed: number, count: number, size: number): Uint8Array {
  const uniform = uniforms(seed);
  const images = new Uint8Array(count * size * size * 3);
  for (let n = 0; n < count; n++) {
    const waves = Array.from({ length: 3 }, () => [uniform() * 6, uniform() * 6, uniform() * 7, 60 + uniform() * 60]);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        for (let c = 0; c < 3; c++) {
          const [fx, fy, phase, swing] = waves[c]! as [number, number, number, number];
          images[((n * size + y) * size + x) * 3 + c] = 128 + swing * Math.sin((fx * x + fy * y) / size + phase);
        }
      }
    }
  }
  return images;
}

/** Images with noise of a standard deviation added. */
export function noisy(images: Uint8Array, std: number, seed: number): Uint8Array {
  const normal = normals(seed);
  return Uint8Array.from(images, (value) => Math.max(0, Math.min(255, Math.round(value + std * normal()))));
}
