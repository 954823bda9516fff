/**
 * @file Dynamic loss scaling: with products in float16, gradients below 6e-8 would vanish, so the loss is multiplied before the
 * backward pass and the gradients divided after it. A gradient that overflows skips the update and halves the factor; after many
 * good steps in a row it doubles. All of it is part of the compiled step: the factor and the counter are state, and skipping is
 * a selection, so that no device is waited for.
 *
 * Source: Micikevicius et al., Mixed Precision Training, arXiv 1710.03740, section 3.2; numbers and order of PyTorch's GradScaler.
 */
import tf from "@tensorflow/tfjs";
import type { HostTensors, Signature, Tensors } from "../compile/compile.js";

/** The factor before the first step. */
export const FIRST_LOSS_SCALE = 2 ** 16;
/** Steps without an overflow after which the factor doubles. */
export const GOOD_STEPS = 2000;
/** Largest norm that still counts as finite: a little below the largest float32, so that no device needs to know infinity. */
const LARGEST_NORM = 3e38;

/**
 * State of the scaling, all scalars: the factor; good steps since it last changed; and 1 − β₁ⁿ and 1 − β₂ⁿ for the n updates that
 * were done, which is fewer than the steps when some were skipped.
 */
const KEYS = {
  scale: "scaler/scale",
  goodSteps: "scaler/good_steps",
  correction1: "scaler/correction1",
  correction2: "scaler/correction2",
} as const;

/** What the state of a training step has more with mixed precision. */
export const SCALER_SIGNATURE: Signature = Object.fromEntries(Object.values(KEYS).map((key) => [key, { shape: [] }]));

/** It before the first step. */
export function firstScalerState(): HostTensors {
  const scalar = (value: number) => ({ data: Float32Array.of(value), shape: [] });
  return {
    [KEYS.scale]: scalar(FIRST_LOSS_SCALE),
    [KEYS.goodSteps]: scalar(0),
    [KEYS.correction1]: scalar(0),
    [KEYS.correction2]: scalar(0),
  };
}

/** The factor of the loss in this step, scalar. */
export const lossScaleOf = (state: Tensors): tf.Tensor => state[KEYS.scale]!;

/** What a step does with scaled gradients; all scalars. */
export interface ScaledUpdate {
  /** Norm of the gradient itself; not finite when the scaled one has overflowed. */
  readonly gradNorm: tf.Tensor;
  /** bool: the gradients are finite, and the update is done. */
  readonly isDone: tf.Tensor;
  /** 1 − β₁ⁿ and 1 − β₂ⁿ with this update as the n-th. */
  readonly biasCorrection1: tf.Tensor;
  readonly biasCorrection2: tf.Tensor;
  /** Next state of the scaling. */
  readonly next: Tensors;
}

/**
 * Judge a step by the norm of its scaled gradients.
 *
 * @param scaledNorm global norm of the gradients of loss · scale: not finite exactly when one of them is not.
 */
export function scaledUpdate(
  state: Tensors,
  scaledNorm: tf.Tensor,
  [beta1, beta2]: readonly [number, number],
): ScaledUpdate {
  const scale = state[KEYS.scale]!;
  // NaN is not less either.
  const isDone = tf.less(scaledNorm, LARGEST_NORM);
  const goodSteps = tf.add(state[KEYS.goodSteps]!, 1);
  const isRaised = tf.logicalAnd(isDone, tf.greaterEqual(goodSteps, GOOD_STEPS));
  const factor = tf.where(isDone, tf.where(isRaised, tf.scalar(2), tf.scalar(1)), tf.scalar(0.5));
  // 1 − βⁿ = (1 − βⁿ⁻¹) + (1 − β)·βⁿ⁻¹
  const grown = (key: string, beta: number): tf.Tensor => tf.add(state[key]!, tf.mul(tf.sub(1, state[key]!), 1 - beta));
  const biasCorrection1 = grown(KEYS.correction1, beta1);
  const biasCorrection2 = grown(KEYS.correction2, beta2);
  return {
    gradNorm: tf.div(scaledNorm, scale),
    isDone,
    biasCorrection1,
    biasCorrection2,
    next: {
      [KEYS.scale]: tf.mul(scale, factor),
      [KEYS.goodSteps]: tf.where(tf.logicalAnd(isDone, tf.logicalNot(isRaised)), goodSteps, tf.scalar(0)),
      [KEYS.correction1]: tf.where(isDone, biasCorrection1, state[KEYS.correction1]!),
      [KEYS.correction2]: tf.where(isDone, biasCorrection2, state[KEYS.correction2]!),
    },
  };
}
