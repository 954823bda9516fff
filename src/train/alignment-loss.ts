import tf from "@tensorflow/tfjs";
import { ShapeError } from "../../data/errors.js";

/** Smallest norm that a token is divided by. */
export const NORM_EPSILON = 1e-12;

/**
 * How badly projected tokens point in the directions of their targets:
 *
 *   L = −mean_{b,t} ⟨p/max(‖p‖,ε), z/max(‖z‖,ε)⟩,  ε = 1e-12
 *
 * Range [−1, 1]; −1 is perfect. A zero token on either side counts 0, and its gradient is finite.
 *
 * @param projected  [B,T,Z] float32.
 * @param target     [B,T,Z] float32; the caller gives it no gradient.
 * @returns scalar.
 * @throws {ShapeError} shapes that differ.
 * @source REPA, arXiv 2410.06940, equation 8; SPEC §1.6.
 * @parity The norms divide the inner product instead of each vector: the same function with three passes over memory less.
 */
export function alignmentLoss(projected: tf.Tensor, target: tf.Tensor): tf.Scalar {
  if (projected.rank !== 3 || projected.shape.some((side, axis) => side !== target.shape[axis]) || target.rank !== 3) {
    throw new ShapeError(
      `alignment loss: projected tokens are [${projected.shape}] and their targets [${target.shape}]; want equal [B,T,Z]`,
    );
  }
  const inverseNorm = (x: tf.Tensor): tf.Tensor =>
    // The maximum is taken of the squares: the square root of 0 has no finite gradient.
    tf.reciprocal(tf.sqrt(tf.maximum(tf.sum(tf.square(x), -1), NORM_EPSILON ** 2)));
  const product = tf.sum(tf.mul(projected, target), -1);
  const cosine = tf.mul(tf.mul(product, inverseNorm(projected)), inverseNorm(target));
  return tf.neg(tf.mean(cosine));
}
