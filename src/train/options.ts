/** @file What a training run can be told. The experiment file's `train` section fits `TrainOptions` as it is. */
import type { ProjectorConfig } from "../models/projector.js";
import type { SitConfig } from "../models/sit-sizes.js";
import type { PathName } from "./interpolant.js";
import type { TimeName } from "./times.js";

/** How one optimizer step is computed. */
export interface ObjectiveOptions {
  readonly path: PathName;
  /** Decays of AdamW's moments, each in [0,1). */
  readonly betas: readonly [number, number];
  readonly weightDecay: number;
  /** Largest global norm of the gradient, projectors included. */
  readonly clip: number;
  /** Of the moving average of all parameters, in [0,1]. */
  readonly emaDecay: number;
  /**
   * "mixed": products in float16, weights, norms, softmax, losses and optimizer in float32, and a loss scale that follows the
   * gradients. @default "float32"
   */
  readonly precision?: PrecisionName;
}

export const PRECISIONS = ["float32", "mixed"] as const;
export type PrecisionName = (typeof PRECISIONS)[number];

/** A training run: the objective, and what is drawn and how long. */
export interface TrainOptions extends ObjectiveOptions {
  readonly steps: number;
  /** B: images a step. */
  readonly batch: number;
  /** Constant. */
  readonly learningRate: number;
  readonly time: TimeName;
  /** Share of labels replaced by "no class". */
  readonly labelDropout: number;
  /** Steps between two lines of the log; the last step is always logged. */
  readonly logEvery: number;
  /** Steps between two checkpoints; the last step always has one. */
  readonly checkpointEvery: number;
  /** Also write the log as TensorBoard's event files. @default false */
  readonly tensorboard?: boolean;
}

/** One thing that the model is aligned to. */
export interface TargetConfig {
  /** Z: channels of a target token. */
  readonly dim: number;
  readonly projector: ProjectorConfig;
  /** Alpha of the spatial normalization of the target; absent: none. */
  readonly spatialNorm?: number;
}

/** Everything that fixes the graph of a training step. */
export interface TrainStepConfig extends ObjectiveOptions {
  readonly model: SitConfig;
  /** B */
  readonly batch: number;
  /** 1-based block whose output is aligned; wanted when there are targets. */
  readonly alignDepth?: number;
  /** One projector each, `projectors.0.`, `projectors.1.`, …; none for a control. */
  readonly targets: readonly TargetConfig[];
  /** Weight of the alignment loss. */
  readonly coefficient: number;
}
