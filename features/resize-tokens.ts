import tf from "@tensorflow/tfjs";
import { bilinearTaps } from "./bilinear.js";
import type { Grid } from "./descriptor.js";

/** Bilinear resize of a token grid to another, half-pixel centres, no anti-aliasing: [B,from,D] to [B,to,D]. */
export function resizeTokens(tokens: tf.Tensor3D, from: Grid, to: Grid): tf.Tensor3D {
  if (from[0] === to[0] && from[1] === to[1]) return tokens;
  const [batch, , dim] = tokens.shape;
  const matrix = (inputs: number, outputs: number): tf.Tensor => {
    const values = new Float32Array(outputs * inputs);
    for (const [i, { low, high, share }] of bilinearTaps(inputs, outputs).entries()) {
      values[i * inputs + low]! += 1 - share;
      values[i * inputs + high]! += share;
    }
    return tf.tensor3d(values, [1, outputs, inputs]);
  };
  const tall = tf.matMul(matrix(from[0], to[0]), tf.reshape(tokens, [batch, from[0], from[1] * dim]));
  const wide = tf.matMul(matrix(from[1], to[1]), tf.reshape(tall, [batch * to[0], from[1], dim]));
  return tf.reshape(wide, [batch, to[0] * to[1], dim]);
}
