import tf from "@tensorflow/tfjs";
import type { Signature, Tensors } from "../compile/compile.js";
import type { StepResult, StepSignature } from "../compile/compile-step.js";
import { gridSide } from "../models/sit-sizes.js";
import { adamW } from "./adamw.js";
import { clipScale, globalNorm } from "./clip.js";
import { nextAverage } from "./ema.js";
import { lossGradients } from "./loss-gradients.js";
import { lossScaleOf, scaledUpdate } from "./loss-scale.js";
import type { TrainStepConfig } from "./options.js";
import { stateSignature, trainedNames } from "./train-state.js";

/** What `compileStep` wants. */
export interface TrainStep {
  readonly signature: StepSignature;
  step(state: Tensors, inputs: Tensors): StepResult;
}

/** Name of the input with the features of target `index`. */
export const targetInput = (index: number): string => `target/${index}`;

/**
 * One whole training step of SiT as a function of (state, inputs): noising, forward and backward pass, clipping, AdamW, EMA.
 *
 * State: see `train-state.ts`; the frozen parameters and their average are handed through as the same tensors.
 * Inputs: `x` [B,C,H,W], `y` [B] int32 after label dropout, `noise` [B,C,H,W], `t` [B], `target/0`, … [B,T,Z], and the scalars
 * `learningRate`, and in float32 `biasCorrection1`, `biasCorrection2` (see `biasCorrections`).
 * Outputs, scalars: `loss`, `denoising_loss`, `alignment_loss` (not weighted, in [−1,1]; absent in a control), `grad_norm`
 * (before clipping, projectors included). With mixed precision also `loss_scale`, the factor of this step; and a `grad_norm` that is
 * not finite says that the update was skipped: model and moments stay as they were, to the bit. The moving average goes on
 * regardless, as the reference's does (SPEC D-20): its horizon is counted in steps.
 *
 * Mixed precision is to be compiled with `products: "float16"`.
 *
 * @throws {ModelError} a model or projector that does not fit together. @throws {ConfigError} targets without an align depth.
 * @source REPA, arXiv 2410.06940; iREPA, arXiv 2512.10794; SPEC §1.6–1.9.
 */
export function trainStep(config: TrainStepConfig): TrainStep {
  const trained = trainedNames(config);
  return {
    signature: { state: stateSignature(config), inputs: inputSignature(config) },
    step(state, inputs) {
      const parameters: Tensors = {};
      for (const [key, tensor] of Object.entries(state)) {
        if (key.startsWith("model/")) parameters[key.slice("model/".length)] = tensor;
      }
      const lossScale = config.precision === "mixed" ? lossScaleOf(state) : undefined;
      const { loss, denoising, alignment, gradients } = lossGradients(
        parameters,
        {
          x: inputs["x"]!,
          y: inputs["y"]!,
          noise: inputs["noise"]!,
          t: inputs["t"]!,
          targets: config.targets.map((_, i) => inputs[targetInput(i)]!),
        },
        config,
        lossScale,
      );
      const norm = globalNorm(Object.values(gradients));
      const scaled = lossScale === undefined ? undefined : scaledUpdate(state, norm, config.betas);
      const gradNorm = scaled?.gradNorm ?? norm;
      const clipped = clipScale(gradNorm, config.clip);
      const update = adamW(config, {
        learningRate: inputs["learningRate"]!,
        biasCorrection1: scaled?.biasCorrection1 ?? inputs["biasCorrection1"]!,
        biasCorrection2: scaled?.biasCorrection2 ?? inputs["biasCorrection2"]!,
        gradientScale: lossScale === undefined ? clipped : tf.div(clipped, lossScale),
        ...(scaled === undefined ? {} : { isDone: scaled.isDone }),
      });
      const next: Tensors = { ...state, ...scaled?.next };
      for (const name of trained) {
        const slot = { parameter: parameters[name]!, m: state[`opt/m/${name}`]!, v: state[`opt/v/${name}`]! };
        const { parameter, m, v } = update(slot, gradients[name]!);
        next[`model/${name}`] = parameter;
        next[`opt/m/${name}`] = m;
        next[`opt/v/${name}`] = v;
        next[`ema/${name}`] = nextAverage(state[`ema/${name}`]!, parameter, config.emaDecay);
      }
      const outputs: Tensors = { loss, denoising_loss: denoising, grad_norm: gradNorm };
      if (alignment !== undefined) outputs["alignment_loss"] = alignment;
      if (lossScale !== undefined) outputs["loss_scale"] = lossScale;
      return { state: next, outputs };
    },
  };
}

function inputSignature({ model, batch: B, targets, precision }: TrainStepConfig): Signature {
  const { channels: C, sizePx } = model;
  const sample = { shape: [B, C, sizePx, sizePx] };
  const T = gridSide(model) ** 2;
  return {
    x: sample,
    y: { shape: [B], dtype: "int32" },
    noise: sample,
    t: { shape: [B] },
    learningRate: { shape: [] },
    ...(precision === "mixed" ? {} : { biasCorrection1: { shape: [] }, biasCorrection2: { shape: [] } }),
    ...Object.fromEntries(targets.map(({ dim }, i) => [targetInput(i), { shape: [B, T, dim] }])),
  };
}
