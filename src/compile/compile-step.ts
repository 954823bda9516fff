/** @file A function of (state, inputs) compiled into one native graph that keeps its state between runs. */
import { openDeviceStep } from "./device-step.js";
import { openEagerStep } from "./eager-step.js";
import { DeviceError } from "./errors.js";
import { openNativeStep } from "./native-step.js";
import { type CompiledStep, type CompileOptions, DEVICES, type StepFunction, type StepSignature } from "./step.js";

export {
  type CompiledStep,
  type CompileOptions,
  DEVICES,
  type Device,
  type PendingOutputs,
  type StepFunction,
  type StepResult,
  type StepSignature,
} from "./step.js";

/**
 * Compile a step.
 *
 * `fn` is plain TensorFlow.js over tensors of static shape; it may take gradients (`tf.grads`, `tf.variableGrads` do not
 * apply: there are no variables), is called once, and must not read values. It returns the next state under the same
 * names, shapes and types, and any outputs. The compiled step is a pure function of (state, inputs): the same bits each time.
 *
 * @throws {UnsupportedOpError} a kernel that cannot be compiled, by name.
 * @throws {SignatureError} a next state that does not fit the state.
 * @throws {DeviceError} a device that is not here, with what to do about it.
 */
export async function compileStep(
  fn: StepFunction,
  signature: StepSignature,
  options: CompileOptions,
): Promise<CompiledStep> {
  const device = options.device ?? "cpu";
  switch (device) {
    case "cpu":
    case "cuda":
      return openNativeStep(fn, signature, options, device);
    case "webgpu":
      return openDeviceStep(fn, signature, options);
    case "tfjs-cpu":
    case "tfjs-gpu":
      return openEagerStep(fn, signature, options, device);
    default:
      throw new DeviceError(`${options.name}: unknown device "${device as string}"; there are: ${DEVICES.join(", ")}`);
  }
}
