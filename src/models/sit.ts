/** @file SiT, the diffusion transformer: a pure function of parameters and inputs. */
import tf from "@tensorflow/tfjs";
import { ModelError } from "./errors.js";
import { attention, gelu, layerNorm, linear, modulate, type Parameters, parameter, silu } from "./layers.js";
import { patchify, unpatchify } from "./patches.js";
import { checkAlignDepth, checkSitConfig, gridSide, type SitConfig } from "./sit-sizes.js";
import { timeFeatures } from "./time-embedding.js";

export interface SitInputs {
  /** x_t, [B,C,H,W] float32. */
  readonly x: tf.Tensor;
  /** [B] float32 in [0,1]: t = 0 is data, t = 1 is noise. */
  readonly t: tf.Tensor;
  /** [B] int32 class indices; `classes` means "no class". The trainer drops labels, not the model. */
  readonly y: tf.Tensor;
}

export interface SitOptions {
  /** Return the tokens after this block, 1-based. @default config.encoderDepth; without either, no tokens. */
  readonly alignDepth?: number;
  /** Is shown the tokens [B,T,D] after each block, 1-based. */
  readonly onBlock?: (tokens: tf.Tensor3D, depth: number) => void;
}

export interface SitResult {
  /** Velocity, [B,C,H,W] float32. */
  readonly v: tf.Tensor4D;
  /** Tokens after block `alignDepth`, [B,T,D]. */
  readonly hidden?: tf.Tensor3D;
}

/**
 * Velocity v ≈ ε̇ of the noised sample x at time t for the class y, from patches, adaLN-modulated transformer blocks and a
 * modulated linear head:
 *
 *   c = MLP([cos tf, sin tf]) + table[y];  x ← x + g₁·Attn(LN(x)(1+s₁)+b₁);  x ← x + g₂·MLP(LN(x)(1+s₂)+b₂)
 *
 * @param params by the reference's names, PyTorch layouts (`sitParameterShapes`). Read only.
 * @returns new tensors; caller disposes (or traces).
 * @throws {ModelError} a configuration, depth, input shape or parameter that does not fit, before anything is computed.
 * @source SiT, arXiv 2401.08740; DiT, arXiv 2212.09748; alignment hook: REPA, arXiv 2410.06940.
 * @parity The final layer has the model's width at every size (the reference's SiT-S does not run). Label "no class" is
 *         `classes`, not the literal 1000.
 */
export function sit(
  params: Parameters,
  { x, t, y }: SitInputs,
  config: SitConfig,
  { alignDepth = config.encoderDepth, onBlock }: SitOptions = {},
): SitResult {
  checkSitConfig(config);
  if (alignDepth !== undefined) checkAlignDepth(alignDepth, config);
  const { depth, width: D, heads, patch, channels, sizePx } = config;
  const grid = gridSide(config);
  const T = grid * grid;
  const B = x.shape[0]!;
  checkShape("x", x, [B, channels, sizePx, sizePx]);
  checkShape("t", t, [B]);
  checkShape("y", y, [B]);

  const embedded = tf.reshape(linear(patchify(x as tf.Tensor4D, patch), params, "x_embedder.proj"), [B, T, D]);
  let tokens = tf.add(embedded, parameter(params, "pos_embed")) as tf.Tensor3D;

  const time = linear(timeFeatures(t as tf.Tensor1D), params, "t_embedder.mlp.0");
  const label = tf.gather(parameter(params, "y_embedder.embedding_table.weight"), y as tf.Tensor1D);
  const condition = silu(tf.add(linear(silu(time), params, "t_embedder.mlp.2"), label)); // [B,D]
  const modulation = (name: string, parts: number): tf.Tensor[] =>
    tf.split(tf.reshape(linear(condition, params, `${name}.adaLN_modulation.1`), [B, 1, parts * D]), parts, 2);

  let hidden: tf.Tensor3D | undefined;
  for (let i = 0; i < depth; i++) {
    const name = `blocks.${i}`;
    const [shift1, scale1, gate1, shift2, scale2, gate2] = modulation(name, 6) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const attended = attention(
      modulate(layerNorm(tokens), shift1, scale1) as tf.Tensor3D,
      params,
      `${name}.attn`,
      heads,
    );
    tokens = tf.add(tokens, tf.mul(attended, gate1));
    const widened = gelu(linear(modulate(layerNorm(tokens), shift2, scale2), params, `${name}.mlp.fc1`));
    tokens = tf.add(tokens, tf.mul(linear(widened, params, `${name}.mlp.fc2`), gate2));
    if (i + 1 === alignDepth) hidden = tokens;
    onBlock?.(tokens, i + 1);
  }

  const [shift, scale] = modulation("final_layer", 2) as [tf.Tensor, tf.Tensor];
  const output = linear(modulate(layerNorm(tokens), shift, scale), params, "final_layer.linear");
  const v = unpatchify(output, patch, channels, grid);
  return hidden === undefined ? { v } : { v, hidden };
}

function checkShape(name: string, tensor: tf.Tensor, want: readonly number[]): void {
  if (tensor.shape.length !== want.length || want.some((side, axis) => side !== tensor.shape[axis])) {
    throw new ModelError("ShapeError", `sit: ${name} must have the shape [${want}], got [${tensor.shape}]`);
  }
}
