/** @file Projectors: from the model's hidden tokens to the width of the alignment target. */
import tf from "@tensorflow/tfjs";
import { ModelError } from "./errors.js";
import { linear, type Parameters, parameter, silu } from "./layers.js";

export type ProjectorType = "mlp" | "linear" | "conv";

export const PROJECTOR_TYPES: readonly ProjectorType[] = ["mlp", "linear", "conv"];

/** Sides that a conv projector may have. */
export const PROJECTOR_KERNELS: readonly number[] = [1, 3, 5, 7];

export interface ProjectorConfig {
  readonly type: ProjectorType;
  /** Side of a conv projector's kernel: 1, 3, 5 or 7; ignored by the others. Published defaults disagree (1 and 3). */
  readonly kernel?: number;
  /** Hidden width of an mlp projector; ignored by the others. @default 2048 */
  readonly width?: number;
}

/** The reference's hidden width of an mlp projector. */
export const PROJECTOR_WIDTH = 2048;

/** Name before the layers of the first projector. */
export const PROJECTOR_PREFIX = "projectors.0.";

/**
 * Refuse an unknown type, and a kernel that a conv projector cannot have.
 *
 * @throws {ModelError}
 */
export function checkProjector({ type, kernel, width }: ProjectorConfig): void {
  if (!PROJECTOR_TYPES.includes(type)) {
    throw new ModelError("ConfigError", `unknown projector "${type}"; known: ${PROJECTOR_TYPES.join(", ")}`);
  }
  if (type === "conv" && (kernel === undefined || !PROJECTOR_KERNELS.includes(kernel))) {
    throw new ModelError(
      "ConfigError",
      `conv projector: kernel must be ${PROJECTOR_KERNELS.join(", ")}, got ${kernel}`,
    );
  }
  if (type === "mlp" && width !== undefined && (!Number.isInteger(width) || width < 1)) {
    throw new ModelError("ConfigError", `mlp projector: width must be a whole number of at least 1, got ${width}`);
  }
}

/**
 * Project hidden tokens to the target's width Z:
 *
 *   mlp     Linear(D→width), SiLU, Linear(width→width), SiLU, Linear(width→Z)
 *   linear  Linear(D→Z)
 *   conv    tokens as a G×G image, Conv2d(D→Z, k, stride 1, zero padding ⌊k/2⌋, bias), as tokens again
 *
 * @param params `PREFIXprojection_layer.{0,2,4}.*` (mlp) or `PREFIXprojection_layer.*`; conv weight [Z,D,k,k].
 * @param hidden [B,T,D]; for conv, T is a square.
 * @returns [B,T,Z].
 * @throws {ModelError} unknown type or kernel, or a conv over tokens that form no square.
 * @source mlp: REPA, arXiv 2410.06940; conv: iREPA, arXiv 2512.10794.
 */
export function project(
  params: Parameters,
  hidden: tf.Tensor3D,
  config: ProjectorConfig,
  prefix: string = PROJECTOR_PREFIX,
): tf.Tensor3D {
  checkProjector(config);
  const name = `${prefix}projection_layer`;
  switch (config.type) {
    case "linear":
      return linear(hidden, params, name) as tf.Tensor3D;
    case "mlp": {
      const first = silu(linear(hidden, params, `${name}.0`));
      return linear(silu(linear(first, params, `${name}.2`)), params, `${name}.4`) as tf.Tensor3D;
    }
    case "conv": {
      const [B, T, D] = hidden.shape;
      if (config.kernel === 1) return linear(hidden, params, name) as tf.Tensor3D;
      const grid = Math.sqrt(T);
      if (!Number.isInteger(grid)) {
        throw new ModelError("ShapeError", `conv projector: ${T} tokens do not form a square grid`);
      }
      const weight = parameter(params, `${name}.weight`);
      if (weight.rank !== 4 || weight.shape[2] !== config.kernel || weight.shape[3] !== config.kernel) {
        const want = `[Z,${D},${config.kernel},${config.kernel}]`;
        throw new ModelError("ShapeError", `conv projector: ${name}.weight must be ${want}, got [${weight.shape}]`);
      }
      const filter = tf.transpose(weight, [2, 3, 1, 0]) as tf.Tensor4D; // [k,k,D,Z]
      const image = tf.reshape(hidden, [B, grid, grid, D]) as tf.Tensor4D;
      const y = tf.add(tf.conv2d(image, filter, 1, "same"), parameter(params, `${name}.bias`));
      return tf.reshape(y, [B, T, weight.shape[0]!]);
    }
  }
}
