import tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";

export interface SpatialNormalizeOptions {
  /** Share of the spatial mean that is removed, 0..1. Required: the published defaults disagree (0.6, 0.8 and 1). */
  readonly alpha: number;
  /** Added to the standard deviation, not to the variance. @default 1e-6 */
  readonly eps?: number;
}

/**
 * Standardize features over space, separately for each image and channel.
 *
 *   y[b,t,d] = (x[b,t,d] - alpha · mean_t(x[b,·,d])) / (std_t(x[b,·,d]) + eps)
 *
 * The standard deviation is about the full mean whatever `alpha` is, and unbiased: it divides by T - 1.
 *
 * @param x  [B,T,D] float32. Read only; the caller keeps it.
 * @returns  [B,T,D] float32, a new tensor that the caller disposes.
 * @throws {ShapeError} rank is not 3, or T < 2: one token has no spread.
 * @source   iREPA (arXiv 2512.10794), the "spatial normalization layer".
 */
export function spatialNormalize(x: tf.Tensor3D, { alpha, eps = 1e-6 }: SpatialNormalizeOptions): tf.Tensor3D {
  const tokens = x.shape[1];
  if (x.shape.length !== 3 || tokens === undefined || tokens < 2) {
    throw new ShapeError(`spatialNormalize: want [B,T,D] with T of 2 or more, got [${x.shape}]`);
  }
  if (!Number.isFinite(alpha) || !Number.isFinite(eps)) {
    throw new ShapeError(`spatialNormalize: want finite alpha and eps, got ${alpha} and ${eps}`);
  }
  return tf.tidy(() => {
    const mean = tf.mean(x, 1, true); // [B,1,D]
    const variance = tf.div(tf.sum(tf.square(tf.sub(x, mean)), 1, true), tokens - 1);
    return tf.div(tf.sub(x, tf.mul(mean, alpha)), tf.add(tf.sqrt(variance), eps)) as tf.Tensor3D;
  });
}
