/**
 * @file Names and shapes of all parameters: the reference's state_dict, in its order and PyTorch's layouts, so that
 * checkpoints can be exchanged. The projectors stand apart, as each arm of an experiment has its own.
 */
import { checkProjector, PROJECTOR_PREFIX, PROJECTOR_WIDTH, type ProjectorConfig } from "./projector.js";
import { checkSitConfig, gridSide, type SitConfig } from "./sit-sizes.js";
import { TIME_FEATURES } from "./time-embedding.js";

/** Shapes by name, in the reference's order. */
export type ParameterShapes = Readonly<Record<string, readonly number[]>>;

/** Whether a parameter is fixed: kept in the checkpoint and the EMA, never trained. */
export const isFrozen = (name: string): boolean => name === "pos_embed";

const layer = (name: string, outputs: number, ...inputs: number[]): Record<string, number[]> => ({
  [`${name}.weight`]: [outputs, ...inputs],
  [`${name}.bias`]: [outputs],
});

/**
 * Shapes of SiT's parameters, projectors excluded, `pos_embed` [1,T,D] included.
 *
 * @throws {ModelError} a configuration that does not fit together.
 */
export function sitParameterShapes(config: SitConfig): ParameterShapes {
  const { depth, width: D, patch: P, channels: C, classes, mlpRatio } = checkSitConfig(config);
  const shapes: Record<string, readonly number[]> = {
    pos_embed: [1, gridSide(config) ** 2, D],
    ...layer("x_embedder.proj", D, C, P, P),
    ...layer("t_embedder.mlp.0", D, TIME_FEATURES),
    ...layer("t_embedder.mlp.2", D, D),
    "y_embedder.embedding_table.weight": [classes + 1, D],
  };
  for (let i = 0; i < depth; i++) {
    const name = `blocks.${i}`;
    Object.assign(
      shapes,
      layer(`${name}.attn.qkv`, 3 * D, D),
      layer(`${name}.attn.proj`, D, D),
      layer(`${name}.mlp.fc1`, mlpRatio * D, D),
      layer(`${name}.mlp.fc2`, D, mlpRatio * D),
      layer(`${name}.adaLN_modulation.1`, 6 * D, D),
    );
  }
  return Object.assign(
    shapes,
    layer("final_layer.linear", P * P * C, D),
    layer("final_layer.adaLN_modulation.1", 2 * D, D),
  );
}

/** A projector and the widths that it stands between. */
export interface ProjectorShapeOptions extends ProjectorConfig {
  /** D: width of the model. */
  readonly inputWidth: number;
  /** Z: width of the target. */
  readonly targetWidth: number;
}

/**
 * Shapes of one projector's parameters.
 *
 * @throws {ModelError} an unknown type or kernel.
 */
export function projectorParameterShapes(
  { inputWidth: D, targetWidth: Z, ...config }: ProjectorShapeOptions,
  prefix: string = PROJECTOR_PREFIX,
): ParameterShapes {
  checkProjector(config);
  const name = `${prefix}projection_layer`;
  const { type, kernel, width = PROJECTOR_WIDTH } = config;
  switch (type) {
    case "linear":
      return layer(name, Z, D);
    case "conv":
      return layer(name, Z, D, kernel!, kernel!);
    case "mlp":
      return { ...layer(`${name}.0`, width, D), ...layer(`${name}.2`, width, width), ...layer(`${name}.4`, Z, width) };
  }
}

/** Number of values in all the shapes. */
export const parameterCount = (shapes: ParameterShapes): number =>
  Object.values(shapes).reduce((sum, shape) => sum + shape.reduce((product, side) => product * side, 1), 0);
