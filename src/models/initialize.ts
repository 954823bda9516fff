/** @file Initial values of SiT and of its projectors. Random numbers are handed in, one generator per tensor name. */
import { type ProjectorShapeOptions, projectorParameterShapes, sitParameterShapes } from "./parameters.js";
import { positionEmbedding } from "./position-embedding.js";
import { PROJECTOR_PREFIX } from "./projector.js";
import { gridSide, type SitConfig } from "./sit-sizes.js";

/** Random numbers: `uniform` in [0,1), `normal` of mean 0 and variance 1. */
export interface Draw {
  uniform(n: number): Float32Array;
  normal(n: number): Float32Array;
}

/** A parameter's values on the host. */
export interface ParameterValue {
  readonly data: Float32Array;
  readonly shape: number[];
}

export type ParameterValues = Record<string, ParameterValue>;

/** Standard deviation of the label table and the time MLP. */
const EMBEDDING_STD = 0.02;

const isZero = (name: string): boolean =>
  name.endsWith(".bias") || name.includes("adaLN_modulation.") || name.startsWith("final_layer.linear.");

const isSmallNormal = (name: string): boolean =>
  name === "y_embedder.embedding_table.weight" || /^t_embedder\.mlp\.\d+\.weight$/.test(name);

const scaledUniform = (draw: Draw, size: number, bound: number): Float32Array =>
  draw.uniform(size).map((u) => (2 * u - 1) * bound);

/** U(±√(6/(fan_in + fan_out))), axes after the first flattened. Glorot & Bengio 2010, equation 16. */
const xavierUniform = (draw: Draw, size: number, outputs: number): Float32Array =>
  scaledUniform(draw, size, Math.sqrt(6 / (size / outputs + outputs)));

/**
 * SiT's initial parameters: Xavier-uniform weights and zero biases; label table and time MLP N(0, 0.02²); all adaLN layers
 * and the final linear layer zero, so that the untrained network returns exactly 0 and each block is the identity;
 * `pos_embed` the fixed sine-cosine table.
 *
 * @param draw the random numbers of one tensor, by its name: what a tensor gets does not depend on any other tensor.
 * @returns values in the reference's order, ready to own.
 * @throws {ModelError} a configuration that does not fit together.
 * @source DiT, arXiv 2212.09748, section 3.2 (adaLN-Zero).
 */
export function initializeSit(config: SitConfig, draw: (name: string) => Draw): ParameterValues {
  return Object.fromEntries(drawSit(config, draw));
}

/** The same one after the other, so that a large model's values need not all be in memory at once. */
export function* drawSit(config: SitConfig, draw: (name: string) => Draw): Generator<[string, ParameterValue]> {
  for (const [name, shape] of Object.entries(sitParameterShapes(config))) {
    const size = shape.reduce((product, side) => product * side, 1);
    let data: Float32Array;
    if (name === "pos_embed") data = positionEmbedding(gridSide(config), config.width);
    else if (isZero(name)) data = new Float32Array(size);
    else if (isSmallNormal(name))
      data = draw(name)
        .normal(size)
        .map((n) => n * EMBEDDING_STD);
    else data = xavierUniform(draw(name), size, shape[0]!);
    yield [name, { data, shape: [...shape] }];
  }
}

/**
 * A projector's initial parameters. mlp and linear: Xavier-uniform weights, zero biases. conv: weight and bias
 * U(±1/√(D·k²)), the default of PyTorch's convolution, which the reference leaves as it is.
 *
 * @throws {ModelError} an unknown type or kernel.
 * @source He et al., arXiv 1502.01852, with a = √5.
 */
export function initializeProjector(
  options: ProjectorShapeOptions,
  draw: (name: string) => Draw,
  prefix: string = PROJECTOR_PREFIX,
): ParameterValues {
  const values: ParameterValues = {};
  const bound = 1 / Math.sqrt(options.inputWidth * (options.kernel ?? 1) ** 2);
  for (const [name, shape] of Object.entries(projectorParameterShapes(options, prefix))) {
    const size = shape.reduce((product, side) => product * side, 1);
    let data: Float32Array;
    if (options.type === "conv") data = scaledUniform(draw(name), size, bound);
    else if (name.endsWith(".bias")) data = new Float32Array(size);
    else data = xavierUniform(draw(name), size, shape[0]!);
    values[name] = { data, shape: [...shape] };
  }
  return values;
}
