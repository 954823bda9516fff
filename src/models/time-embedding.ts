/** @file The sinusoidal embedding of the diffusion time. */
import tf from "@tensorflow/tfjs";

/** Width of the sinusoidal features that enter the time MLP. */
export const TIME_FEATURES = 256;

/**
 * [cos(t·f), sin(t·f)], f_k = 10000^(−k/(N/2)), k = 0..N/2−1: cosines first, and t enters as it is, in [0,1]
 * (not multiplied by 1000 as in DiT's code).
 *
 * @param t [B] float32.
 * @param features N, even.
 * @returns [B,N] float32.
 * @source Ho et al., arXiv 2006.11239, appendix B, by way of DiT, arXiv 2212.09748.
 */
export function timeFeatures(t: tf.Tensor1D, features: number = TIME_FEATURES): tf.Tensor2D {
  const half = features / 2;
  const frequencies = Float32Array.from({ length: half }, (_, k) => Math.exp((-Math.log(10_000) * k) / half));
  const angles = tf.mul(tf.reshape(t, [t.shape[0], 1]), tf.tensor2d(frequencies, [1, half]));
  return tf.concat([tf.cos(angles), tf.sin(angles)], 1) as tf.Tensor2D;
}
