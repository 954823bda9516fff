/** @file A step that TensorFlow.js runs operation by operation: an oracle for what is compiled, and a way to its own GPU build. */
import tf from "@tensorflow/tfjs";
import { DeviceError, SignatureError } from "./errors.js";
import { repairGradients } from "./gradients.js";
import { sizeOf } from "./graph.js";
import { type HostTensor, type HostTensors, hostArray } from "./session.js";
import { checkValues, dtypeOf, type Signature, signatureOf, type Tensors } from "./signature.js";
import {
  type CompiledStep,
  type CompileOptions,
  checkNextState,
  checkPart,
  copyOf,
  readyOutputs,
  type StepFunction,
  type StepSignature,
} from "./step.js";

/** The backend of TensorFlow.js that a device means. */
const BACKEND = { "tfjs-cpu": "cpu", "tfjs-gpu": "tensorflow" } as const;
/** A package of the user's choice: descry must install without it. */
const GPU_PACKAGE: string = "@tensorflow/tfjs-node-gpu";

/**
 * A step that TensorFlow.js itself runs.
 *
 * @throws {DeviceError} `tfjs-gpu` where its package is missing or does not load.
 */
export async function openEagerStep(
  fn: StepFunction,
  signature: StepSignature,
  { name, products }: CompileOptions,
  device: keyof typeof BACKEND,
): Promise<CompiledStep> {
  if (products === "float16") throw new DeviceError(`${name}: device "${device}" has no float16 products: use float32`);
  repairGradients();
  if (device === "tfjs-gpu") await loadGpuBackend(name);
  const backend = BACKEND[device];
  const onBackend = <T>(body: () => T): T => {
    const before = tf.getBackend() as string | undefined;
    if (!tf.setBackend(backend)) throw new DeviceError(`${name}: TensorFlow.js has no backend "${backend}"`);
    try {
      return tf.tidy(body as () => never);
    } finally {
      if (before !== undefined && before !== backend) tf.setBackend(before);
    }
  };
  const tensors = (values: HostTensors, specs: Signature): Tensors =>
    Object.fromEntries(
      Object.entries(specs).map(([key, spec]) => [key, tf.tensor(values[key]!.data, [...spec.shape], dtypeOf(spec))]),
    );
  const hosts = (results: Tensors): HostTensors =>
    Object.fromEntries(
      Object.entries(results).map(([key, tensor]) => [
        key,
        { data: tensor.dataSync().slice() as HostTensor["data"], shape: [...tensor.shape] },
      ]),
    );
  const zeros = (specs: Signature): HostTensors =>
    Object.fromEntries(
      Object.entries(specs).map(([key, spec]) => [
        key,
        { data: hostArray(dtypeOf(spec), sizeOf(spec.shape)), shape: [...spec.shape] },
      ]),
    );
  const step = (state: HostTensors, inputs: HostTensors) =>
    onBackend(() => {
      const result = fn(tensors(state, signature.state), tensors(inputs, signature.inputs));
      checkNextState(name, result.state, signature.state);
      return { state: hosts(result.state), outputs: hosts(result.outputs), signature: signatureOf(result.outputs) };
    });
  let state = zeros(signature.state);
  // As compiling does, this finds errors of the function before the first step.
  const { signature: outputs } = step(state, zeros(signature.inputs));
  const run = async (inputs: HostTensors): Promise<HostTensors> => {
    checkValues(`${name}: input`, inputs, signature.inputs);
    const result = step(state, inputs);
    state = result.state;
    return result.outputs;
  };
  return {
    name,
    signature,
    outputs,
    nodes: 0,
    setState(values) {
      checkPart(name, values, signature.state);
      for (const [key, value] of Object.entries(values)) state[key] = copyOf(value);
    },
    async readState(names = Object.keys(signature.state)) {
      return Object.fromEntries(
        names.map((key) => {
          const value = state[key];
          if (value === undefined) throw new SignatureError(`${name}: there is no state "${key}"`);
          return [key, copyOf(value)];
        }),
      );
    },
    run,
    isAhead: false,
    start: async (inputs) => readyOutputs(await run(inputs)),
    async dispose() {},
  };
}

async function loadGpuBackend(name: string): Promise<void> {
  try {
    await import(/* @vite-ignore */ GPU_PACKAGE);
  } catch (cause) {
    const said = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]!;
    const isAbsent = (cause as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND" && said.includes(GPU_PACKAGE);
    const what = isAbsent
      ? `needs the package ${GPU_PACKAGE} and CUDA; install it with: npm install ${GPU_PACKAGE}`
      : `is not available: ${GPU_PACKAGE} is installed, but does not load: ${said}`;
    throw new DeviceError(`${name}: device "tfjs-gpu" ${what}`, cause);
  }
  const backend = tf.findBackend("tensorflow") as { isUsingGpuDevice?: boolean } | null;
  if (backend === null) {
    throw new DeviceError(
      `${name}: ${GPU_PACKAGE} brought its own copy of TensorFlow.js; install the same version of both`,
    );
  }
  // Its TensorFlow looks for CUDA only when it is loaded, and without it would go on on the CPU.
  if (backend.isUsingGpuDevice === false) {
    const what =
      "found no card: CUDA 11's libraries (libcudart and the others that it names above) or the card are missing";
    throw new DeviceError(
      `${name}: device "tfjs-gpu" is not available: ${GPU_PACKAGE} is installed, but does not load: it ${what}`,
    );
  }
}
