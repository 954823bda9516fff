import { ShapeError } from "../../data/errors.js";

/** From an autoencoder's latents to what the model sees, for each channel: (z − bias) · scale. REPA: bias 0; iREPA: of both. */
export interface LatentScaling {
  /** C */
  readonly scale: readonly number[];
  /** C */
  readonly bias: readonly number[];
}

/** One number stands for all channels. */
export const perChannel = (values: readonly number[], channels: number): number[] =>
  values.length === 1 ? new Array<number>(channels).fill(values[0]!) : [...values];

/**
 * Draw the latents of a training step, scaled:
 *
 *   x = (mean + std · noise − bias) · scale
 *
 * @param cached [count, C or 2C, h, w]: means, and with noise the standard deviations behind them. Read only.
 * @param noise  [count, C, h, w], standard normal; absent where the means alone are cached.
 * @returns      [count, C, h, w], new.
 * @throws {ShapeError} another number of channels.
 * @source SPEC §1.1, D-14.
 */
export function drawLatents(
  cached: Float32Array,
  count: number,
  { scale, bias }: LatentScaling,
  noise?: Float32Array,
): Float32Array {
  const channels = scale.length;
  const stored = noise === undefined ? channels : 2 * channels;
  const area = cached.length / (count * stored);
  if (!Number.isInteger(area) || (noise !== undefined && noise.length !== count * channels * area)) {
    throw new ShapeError(`latents: ${cached.length} values are not ${count} of ${stored} channels`);
  }
  const drawn = new Float32Array(count * channels * area);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < channels; c++) {
      const to = (i * channels + c) * area;
      const mean = (i * stored + c) * area;
      const std = mean + channels * area;
      for (let p = 0; p < area; p++) {
        const z = noise === undefined ? cached[mean + p]! : cached[mean + p]! + cached[std + p]! * noise[to + p]!;
        drawn[to + p] = (z - bias[c]!) * scale[c]!;
      }
    }
  }
  return drawn;
}

/**
 * Back from what the model gives to the autoencoder's latents: x / scale + bias.
 *
 * @param x [C,h,w], read only. @param out [C,h,w], the caller's.
 */
export function unscaleLatents(x: ArrayLike<number>, { scale, bias }: LatentScaling, out: Float32Array): void {
  const area = x.length / scale.length;
  for (let i = 0; i < x.length; i++) {
    const c = Math.floor(i / area);
    out[i] = x[i]! / scale[c]! + bias[c]!;
  }
}
