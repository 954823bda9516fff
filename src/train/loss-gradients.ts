import tf from "@tensorflow/tfjs";
import { ConfigError, ShapeError } from "../../data/errors.js";
import { spatialNormalize } from "../../features/spatial-normalize.js";
import type { Tensors } from "../compile/compile.js";
import { project } from "../models/projector.js";
import { sit } from "../models/sit.js";
import { interpolate } from "./interpolant.js";
import type { TrainStepConfig } from "./options.js";
import { type SitLoss, sitLoss } from "./sit-loss.js";
import { projectorPrefix, trainedNames } from "./train-state.js";

export type LossConfig = Pick<TrainStepConfig, "model" | "alignDepth" | "targets" | "coefficient" | "path">;

/** A batch; all float32 but the labels. */
export interface LossInputs {
  /** Clean samples, [B,C,H,W], in [−1,1] for pixels. */
  readonly x: tf.Tensor;
  /** [B] int32; `classes` means "no class": labels are dropped by the caller. */
  readonly y: tf.Tensor;
  /** N(0, I), [B,C,H,W]. */
  readonly noise: tf.Tensor;
  /** [B] in [0,1], see `mapTimes`. */
  readonly t: tf.Tensor;
  /** [B,T,Z] for each of `config.targets`, before spatial normalization. */
  readonly targets: readonly tf.Tensor[];
}

/** Losses, and the gradient of the total (times the loss scale) by name of the parameter, before clipping. */
export interface LossGradients extends SitLoss {
  readonly gradients: Tensors;
}

/**
 * Loss of SiT on a batch and its gradient by every trained parameter. No gradient reaches the targets.
 *
 * @param parameters  all of `parameterShapes(config)`. Read only.
 * @param lossScale   scalar: the gradients are those of the loss times this. The losses are not. @default 1
 * @throws {ConfigError} targets without an align depth. @throws {ShapeError} targets that do not fit the tokens.
 */
export function lossGradients(
  parameters: Tensors,
  inputs: LossInputs,
  config: LossConfig,
  lossScale?: tf.Tensor,
): LossGradients {
  const { model, alignDepth, coefficient, path } = config;
  if (config.targets.length !== inputs.targets.length) {
    throw new ShapeError(`training step: wants ${config.targets.length} targets, got ${inputs.targets.length}`);
  }
  if (config.targets.length > 0 && alignDepth === undefined) {
    throw new ConfigError("training step: there is a target but no align depth", {
      hint: "say which block is aligned",
    });
  }
  const { noised, velocity } = interpolate(path, { data: inputs.x, noise: inputs.noise, t: inputs.t });
  const targets = inputs.targets.map((target, i) => {
    const alpha = config.targets[i]!.spatialNorm;
    return alpha === undefined ? target : spatialNormalize(target as tf.Tensor3D, { alpha });
  });

  const names = trainedNames(config);
  let parts: SitLoss | undefined;
  const totalLoss = (...trained: tf.Tensor[]): tf.Scalar => {
    const all = { ...parameters, ...Object.fromEntries(names.map((name, i) => [name, trained[i]!])) };
    const options = targets.length === 0 ? {} : { alignDepth: alignDepth! };
    const { v, hidden } = sit(all, { x: noised, t: inputs.t, y: inputs.y }, model, options);
    const alignments = targets.map((target, i) => {
      const projected = project(all, hidden!, config.targets[i]!.projector, projectorPrefix(i));
      return { projected, target };
    });
    parts = sitLoss({ predicted: v, velocity, alignments, coefficient });
    // Only the total leaves this function: keep its parts from being disposed with everything else.
    tf.keep(parts.denoising);
    if (parts.alignment !== undefined) tf.keep(parts.alignment);
    return parts.loss;
  };
  const trained = names.map((name) => parameters[name]!);
  const { value, grads } = tf.valueAndGrads(totalLoss)(trained, lossScale as tf.Scalar | undefined);
  const { denoising, alignment } = parts!;
  return {
    loss: value as tf.Scalar,
    denoising: release(denoising),
    ...(alignment === undefined ? {} : { alignment: release(alignment) }),
    gradients: Object.fromEntries(names.map((name, i) => [name, grads[i]!])),
  };
}

/** A copy that belongs to the surrounding tidy, in place of a kept tensor. */
function release(kept: tf.Scalar): tf.Scalar {
  const copy = tf.clone(kept);
  kept.dispose();
  return copy;
}
