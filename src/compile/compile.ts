/** @file A TensorFlow.js function compiled into a native one: the missing `tf.function`. */
import { type CompileOptions, compileStep } from "./compile-step.js";
import type { HostTensors } from "./session.js";
import type { Signature, Tensors } from "./signature.js";

export type { DType, HostTensor, HostTensors } from "./session.js";
export type { Signature, TensorSpec, Tensors } from "./signature.js";
export { type CompileOptions, DEVICES, type Device, PRODUCTS, type Products } from "./step.js";

export interface CompiledFunction {
  readonly name: string;
  readonly inputs: Signature;
  readonly outputs: Signature;
  /** @throws {SignatureError} before anything runs. The results are the caller's. */
  run(inputs: HostTensors): Promise<HostTensors>;
  dispose(): Promise<void>;
}

/**
 * Compile a function of named tensors.
 *
 * @param fn plain TensorFlow.js over tensors of static shape; called once; must not read values. Constants made inside may
 * have up to 1 MB each: anything larger belongs in the inputs, or in the state of `compileStep`.
 * @throws {UnsupportedOpError} a kernel that cannot be compiled, by name, with those that can.
 */
export async function compileFunction(
  fn: (inputs: Tensors) => Tensors,
  inputs: Signature,
  options: CompileOptions,
): Promise<CompiledFunction> {
  const step = await compileStep((_, given) => ({ state: {}, outputs: fn(given) }), { state: {}, inputs }, options);
  return {
    name: step.name,
    inputs,
    outputs: step.outputs,
    run: (values) => step.run(values),
    dispose: () => step.dispose(),
  };
}
