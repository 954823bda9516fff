/**
 * @file The layers that the models share, written for a tracing compiler: static shapes, two-dimensional products, few
 * passes over memory in both directions. Tensors belong to TensorFlow.js's scopes; wrap calls in `tf.tidy` when eager.
 */
import tf from "@tensorflow/tfjs";
import { ModelError } from "./errors.js";

/** Parameters by their name in the reference's state_dict, in PyTorch's layouts. */
export type Parameters = Readonly<Record<string, tf.Tensor>>;

/**
 * Look a parameter up.
 *
 * @throws {ModelError} naming it when it is missing.
 */
export function parameter(params: Parameters, name: string): tf.Tensor {
  const tensor = params[name];
  if (tensor === undefined) throw new ModelError("ShapeError", `model: the parameter ${name} is missing`);
  return tensor;
}

/**
 * y = x·Wᵀ + b over the last axis, as one two-dimensional product.
 *
 * @param x [..., in]
 * @param name prefix of `NAME.weight` [out, in] (further axes are flattened into `in`) and `NAME.bias` [out].
 * @returns [..., out]
 */
export function linear(x: tf.Tensor, params: Parameters, name: string): tf.Tensor {
  const weight = parameter(params, `${name}.weight`);
  const outputs = weight.shape[0]!;
  const inputs = weight.size / outputs;
  const matrix = weight.rank === 2 ? weight : tf.reshape(weight, [outputs, inputs]);
  const rows = x.rank === 2 ? x : tf.reshape(x, [x.size / inputs, inputs]);
  const y = tf.add(
    tf.matMul(rows as tf.Tensor2D, matrix as tf.Tensor2D, false, true),
    parameter(params, `${name}.bias`),
  );
  return x.rank === 2 ? y : tf.reshape(y, [...x.shape.slice(0, -1), outputs]);
}

/** silu(x) = x · sigmoid(x). */
export const silu = (x: tf.Tensor): tf.Tensor => tf.mul(x, tf.sigmoid(x));

const GELU_LINEAR = 2 * Math.sqrt(2 / Math.PI);
const GELU_CUBIC = GELU_LINEAR * 0.044715;

/**
 * GELU in its tanh form, ½x(1 + tanh(√(2/π)(x + 0.044715x³))), written as x·σ(x(a + bx²)): ½(1 + tanh(u)) = σ(2u) saves
 * two passes. The gradient is written out for the same reason: σ + (xσ)·(1−σ)·(a + 3bx²).
 *
 * @source Hendrycks & Gimpel, arXiv 1606.08415, section 2.
 */
export const gelu = (x: tf.Tensor): tf.Tensor => {
  const gateOf = (data: tf.Tensor, squared: tf.Tensor): tf.Tensor =>
    tf.sigmoid(tf.mul(data, tf.add(tf.mul(squared, GELU_CUBIC), GELU_LINEAR)));
  return tf.customGrad((input, save) => {
    const data = input as tf.Tensor;
    (save as tf.GradSaveFunc)([data]);
    return {
      value: tf.mul(data, gateOf(data, tf.square(data))),
      // Computed again from x, so that it can be differentiated again; when compiled, equal nodes are one.
      gradFunc: (dy, saved) => {
        const [data] = saved as [tf.Tensor];
        const squared = tf.square(data);
        const gate = gateOf(data, squared);
        const slope = tf.add(tf.mul(squared, 3 * GELU_CUBIC), GELU_LINEAR);
        return tf.mul(dy, tf.add(gate, tf.mul(tf.mul(tf.mul(data, gate), tf.sub(1, gate)), slope)));
      },
    };
  })(x);
};

/** Added to the variance, inside the root. */
export const LAYER_NORM_EPSILON = 1e-6;

/**
 * Layer normalization over the last axis without learned scale and shift: (x − mean)/√(var + 1e-6), var over n.
 * Gradient, with n̂ the result and r = 1/√(var + ε): r·(dy − mean(dy) − n̂·mean(dy·n̂)).
 *
 * @source Ba et al., arXiv 1607.06450, section 3.
 */
export const layerNorm = (x: tf.Tensor): tf.Tensor => {
  const normalize = (data: tf.Tensor): { value: tf.Tensor; reciprocal: tf.Tensor } => {
    const centred = tf.sub(data, tf.mean(data, -1, true));
    const reciprocal = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), LAYER_NORM_EPSILON));
    return { value: tf.mul(centred, reciprocal), reciprocal };
  };
  return tf.customGrad((input, save) => {
    const data = input as tf.Tensor;
    (save as tf.GradSaveFunc)([data]);
    return {
      value: normalize(data).value,
      // Computed again from x, so that it can be differentiated again; when compiled, equal nodes are one.
      gradFunc: (dy, saved) => {
        const { value, reciprocal } = normalize((saved as [tf.Tensor])[0]);
        const along = tf.mean(tf.mul(dy, value), -1, true);
        const rest = tf.sub(tf.sub(dy, tf.mean(dy, -1, true)), tf.mul(value, along));
        return tf.mul(rest, reciprocal);
      },
    };
  })(x);
};

/**
 * Adaptive modulation: x·(1 + scale) + shift.
 *
 * @param x [B,T,D]; @param shift [B,1,D]; @param scale [B,1,D].
 * @source DiT, arXiv 2212.09748, section 3.2.
 */
export const modulate = (x: tf.Tensor, shift: tf.Tensor, scale: tf.Tensor): tf.Tensor =>
  tf.add(tf.mul(x, tf.add(scale, 1)), shift);

/**
 * softmax(q·kᵀ)·v, [B,heads,T,Dh] each. The gradient of the weights W before the softmax is W∘(dy·vᵀ − Δ), where Δ, the sum over the
 * tokens of W∘(dy·vᵀ), is taken as that over the channels of dy∘y: T/Dh times fewer numbers.
 *
 * @source Dao et al., FlashAttention, arXiv 2205.14135, appendix B.4.
 */
const mixValues = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): tf.Tensor => {
  const weightsOf = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.softmax(tf.matMul(a, b, false, true));
  return tf.customGrad((...inputs) => {
    const save = inputs.pop() as unknown as tf.GradSaveFunc;
    const [queries, keys, values] = inputs as unknown as [tf.Tensor, tf.Tensor, tf.Tensor];
    save([queries, keys, values]);
    return {
      value: tf.matMul(weightsOf(queries, keys), values),
      // Computed again from the inputs, so that it can be differentiated again; when compiled, equal nodes are one.
      gradFunc: (dy, saved) => {
        const [a, b, c] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const weights = weightsOf(a, b);
        const along = tf.sum(tf.mul(dy, tf.matMul(weights, c)), -1, true);
        const scores = tf.mul(weights, tf.sub(tf.matMul(dy, c, false, true), along));
        return [tf.matMul(scores, b), tf.matMul(scores, a, true, false), tf.matMul(weights, dy, true, false)];
      },
    };
  })(q, k, v);
};

/**
 * Multi-head self-attention with a fused projection; softmax over all tokens, scale 1/√(D/heads), no mask, no dropout.
 *
 * @param x [B,T,D]
 * @param name prefix of `NAME.qkv.*` [3D,D] (q, k, v; each head by head) and `NAME.proj.*` [D,D].
 * @source Vaswani et al., arXiv 1706.03762, section 3.2.
 */
export function attention(x: tf.Tensor3D, params: Parameters, name: string, heads: number): tf.Tensor {
  const [B, T, D] = x.shape;
  const headWidth = D / heads;
  const qkv = tf.reshape(linear(tf.reshape(x, [B * T, D]), params, `${name}.qkv`), [B, T, 3, heads, headWidth]);
  // [B,T,3,heads,Dh] -> 3 × [B,heads,T,Dh]
  const [q, k, v] = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]), 0) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
  const mixed = tf.transpose(mixValues(tf.mul(q, 1 / Math.sqrt(headWidth)), k, v), [0, 2, 1, 3]); // [B,T,heads,Dh]
  return tf.reshape(linear(tf.reshape(mixed, [B * T, D]), params, `${name}.proj`), [B, T, D]);
}
