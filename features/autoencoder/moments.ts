import type { LatentKind } from "./autoencoder-name.js";

/** Bounds of the log-variance, as in the code of latent diffusion. */
const LOG_VARIANCE = [-30, 20] as const;

/** Whether an encoder says how sure it is. */
export const hasStd = (kind: LatentKind): boolean => kind !== "mean";

/** Channels of what is cached of a latent with C: C means, and where the encoder gives them, C standard deviations. */
export const cachedChannels = (kind: LatentKind, channels: number): number => (hasStd(kind) ? 2 : 1) * channels;

/**
 * What an encoder gave, in place, as it is cached: the mean, and then the standard deviation
 *
 *   std = exp(clamp(logvar, −30, 20) / 2)
 *
 * @param output [count, C or 2C, h, w].
 * @source Rombach et al., arXiv 2112.10752; SPEC §1.1, D-15: standard deviations are cached, not log-variances.
 */
export function toMoments(output: Float32Array, count: number, kind: LatentKind): void {
  switch (kind) {
    case "mean":
    case "mean+std":
      return;
    case "mean+logvar": {
      const each = output.length / count;
      for (let i = 0; i < count; i++) {
        for (let at = i * each + each / 2; at < (i + 1) * each; at++) {
          output[at] = Math.exp(Math.min(LOG_VARIANCE[1], Math.max(LOG_VARIANCE[0], output[at]!)) / 2);
        }
      }
      return;
    }
    default:
      kind satisfies never;
  }
}
