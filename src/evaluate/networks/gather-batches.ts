import type { NetworkOutput } from "../feature-network.js";

/** Outputs of a network's own batches, one after the other, as one. */
export async function gatherBatches(
  images: Uint8Array,
  { count, size, batch }: { readonly count: number; readonly size: number; readonly batch: number },
  run: (images: Uint8Array, rows: number) => Promise<NetworkOutput>,
  onProgress?: (done: number) => void,
): Promise<NetworkOutput> {
  const whole: { -readonly [K in keyof NetworkOutput]?: Float32Array } = {};
  const bytesEach = size * size * 3;
  for (let start = 0; start < count; start += batch) {
    const rows = Math.min(batch, count - start);
    const part = await run(images.subarray(start * bytesEach, (start + rows) * bytesEach), rows);
    for (const key of ["features", "spatial", "probabilities"] as const) {
      const values = part[key];
      if (values === undefined) continue;
      const each = values.length / rows;
      whole[key] ??= new Float32Array(count * each);
      whole[key].set(values, start * each);
    }
    onProgress?.(start + rows);
  }
  return { ...whole, features: whole.features ?? new Float32Array() };
}
