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
  const perCell = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [batch, rows, 1, cols, 1]);
  const [cos, sin] = [perCell(tf.cos(angles)), perCell(tf.sin(angles))];
  /** Whole pixel before the sample, and how far it is from there, [B,rows,P,cols,P] each. */
  const axis = (sizePx: number, cells: number, isAcross: boolean) => {
    const line = Float32Array.from(
      { length: samples },
      (_, k) => (scalePx * patchCoordinate(k, samples) * sizePx) / (sizePx - 1),
    );
    const centres = Float32Array.from({ length: cells }, (_, cell) =>
      samplingPosition(((cell + 0.5) * sizePx) / cells, sizePx),
    );
    const centre = tf.tensor(centres, isAcross ? [1, 1, 1, cells, 1] : [1, cells, 1, 1, 1]);
    const across = tf.mul(tf.tensor(line, [1, 1, 1, 1, samples]), isAcross ? cos : tf.neg(sin));
    const down = tf.mul(tf.tensor(line, [1, 1, samples, 1, 1]), isAcross ? sin : cos);
    // Just below the last pixel, so that it has a neighbour.
    const last = (sizePx - 1) * (1 - 2 ** -23);
    const position = tf.clipByValue(tf.add(tf.add(across, centre), down), 0, last);
    const low = tf.floor(position);
    return { low, share: tf.sub(position, low) };
  };
  const x = axis(width, cols, true);
  const y = axis(height, rows, false);
  const first = tf.tensor(
    Int32Array.from({ length: batch }, (_, image) => image * height * width),
    [batch, 1, 1, 1, 1],
    "int32",
  );
  const index = tf.add(tf.cast(tf.add(tf.mul(y.low, width), x.low), "int32"), first) as tf.Tensor;
  const flat = tf.reshape(gray, [-1]);
  const reachable = batch * height * width - width - 1;
  // A pixel and the three neighbours that a sample lies between, side by side: one gather of four numbers costs no more than one of one.
  const quads = tf.stack(
    [0, 1, width, width + 1].map((offset) => tf.slice(flat, [offset], [reachable])),
    1,
  );
  const samplesOf = tf.transpose(tf.gather(quads, tf.reshape(index, [-1]))); // [4, B·rows·P·cols·P]
  const corner = (i: number): tf.Tensor => tf.reshape(tf.slice(samplesOf, [i, 0], [1, -1]), index.shape);
  const mixed = (from: tf.Tensor, to: tf.Tensor, share: tf.Tensor): tf.Tensor =>
    tf.add(from, tf.mul(tf.sub(to, from), share));
  const patches = mixed(mixed(corner(0), corner(1), x.share), mixed(corner(2), corner(3), x.share), y.share);
  return tf.reshape(patches, [batch, rows * samples, cols * samples]);
}
