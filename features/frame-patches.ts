/** @file Patches of turned frames, bilinear and with the image's border repeated: the one part of SIFT whose places depend on the data. */
import tf from "@tensorflow/tfjs";
import type { Grid } from "./descriptor.js";
import { patchCoordinate, samplingPosition } from "./patch-axis.js";

/**
 * @param gray    [B,H,W].
 * @param angles  [B,T] radians, counter-clockwise as the picture is seen: how far the frame of each cell is turned.
 * @param scalePx half the side of a frame.
 * @param samples P, of a patch's side.
 * @returns       [B, rows·P, cols·P], the patches side by side.
 */
export function framePatches(
  gray: tf.Tensor3D,
  angles: tf.Tensor2D,
  [rows, cols]: Grid,
  scalePx: number,
  samples: number,
): tf.Tensor3D {
  const [batch, height, width] = gray.shape;
  const line = Float32Array.from({ length: samples }, (_, k) => scalePx * patchCoordinate(k, samples));
  const [down, across] = [tf.tensor(line, [1, 1, samples, 1, 1]), tf.tensor(line, [1, 1, 1, 1, samples])];
  const perCell = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [batch, rows, 1, cols, 1]);
  const [cos, sin] = [perCell(tf.cos(angles)), perCell(tf.sin(angles))];
  /** Whole pixel before the sample, and how far it is from there. [B,rows,P,cols,P] each. */
  const axis = (offset: tf.Tensor, sizePx: number, centres: tf.Tensor) => {
    const scaled = tf.add(tf.mul(offset, sizePx / (sizePx - 1)), centres);
    const position = tf.clipByValue(scaled, 0, sizePx - 1);
    const low = tf.minimum(tf.floor(position), sizePx - 2);
    return { low, share: tf.sub(position, low) };
  };
  const centres = (sizePx: number, cells: number): Float32Array =>
    Float32Array.from({ length: cells }, (_, cell) => samplingPosition(((cell + 0.5) * sizePx) / cells, sizePx));
  const x = axis(
    tf.add(tf.mul(cos, across), tf.mul(sin, down)),
    width,
    tf.tensor(centres(width, cols), [1, 1, 1, cols, 1]),
  );
  const y = axis(
    tf.sub(tf.mul(cos, down), tf.mul(sin, across)),
    height,
    tf.tensor(centres(height, rows), [1, rows, 1, 1, 1]),
  );
  const first = tf.tensor(
    Int32Array.from({ length: batch }, (_, image) => image * height * width),
    [batch, 1, 1, 1, 1],
    "int32",
  );
  const index = tf.add(tf.cast(tf.add(tf.mul(y.low, width), x.low), "int32"), first) as tf.Tensor;
  const flat = tf.reshape(gray, [-1]);
  const reachable = batch * height * width - width - 1;
  // The neighbours of a pixel are the pixel itself in a list that starts later.
  const read = (offset: number): tf.Tensor => tf.gather(tf.slice(flat, [offset], [reachable]), index);
  const mixed = (from: tf.Tensor, to: tf.Tensor, share: tf.Tensor): tf.Tensor =>
    tf.add(from, tf.mul(tf.sub(to, from), share));
  const patches = mixed(mixed(read(0), read(1), x.share), mixed(read(width), read(width + 1), x.share), y.share);
  return tf.reshape(patches, [batch, rows * samples, cols * samples]);
}
