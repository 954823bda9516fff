import tf from "@tensorflow/tfjs";
import { alignmentLoss } from "./alignment-loss.js";

/** Projected tokens and what they are aligned to, both [B,T,Z]. */
export interface AlignmentPair {
  readonly projected: tf.Tensor;
  readonly target: tf.Tensor;
}

export interface SitLossOptions {
  /** What the model says, [B,C,H,W]. */
  readonly predicted: tf.Tensor;
  /** What it should say, [B,C,H,W]. */
  readonly velocity: tf.Tensor;
  /** None for a control. */
  readonly alignments: readonly AlignmentPair[];
  /** Weight of the alignment. */
  readonly coefficient: number;
}

/** Scalars; `alignment` is not weighted, and absent without alignments. */
export interface SitLoss {
  readonly loss: tf.Scalar;
  readonly denoising: tf.Scalar;
  readonly alignment?: tf.Scalar;
}

/**
 * Training loss of SiT with representation alignment:
 *
 *   L = mean_{b,c,h,w} (v̂ − v)² + coefficient · (1/E) Σ_e L_align,e
 *
 * @source REPA, arXiv 2410.06940, equation 9; SPEC §1.6, §1.7.
 */
export function sitLoss({ predicted, velocity, alignments, coefficient }: SitLossOptions): SitLoss {
  const denoising: tf.Scalar = tf.mean(tf.square(tf.sub(predicted, velocity)));
  if (alignments.length === 0) return { loss: denoising, denoising };
  const losses = alignments.map(({ projected, target }) => alignmentLoss(projected, target));
  const sum = losses.reduce((a, b) => tf.add(a, b));
  const alignment: tf.Scalar = losses.length === 1 ? sum : tf.div(sum, losses.length);
  return { loss: tf.add(denoising, tf.mul(alignment, coefficient)), denoising, alignment };
}
