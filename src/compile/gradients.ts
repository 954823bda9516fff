/**
 * @file Gradients of TensorFlow.js that can be differentiated again.
 *
 * TensorFlow.js puts a saved *output* of a kernel on its tape before the kernel itself, so a second reverse pass loses the
 * path through it: the second derivative of tanh, sigmoid, exp, softmax, elu comes out wrong, without an error. Computing the
 * output again from the saved inputs is right; in a compiled graph equal nodes are one, so it costs nothing there.
 */
import tf from "@tensorflow/tfjs";

const KERNELS: Readonly<Record<string, readonly string[]>> = {
  Exp: ["x"],
  Pow: ["a", "b"],
  Sigmoid: ["x"],
  Softmax: ["logits"],
  Tanh: ["x"],
};

let repaired = false;

/** Replace the gradients in question, once per process. First derivatives keep their values. */
export function repairSecondDerivatives(): void {
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
}
