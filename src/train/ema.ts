import tf from "@tensorflow/tfjs";

/**
 * Next exponential moving average: decay·average + (1 − decay)·value, without bias correction (it starts as a copy).
 *
 * @param decay  in [0,1].
 * @returns a new tensor of the same shape.
 */
export function nextAverage(average: tf.Tensor, value: tf.Tensor, decay: number): tf.Tensor {
  return tf.add(tf.mul(average, decay), tf.mul(value, 1 - decay));
}
