/**
 * @file Gradients of TensorFlow.js, mended: so that they can be differentiated again, and where they are wrong.
 *
 * TensorFlow.js puts a saved *output* of a kernel on its tape before the kernel itself, so a second reverse pass loses the
 * path through it: the second derivative of tanh, sigmoid, exp, softmax, elu comes out wrong, without an error. Computing the
 * output again from the saved inputs is right; in a compiled graph equal nodes are one, so it costs nothing there. Gradients that
 * select (of max, clip, selu) compare, and most comparisons have no gradient, though it is zero.
 *
 * Out of reach is what TensorFlow.js writes as a custom gradient of a saved output: `tf.logSoftmax` and
 * `tf.losses.softmaxCrossEntropy`. For second derivatives write x − logSumExp(x).
 */
import tf from "@tensorflow/tfjs";

const KERNELS: Readonly<Record<string, readonly string[]>> = {
  Exp: ["x"],
  Pow: ["a", "b"],
  Sigmoid: ["x"],
  Softmax: ["logits"],
  Tanh: ["x"],
};

/** Kernels of truth values by their inputs: changing those a little changes nothing. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  Equal: ["a", "b"],
  NotEqual: ["a", "b"],
  Greater: ["a", "b"],
  Less: ["a", "b"],
  LessEqual: ["a", "b"],
  LogicalAnd: ["a", "b"],
  LogicalOr: ["a", "b"],
  LogicalNot: ["x"],
};

let repaired = false;

/** Replace the gradients in question, once per process. First derivatives keep their values, but for the wrong ones. */
export function repairGradients(): void {
  if (repaired) return;
  repaired = true;
  for (const [kernelName, names] of Object.entries(KERNELS)) {
    const original = tf.getGradient(kernelName);
    const savedInputs = original.inputsToSave?.length ?? 0;
    tf.registerGradient({
      kernelName,
      inputsToSave: [...names],
      gradFunc: (dy, saved, attributes) => {
        const inputs = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
        const output = tf.engine().runKernel(kernelName, inputs, attributes) as tf.Tensor;
        return original.gradFunc(dy, [...saved.slice(0, savedInputs), output], attributes);
      },
    });
  }
  // Its gradient is a kernel of its own that has no gradient.
  tf.registerGradient({
    kernelName: "Elu",
    inputsToSave: ["x"],
    gradFunc: (dy, saved) => ({ x: () => tf.mul(dy as tf.Tensor, tf.exp(tf.minimum(saved[0]!, 0))) }),
  });
  for (const [kernelName, names] of Object.entries(STEPS)) {
    tf.registerGradient({
      kernelName,
      inputsToSave: [...names],
      gradFunc: (_, saved) => Object.fromEntries(names.map((name, i) => [name, () => tf.zeros(saved[i]!.shape)])),
    });
  }
  // TensorFlow.js transposes the gradient once more where the axis is not the last one.
  tf.registerGradient({
    kernelName: "Cumsum",
    gradFunc: (dy, _, attributes) => {
      const { axis, exclusive, reverse } = attributes as { axis: number; exclusive: boolean; reverse: boolean };
      return { x: () => tf.cumsum(dy as tf.Tensor, axis, exclusive, !reverse) };
    },
  });
}
