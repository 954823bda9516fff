/**
 * @file Paths between data and noise: x_t = α(t)·data + σ(t)·noise with t = 0 data and t = 1 noise (REPA's clock; the original
 * SiT runs it backwards).
 */
import tf from "@tensorflow/tfjs";

export type PathName = "linear" | "cosine";

/** α, σ and their derivatives by t, each of the shape of t. */
export interface PathCoefficients {
  readonly alpha: tf.Tensor;
  readonly sigma: tf.Tensor;
  readonly alphaRate: tf.Tensor;
  readonly sigmaRate: tf.Tensor;
}

/**
 * The known paths.
 *
 *   linear  α = 1 − t          σ = t
 *   cosine  α = cos(πt/2)      σ = sin(πt/2)
 *
 * @source SiT, arXiv 2401.08740, section 2 (linear, GVP); SPEC §1.7.
 */
export const PATHS: Readonly<Record<PathName, (t: tf.Tensor) => PathCoefficients>> = {
  linear: (t) => ({
    alpha: tf.sub(1, t),
    sigma: t,
    alphaRate: tf.neg(tf.onesLike(t)),
    sigmaRate: tf.onesLike(t),
  }),
  cosine: (t) => {
    const angle = tf.mul(t, Math.PI / 2);
    const [cosine, sine] = [tf.cos(angle), tf.sin(angle)];
    return {
      alpha: cosine,
      sigma: sine,
      alphaRate: tf.mul(sine, -Math.PI / 2),
      sigmaRate: tf.mul(cosine, Math.PI / 2),
    };
  },
};

export interface InterpolateOptions {
  /** Clean samples, [B,...] float32. */
  readonly data: tf.Tensor;
  /** N(0, I), of the shape of `data`. */
  readonly noise: tf.Tensor;
  /** [B] float32 in [0,1]. */
  readonly t: tf.Tensor;
}

/**
 * The noised sample x_t = α·data + σ·noise and its velocity dx_t/dt = α̇·data + σ̇·noise, the regression target (linear:
 * noise − data).
 *
 * @returns both of the shape of `data`, new tensors.
 */
export function interpolate(
  path: PathName,
  { data, noise, t }: InterpolateOptions,
): { noised: tf.Tensor; velocity: tf.Tensor } {
  const { alpha, sigma, alphaRate, sigmaRate } = PATHS[path](tf.reshape(t, [-1, ...data.shape.slice(1).map(() => 1)]));
  return {
    noised: tf.add(tf.mul(alpha, data), tf.mul(sigma, noise)),
    velocity: tf.add(tf.mul(alphaRate, data), tf.mul(sigmaRate, noise)),
  };
}

/** The noised sample of {@link interpolate} on the host, at one time for all: a new array. */
export function addNoise(path: PathName, data: Float32Array, noise: Float32Array, t: number): Float32Array {
  const [alpha, sigma] = path === "linear" ? [1 - t, t] : [Math.cos((Math.PI * t) / 2), Math.sin((Math.PI * t) / 2)];
  return data.map((value, i) => alpha * value + sigma * noise[i]!);
}
