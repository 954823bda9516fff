/**
 * @file Soft orientation bins without a map for each bin.
 *
 * A pixel of magnitude m and angle a (in units of a bin, 45° when there are 8) gives m · max(0, 1 - |a - p|) to the bin at p. That hat is the second
 * difference of ramps, hat_p(a) = ramp(a - p + 1) - 2 ramp(a - p) + ramp(a - p - 1), and pooling is linear: so the ramps
 * m · max(0, a - p) are pooled, two passes over the image each, and the bins are made of what is left of them.
 *
 * Angles come from the half-angle tangent in the right half plane, tan(a/2) = y / (m + |x|), which is well conditioned everywhere
 * and at most 1; the left half plane is its mirror image and has ramps of its own.
 */
import tf from "@tensorflow/tfjs";

export const ORIENTATIONS = 8;

export interface OrientationOptions {
  /** Bins of the full circle. @default 8 */
  readonly orientations?: number;
  /** Position of bin 0, in bins counter-clockwise from the direction to the right. @default 0 */
  readonly shift?: number;
  /** What a pixel's vote weighs. @default the length of (dx, dy) */
  readonly weight?: tf.Tensor3D;
}

/** Linear maps of what the votes are made of. */
export interface OrientationMaps {
  /** To be pooled by any linear map. */
  readonly maps: readonly tf.Tensor3D[];
  /** [maps, orientations]: bins = Σ over maps of pooled map · coefficient. */
  readonly coefficients: Float32Array;
}

/** Far below any gradient of 8-bit images, and above what denormals are flushed to. */
const TINY = 1e-30;

/**
 * @param dx     [B,H,W] gradient to the right.
 * @param dy     [B,H,W] gradient upwards.
 */
export function orientationMaps(
  dx: tf.Tensor3D,
  dy: tf.Tensor3D,
  { orientations = ORIENTATIONS, shift = 0, weight }: OrientationOptions = {},
): OrientationMaps {
  // Half an angle of one bin, in radians: the unit of the half-angle. A quarter turn, in bins, is the reach of a half plane.
  const halfBinRad = Math.PI / orientations;
  const quarter = orientations / 4;
  const norm = tf.sqrt(tf.add(tf.square(dx), tf.square(dy)));
  const half = tf.atan(tf.div(dy, tf.add(tf.add(norm, tf.abs(dx)), TINY))); // -π/4..π/4
  const magnitude = weight ?? norm;
  const right = tf.mul(magnitude, tf.cast(tf.greaterEqual(dx, 0), "float32"));
  const left = tf.sub(magnitude, right);

  const maps: tf.Tensor3D[] = [];
  const coefficients: number[][] = [];
  for (const [m, isMirrored] of [
    [right, false],
    [left, true],
  ] as const) {
    const turned = tf.mul(m, half);
    // Where bin `o` lies in the folded angle, within a quarter turn; the mirror takes a to half a turn - a. Few bins are so wide
    // that they reach round the circle: they lie there more than once.
    const centre = (o: number): number => {
      const a = isMirrored ? 2 * quarter - o - shift : o + shift;
      return a - orientations * Math.round(a / orientations);
    };
    const bins = Array.from({ length: orientations }, (_, o) =>
      [0, -1, 1].map((turn) => ({ o, at: centre(o) + turn * orientations })),
    )
      .flat()
      .filter(({ at }) => Math.abs(at) < quarter + 1);
    const constant = new Array<number>(orientations).fill(0);
    const linear = new Array<number>(orientations).fill(0);
    const ramps = new Map<number, number[]>();
    for (const { o, at } of bins) {
      for (const [knee, times] of [
        [at - 1, 1],
        [at, -2],
        [at + 1, 1],
      ] as const) {
        // No angle is further than a quarter turn: a ramp that starts outside is a straight line, or nothing.
        if (knee >= quarter) continue;
        if (knee <= -quarter) {
          linear[o]! += times / halfBinRad;
          constant[o]! -= times * knee;
        } else {
          const key = Math.round(knee * 1e9) / 1e9;
          if (!ramps.has(key)) ramps.set(key, new Array<number>(orientations).fill(0));
          ramps.get(key)![o]! += times / halfBinRad;
        }
      }
    }
    maps.push(m as tf.Tensor3D, turned as tf.Tensor3D);
    coefficients.push(constant, linear);
    for (const [knee, row] of ramps) {
      // The knees of one m lie at ± the same: the engine makes their products once.
      const edge = tf.mul(m, Math.abs(knee) * halfBinRad);
      const above = knee === 0 ? turned : knee > 0 ? tf.sub(turned, edge) : tf.add(turned, edge);
      maps.push(tf.relu(above) as tf.Tensor3D);
      coefficients.push(row);
    }
  }
  return { maps, coefficients: Float32Array.from(coefficients.flat()) };
}
