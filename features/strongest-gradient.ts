import tf from "@tensorflow/tfjs";

/**
 * The central differences of the colour channel whose gradient is longest, pixel by pixel.
 *
 * @param images   [B,H,W,3].
 * @param channels in which order: of equally long ones the first counts, and in whole numbers many are.
 * @returns        to the right and downwards, [B,H,W] each; 0 on the two border lines of their own axis.
 */
export function strongestGradient(
  images: tf.Tensor4D,
  channels: readonly number[],
): { dx: tf.Tensor3D; dy: tf.Tensor3D } {
  const [batch, height, width] = images.shape;
  let best: { dx: tf.Tensor; dy: tf.Tensor; square: tf.Tensor } | undefined;
  for (const channel of channels) {
    const plane: tf.Tensor3D = tf.reshape(tf.slice(images, [0, 0, 0, channel], [-1, -1, -1, 1]), [
      batch,
      height,
      width,
    ]);
    const [dx, dy] = [differences(plane, 2), differences(plane, 1)];
    const square = tf.add(tf.square(dx), tf.square(dy));
    if (best === undefined) best = { dx, dy, square };
    else {
      const isLonger = tf.greater(square, best.square);
      const choose = (a: tf.Tensor, b: tf.Tensor) => tf.where(isLonger, a, b);
      best = { dx: choose(dx, best.dx), dy: choose(dy, best.dy), square: choose(square, best.square) };
    }
  }
  return { dx: best!.dx as tf.Tensor3D, dy: best!.dy as tf.Tensor3D };
}

/** x[i+1] - x[i-1], mirrored at the border: 0 there. */
function differences(x: tf.Tensor3D, axis: 1 | 2): tf.Tensor {
  const size = x.shape[axis];
  const part = (from: number, count: number): tf.Tensor3D =>
    axis === 1 ? tf.slice(x, [0, from, 0], [-1, count, -1]) : tf.slice(x, [0, 0, from], [-1, -1, count]);
  const after = tf.concat([part(1, size - 1), part(size - 2, 1)], axis);
  const before = tf.concat([part(1, 1), part(0, size - 1)], axis);
  return tf.sub(after, before);
}
