/**
 * @file Images to tokens and back. The two directions use different orders within a patch, as the reference's weights
 * need: channel-slowest on the way in, channel-fastest on the way out. Tokens are row-major.
 */
import tf from "@tensorflow/tfjs";

/** [B,C,H,W] -> [B·T, C·P·P]; within a patch: channel, row, column. */
export function patchify(x: tf.Tensor4D, patch: number): tf.Tensor2D {
  const [B, C, H, W] = x.shape;
  const [rows, columns] = [H / patch, W / patch];
  const split = tf.reshape(x, [B, C, rows, patch, columns, patch]);
  return tf.reshape(tf.transpose(split, [0, 2, 4, 1, 3, 5]), [B * rows * columns, C * patch * patch]);
}

/** [B·T, P·P·C] -> [B,C,G·P,G·P]; within a token: row, column, channel. */
export function unpatchify(tokens: tf.Tensor, patch: number, channels: number, grid: number): tf.Tensor4D {
  const B = tokens.size / (grid * grid * patch * patch * channels);
  const split = tf.reshape(tokens, [B, grid, grid, patch, patch, channels]);
  return tf.reshape(tf.transpose(split, [0, 5, 1, 3, 2, 4]), [B, channels, grid * patch, grid * patch]);
}
