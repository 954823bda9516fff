import tf from "@tensorflow/tfjs";

/** Euclidean norm of all gradients together, scalar. */
export function globalNorm(gradients: readonly tf.Tensor[]): tf.Scalar {
  const squares = gradients.map((gradient): tf.Scalar => tf.sum(tf.square(gradient)));
  return tf.sqrt(squares.reduce((a, b): tf.Scalar => tf.add(a, b)));
}

/**
 * What to multiply all gradients with so that their global norm is at most `maxNorm`: min(1, maxNorm/(norm + 1e-6)), scalar.
 *
 * @parity PyTorch's `clip_grad_norm_`, epsilon included: a norm of exactly `maxNorm` is scaled by a little less than 1.
 */
export function clipScale(norm: tf.Tensor, maxNorm: number): tf.Scalar {
  return tf.minimum(tf.div(maxNorm, tf.add(norm, 1e-6)), 1);
}
