import tf from "@tensorflow/tfjs";
import { openCvGray } from "./gray.js";

/**
 * The channels of images as maps of their own.
 *
 * @param images [B,H,W,3].
 * @returns      [B·3,H,W].
 */
export function colourPlanes(images: tf.Tensor4D): tf.Tensor3D {
  const [batch, height, width] = images.shape;
  return tf.reshape(tf.transpose(images, [0, 3, 1, 2]), [batch * 3, height, width]);
}

/** Levels 0..1 of gray, [B,H,W], or of red, green and blue, [B·3,H,W]. */
export function levelPlanes(images: tf.Tensor4D, inColour: boolean): tf.Tensor3D {
  return tf.mul(inColour ? colourPlanes(images) : openCvGray(images), 1 / 255) as tf.Tensor3D;
}

/**
 * Tokens of the channels brought together, channel after channel.
 *
 * @param tokens [B·C,T,D].
 * @returns      [B,T,C·D].
 */
export function joinPlanes(tokens: tf.Tensor3D, channels: number): tf.Tensor3D {
  if (channels === 1) return tokens;
  const [planes, count, dim] = tokens.shape;
  const batch = planes / channels;
  const split = tf.transpose(tf.reshape(tokens, [batch, channels, count, dim]), [0, 2, 1, 3]);
  return tf.reshape(split, [batch, count, channels * dim]);
}
