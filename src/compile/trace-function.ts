import { encodeOnnx } from "./encode-onnx.js";
import type { Signature, Tensors } from "./signature.js";
import { traceStep } from "./trace-step.js";

/**
 * A function as the bytes of an ONNX model, for `openModel`: also in threads that have no TensorFlow.js. Outputs keep their names, an
 * input `x` is called `in/x`, and inputs that nothing needs are left out.
 *
 * @param fn as of `compileFunction`. @throws {UnsupportedOpError} as that.
 */
export function traceFunction(fn: (inputs: Tensors) => Tensors, inputs: Signature, name: string): Uint8Array {
  const { graph, outputs } = traceStep((_, given) => ({ state: {}, outputs: fn(given) }), { state: {}, inputs }, name);
  const wanted = Object.entries(outputs).map(([key, value]) => ({ name: key, value }));
  return encodeOnnx(graph, wanted, name).model;
}
