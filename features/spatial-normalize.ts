import tf from "@tensorflow/tfjs";

export interface SpatialNormalizeOptions {
  /** Share of the mean that is taken away: 0 keeps it, 1 removes it. Published: 0.6 (LDM), 0.8 (JiT), 1 (bare function). */
  readonly alpha: number;
  /** Added to the standard deviation, outside the root. @default 1e-6 */
  readonly epsilon?: number;
}

/**
 * Spatial normalization: per image and channel, over the tokens,
 *
 *   (x − α·mean) / (std + ε),   std about the full mean, divided by T − 1.
 *
 * @param x [B,T,D] with T ≥ 2.
 * @returns [B,T,D].
 * @source iREPA, arXiv 2512.10794, section 4 (γ there); SPEC §1.8.
 */
export function spatialNormalize(x: tf.Tensor3D, { alpha, epsilon = 1e-6 }: SpatialNormalizeOptions): tf.Tensor3D {
  const T = x.shape[1];
  const mean = tf.mean(x, 1, true);
  const variance = tf.div(tf.sum(tf.squaredDifference(x, mean), 1, true), T - 1);
  const reciprocal = tf.reciprocal(tf.add(tf.sqrt(variance), epsilon));
  return tf.mul(tf.sub(x, tf.mul(mean, alpha)), reciprocal);
}
