import tf from "@tensorflow/tfjs";

const channel = (images: tf.Tensor4D, index: number): tf.Tensor3D => {
  const [batch, height, width] = images.shape;
  return tf.reshape(tf.slice(images, [0, 0, 0, index], [batch, height, width, 1]), [batch, height, width]);
};

const GRAY_WEIGHTS = [9798, 19235, 3735] as const;

/**
 * Gray levels as OpenCV makes them of 8-bit colours: (9798 R + 19235 G + 3735 B + 16384) >> 15, whole numbers 0..255.
 *
 * Exact in float32, in any order: every term and sum is a multiple of 2⁻¹⁵ below 2⁸.
 *
 * @param images [B,H,W,3] RGB, whole numbers 0..255.
 * @returns      [B,H,W].
 */
export function openCvGray(images: tf.Tensor4D): tf.Tensor3D {
  const [batch, height, width] = images.shape;
  const pixels = batch * height * width;
  // Some pixels at a time, because a product of three columns with one is slow: [.., 3·n] · [3·n, n].
  const n = [16, 8, 4, 2, 1].find((count) => pixels % count === 0)!;
  const weights = Float32Array.from({ length: 3 * n * n }, (_, i) => {
    const [row, col] = [Math.floor(i / n), i % n];
    return Math.floor(row / 3) === col ? GRAY_WEIGHTS[row % 3]! / 2 ** 15 : 0;
  });
  const sum = tf.matMul(tf.reshape(images, [pixels / n, 3 * n]), tf.tensor2d(weights, [3 * n, n]));
  return tf.reshape(tf.floor(tf.add(sum, 0.5)), [batch, height, width]);
}

/**
 * Luma in 0..1: (0.2126 R + 0.7152 G + 0.0722 B) / 255, clipped.
 *
 * The order of the operations matters: HOG's bins are hard, so a pixel whose two differences are equal falls into one bin or
 * the next by the last bit of its gray level. This is the order of the reference.
 *
 * @param images [B,H,W,3] RGB, 0..255.
 * @returns      [B,H,W].
 */
export function luma(images: tf.Tensor4D): tf.Tensor3D {
  const [red, green, blue] = [0, 1, 2].map((index) => channel(images, index)) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const sum = tf.add(tf.add(tf.mul(red, 0.2126), tf.mul(green, 0.7152)), tf.mul(blue, 0.0722));
  return tf.clipByValue(tf.div(sum, 255), 0, 1) as tf.Tensor3D;
}

/**
 * BT.601 luma in 0..1: 0.299 R + 0.587 G + 0.114 B of colours that are divided by 255.
 *
 * @param images [B,H,W,3] RGB, 0..255.
 * @returns      [B,H,W].
 */
export function bt601Luma(images: tf.Tensor4D): tf.Tensor3D {
  const [red, green, blue] = [0, 1, 2].map((index) => tf.mul(channel(images, index), 1 / 255)) as tf.Tensor[];
  return tf.add(tf.add(tf.mul(red!, 0.299), tf.mul(green!, 0.587)), tf.mul(blue!, 0.114)) as tf.Tensor3D;
}
