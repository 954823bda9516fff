/**
 * @file A TensorFlow.js backend that records instead of computing: each kernel infers the shape of its result and appends
 * nodes to the graph being traced. TensorFlow.js's own gradient registry runs on top, so a backward pass is recorded like
 * any other code.
 *
 * Registered once per process under the name "descry-trace"; it is the current backend only while `trace` runs.
 */
import tf from "@tensorflow/tfjs";
import { CompileError, UnsupportedOpError } from "./errors.js";
import { Graph, type GraphValue, type ValueType } from "./graph.js";

export const TRACE_BACKEND = "descry-trace";

/** A tensor's identity for TensorFlow.js. Each tensor has its own, so that its bookkeeping stays separate. */
class Handle {
  constructor(readonly value: GraphValue) {}
}

interface ActiveTrace {
  readonly name: string;
  readonly graph: Graph;
}

let active: ActiveTrace | undefined;

function activeTrace(): ActiveTrace {
  if (active === undefined)
    throw new CompileError("CompileError", "a traced tensor was used after its trace had ended");
  return active;
}

/** What a kernel gets: the graph, its inputs as values, and the attributes that TensorFlow.js passed. */
export interface KernelContext {
  readonly graph: Graph;
  readonly inputs: readonly GraphValue[];
  /** Inputs by TensorFlow.js's name; an optional one may be absent. */
  readonly named: Readonly<Record<string, GraphValue>>;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export type Kernel = (context: KernelContext) => GraphValue | readonly GraphValue[];

export const tensorInfo = (value: GraphValue): tf.TensorInfo => {
  if (value.type === "int64" || value.type === "float16") {
    throw new CompileError("CompileError", `${value.type} values are internal to the graph`);
  }
  return { dataId: new Handle(value), shape: [...value.shape], dtype: value.type };
};

export const graphValue = (tensor: tf.TensorInfo): GraphValue => {
  const handle: unknown = tensor.dataId;
  if (!(handle instanceof Handle)) {
    throw outsideError();
  }
  return handle.value;
};

/** A TensorFlow.js dtype as a value's type. @throws {UnsupportedOpError} string and complex64. */
export const valueType = (dtype: unknown): ValueType => {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new UnsupportedOpError(`dtype "${dtype}" cannot be compiled; supported: float32, int32, bool`);
};

const outsideError = () =>
  new CompileError(
    "CompileError",
    `${active?.name ?? "trace"}: a tensor made outside the traced function was used in it; pass it as an input, or make it inside`,
  );

class TracerBackend extends tf.KernelBackend {
  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    const { graph, name } = activeTrace();
    try {
      return new Handle(graph.constant(values as unknown as ArrayLike<number>, shape, valueType(dtype)));
    } catch (cause) {
      if (cause instanceof RangeError) throw new CompileError("CompileError", `${name}: ${cause.message}`, cause);
      throw cause;
    }
  }

  override move(): void {
    throw outsideError();
  }

  override readSync(): never {
    throw new CompileError(
      "CompileError",
      `${active?.name ?? "trace"}: the values of a tensor were read while tracing; they are not known yet (no dataSync, arraySync or print)`,
    );
  }

  override read(): never {
    return this.readSync();
  }

  // Memory is the graph's: TensorFlow.js may dispose what it likes.
  override disposeData(): boolean {
    return false;
  }
  override refCount(): number {
    return 1;
  }
  override incRef(): void {}
  decRef(): void {}
  override numDataIds(): number {
    return 0;
  }
  override memory() {
    return { unreliable: true };
  }
  override timerAvailable(): boolean {
    return false;
  }
  override floatPrecision(): 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override dispose(): void {}
}

const kernels = new Map<string, Kernel>();

/** Add kernels under TensorFlow.js's kernel names. */
export function registerKernels(table: Readonly<Record<string, Kernel>>): void {
  for (const [name, kernel] of Object.entries(table)) kernels.set(name, kernel);
}

/** The names of the TensorFlow.js kernels that can be compiled, sorted. */
export function supportedKernels(): string[] {
  return [...kernels.keys()].sort();
}

/** The kernel that compiles a TensorFlow.js kernel, where there is one. */
export const kernelOf = (name: string): Kernel | undefined => kernels.get(name);

let installed = false;

/** Register the backend and, for every kernel that TensorFlow.js knows, either ours or one that says it is missing. */
function install(): void {
  if (installed) return;
  installed = true;
  tf.registerBackend(TRACE_BACKEND, () => new TracerBackend(), 0);
  const known = new Set([...tf.getKernelsForBackend("cpu").map(({ kernelName }) => kernelName), ...kernels.keys()]);
  for (const kernelName of known) {
    tf.registerKernel({ kernelName, backendName: TRACE_BACKEND, kernelFunc: kernelFunction(kernelName) });
  }
}

function kernelFunction(kernelName: string): tf.KernelFunc {
  const kernel = kernels.get(kernelName);
  return ({ inputs, attrs }) => {
    const { graph, name } = activeTrace();
    if (kernel === undefined) {
      throw new UnsupportedOpError(
        `${name}: the TensorFlow.js kernel ${kernelName} cannot be compiled; supported: ${supportedKernels().join(", ")}`,
      );
    }
    const named: Record<string, GraphValue> = {};
    for (const [key, tensor] of Object.entries(inputs as Record<string, tf.TensorInfo | undefined>)) {
      if (tensor !== undefined && tensor !== null) named[key] = graphValue(tensor);
    }
    try {
      const result = kernel({ graph, inputs: Object.values(named), named, attributes: (attrs ?? {}) as never });
      return Array.isArray(result) ? result.map(tensorInfo) : tensorInfo(result as GraphValue);
    } catch (cause) {
      if (cause instanceof CompileError && cause.message.startsWith(`${name}:`)) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      if (cause instanceof UnsupportedOpError)
        throw new UnsupportedOpError(`${name}: ${kernelName}: ${message}`, cause);
      throw new CompileError("CompileError", `${name}: ${kernelName}: ${message}`, cause);
    }
  };
}

/** A traced function: its graph, and its results by name. */
export interface Trace<Result> {
  readonly graph: Graph;
  readonly result: Result;
}

/**
 * Run `body` with the recording backend as the current one.
 *
 * @param name shown in every error of the trace.
 * @param body gets a factory for input tensors; synchronous, as tracing is.
 */
export function trace<Result>(
  name: string,
  body: (input: (name: string, shape: readonly number[], dtype: tf.DataType) => tf.Tensor) => Result,
): Trace<Result> {
  install();
  if (active !== undefined) {
    throw new CompileError("CompileError", `${name}: tracing was started inside the trace of ${active.name}`);
  }
  const before = tf.getBackend() as string | undefined;
  const graph = new Graph();
  active = { name, graph };
  const engine = tf.engine();
  try {
    tf.setBackend(TRACE_BACKEND);
    engine.startScope(name);
    const result = body((inputName, shape, dtype) => {
      const value = graph.input(inputName, shape, valueType(dtype));
      const info = tensorInfo(value);
      return engine.makeTensorFromDataId(info.dataId as never, [...shape], dtype);
    });
    return { graph, result };
  } finally {
    engine.endScope();
    active = undefined;
    if (before !== undefined && before !== TRACE_BACKEND) tf.setBackend(before);
  }
}
