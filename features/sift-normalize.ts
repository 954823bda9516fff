import tf from "@tensorflow/tfjs";

/** How the votes of a SIFT token become its values. */
export interface SiftNormalization {
  /**
   * `bytes`: norm 512, rounded and saturated to 0…255, as OpenCV. `unit`: norm 1. `none`: the clipped votes.
   */
  readonly norm: (typeof SIFT_NORMS)[number];
  /** No value is above this share of the norm; then the norm is made again. 1: none is clipped. */
  readonly clip: number;
  /** RootSIFT: divide by the sum, and take square roots (Arandjelović & Zisserman, CVPR 2012). The norm is 1 then. */
  readonly isRoot: boolean;
}

export const SIFT_NORMS = ["bytes", "unit", "none"] as const;

/** Smallest norm that is divided by: float32's epsilon. */
const MIN_NORM = 2 ** -23;
/** Kornia's votes are of gray levels in 0..1 and may be small: smallest norm there, and of sums. */
const MIN_UNIT_NORM = 1e-12;

/**
 * Clip, normalize, and round or take roots.
 *
 * @param votes [B,T,D]. Below zero by rounding errors only.
 * @returns     [B,T,D]; zero where nothing voted.
 */
export function normalizeSift(votes: tf.Tensor3D, { norm, clip, isRoot }: SiftNormalization): tf.Tensor3D {
  // Bins are differences of ramps: where nothing voted they may be below zero by a rounding error.
  const bins = tf.relu(votes);
  const length = tf.sqrt(tf.sum(tf.square(bins), -1, true));
  const clipped = clip < 1 ? tf.minimum(bins, tf.mul(length, clip)) : bins;
  const values = scaled(clipped, norm);
  if (!isRoot) return values as tf.Tensor3D;
  return tf.sqrt(tf.div(values, tf.maximum(tf.sum(values, -1, true), MIN_UNIT_NORM))) as tf.Tensor3D;
}

function scaled(clipped: tf.Tensor, norm: SiftNormalization["norm"]): tf.Tensor {
  const length = tf.sqrt(tf.sum(tf.square(clipped), -1, true));
  switch (norm) {
    case "bytes": {
      const whole = tf.mul(clipped, tf.div(512, tf.maximum(length, MIN_NORM)));
      return tf.minimum(tf.floor(tf.add(whole, 0.5)), 255);
    }
    case "unit":
      return tf.div(clipped, tf.maximum(length, MIN_UNIT_NORM));
    case "none":
      return clipped;
  }
}
