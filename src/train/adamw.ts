import tf from "@tensorflow/tfjs";

/** Added to the root of the second moment. */
export const ADAMW_EPSILON = 1e-8;

export interface AdamWOptions {
  /** Decay of the first and of the second moment, each in [0,1). */
  readonly betas: readonly [number, number];
  /** Decoupled: parameters shrink by learningRate·weightDecay a step. */
  readonly weightDecay: number;
  /** @default 1e-8 */
  readonly epsilon?: number;
}

/** What changes from step to step, as scalars. */
export interface AdamWStep {
  readonly learningRate: tf.Tensor;
  /** 1 − β₁ⁿ for step n = 1, 2, …; computed on the host in float64. */
  readonly biasCorrection1: tf.Tensor;
  /** 1 − β₂ⁿ. */
  readonly biasCorrection2: tf.Tensor;
  /** All gradients are multiplied with it (clipping), scalar. */
  readonly gradientScale: tf.Tensor;
  /** bool scalar. False: every slot stays as it is, to the bit, whatever the gradients are. Absent: true. */
  readonly isDone?: tf.Tensor;
}

/** A parameter with its moments, all of one shape. */
export interface AdamWSlot {
  readonly parameter: tf.Tensor;
  readonly m: tf.Tensor;
  readonly v: tf.Tensor;
}

/**
 * One step of AdamW for a set of parameters: with g the scaled gradient,
 *
 *   m ← β₁m + (1 − β₁)g      v ← β₂v + (1 − β₂)g²
 *   p ← p·(1 − lr·decay) − lr/(1 − β₁ⁿ) · m / (√v/√(1 − β₂ⁿ) + ε)
 *
 * Evaluated as lr·√(1−β₂ⁿ)/(1−β₁ⁿ) · m/(√v + ε√(1−β₂ⁿ)), the same value with fewer passes over the parameters.
 *
 * @returns a function of (slot, gradient) giving the next slot, new tensors; the scalars are shared by all parameters.
 * @source Loshchilov & Hutter, arXiv 1711.05101, algorithm 2, with PyTorch's decay (lr·decay) and epsilon (after the correction).
 */
export function adamW(
  { betas: [beta1, beta2], weightDecay, epsilon = ADAMW_EPSILON }: AdamWOptions,
  { learningRate, biasCorrection1, biasCorrection2, gradientScale, isDone }: AdamWStep,
): (slot: AdamWSlot, gradient: tf.Tensor) => AdamWSlot {
  // Selecting the factors leaves the loops over the parameters as they are: times 1 and minus 0 change no bit.
  const orElse = (value: tf.Tensor, other: number): tf.Tensor =>
    isDone === undefined ? value : tf.where(isDone, value, tf.scalar(other));
  const decay = (beta: number): tf.Tensor | number => (isDone === undefined ? beta : orElse(tf.scalar(beta), 1));
  const root = tf.sqrt(biasCorrection2);
  const rate = orElse(tf.div(tf.mul(learningRate, root), biasCorrection1), 0);
  const offset = tf.mul(root, epsilon);
  const share1 = orElse(tf.mul(gradientScale, 1 - beta1), 0);
  const share2 = orElse(tf.mul(tf.square(gradientScale), 1 - beta2), 0);
  const [keep1, keep2] = [decay(beta1), decay(beta2)];
  const kept = weightDecay === 0 ? undefined : orElse(tf.sub(1, tf.mul(learningRate, weightDecay)), 1);
  return (slot, given) => {
    // Zero times what is not finite is not zero.
    const gradient = orElse(given, 0);
    const m = tf.add(tf.mul(slot.m, keep1), tf.mul(gradient, share1));
    const v = tf.add(tf.mul(slot.v, keep2), tf.mul(tf.square(gradient), share2));
    const update = tf.mul(tf.div(m, tf.add(tf.sqrt(v), offset)), rate);
    const shrunk = kept === undefined ? slot.parameter : tf.mul(slot.parameter, kept);
    return { parameter: tf.sub(shrunk, update), m, v };
  };
}

/** The bias corrections 1 − βⁿ of step n = 1, 2, …, in float64. */
export function biasCorrections([beta1, beta2]: readonly [number, number], n: number): [number, number] {
  return [1 - beta1 ** n, 1 - beta2 ** n];
}
