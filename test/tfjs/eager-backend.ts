/**
 * @file An eager form of the engine's backend, for TensorFlow.js's own tests: each kernel call becomes a graph of its own,
 * made by the kernels of src/compile, and runs at once. Graphs are kept by kernel, shapes and attributes.
 */
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import tf from "@tensorflow/tfjs";
import { encodeOnnx } from "../../src/compile/encode-onnx.js";
import { UnsupportedOpError } from "../../src/compile/errors.js";
import { repairGradients } from "../../src/compile/gradients.js";
import { Graph } from "../../src/compile/graph.js";
import { registerAllKernels } from "../../src/compile/kernels/index.js";
import { type DType, type HostTensor, hostArray } from "../../src/compile/session.js";
import { type Kernel, kernelOf, valueType } from "../../src/compile/tracer.js";

export const EAGER_BACKEND = "descry-eager";

interface Stored {
  readonly data: HostTensor["data"];
  readonly dtype: DType;
  references: number;
}

interface Compiled {
  readonly id: number;
  readonly model: Uint8Array;
  readonly outputs: readonly Output[];
  readonly isList: boolean;
}

interface Output {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** The number of the input that the kernel hands through; its memory is shared, as TensorFlow.js's own backends do. */
  readonly sameAs?: number;
}

interface Feed extends HostTensor {
  readonly name: string;
  readonly dtype: DType;
}

/** No graph of a test takes seconds. */
const ANSWER_MS = 60_000;

/** The thread that runs the graphs, asked synchronously. */
class NativeThread {
  private readonly signal = new Int32Array(new SharedArrayBuffer(4));
  private readonly pause = new Int32Array(new SharedArrayBuffer(4));
  private readonly channel = new MessageChannel();
  private readonly worker = new Worker(new URL("native-worker.mjs", import.meta.url), {
    workerData: { port: this.channel.port2, signal: this.signal },
    transferList: [this.channel.port2],
  });

  run({ id, model }: Compiled, feeds: readonly Feed[]): Record<string, HostTensor["data"]> {
    Atomics.store(this.signal, 0, 0);
    this.worker.postMessage({ id, model, feeds });
    if (Atomics.wait(this.signal, 0, 0, ANSWER_MS) === "timed-out")
      throw new Error("the native thread does not answer");
    let answer = receiveMessageOnPort(this.channel.port1);
    // On a busy machine the signal may be seen before the message.
    while (answer === undefined) {
      Atomics.wait(this.pause, 0, 0, 1);
      answer = receiveMessageOnPort(this.channel.port1);
    }
    const { results, error } = answer.message;
    if (error !== undefined) throw new Error(`ONNX Runtime: ${error}`);
    return results;
  }

  stop(): Promise<number> {
    this.channel.port1.close();
    return this.worker.terminate();
  }
}

/** What the tests of the moment have asked for: kernels that ran, and what the engine does not have. */
export class Usage {
  readonly native = new Set<string>();
  readonly unsupported = new Set<string>();

  /** Run `body`; note what the engine says it does not support. */
  expectSupport<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      // What it supports instead comes after a semicolon.
      if (error instanceof UnsupportedOpError) this.unsupported.add(error.message.split(";")[0]!);
      throw error;
    }
  }

  clear(): void {
    this.native.clear();
    this.unsupported.clear();
  }
}

class EagerBackend extends tf.KernelBackend {
  private readonly stored: tf.DataStorage<Stored>;

  constructor(private readonly usage: Usage) {
    super();
    this.stored = new tf.DataStorage(this, tf.engine());
  }

  get(tensor: tf.TensorInfo): Stored {
    return this.stored.get(tensor.dataId);
  }

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: object,
    values: tf.backend_util.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    references: number,
  ): void {
    const type = this.usage.expectSupport(() => valueType(dtype)) as DType;
    const data = hostArray(type, tf.util.sizeFromShape(shape));
    data.set(values as never);
    this.stored.set(dataId, { data, dtype: type, references });
  }

  override readSync(dataId: object): tf.backend_util.BackendValues {
    return this.stored.get(dataId).data.slice();
  }

  override async read(dataId: object): Promise<tf.backend_util.BackendValues> {
    return this.readSync(dataId);
  }

  bufferSync(tensor: tf.TensorInfo) {
    return tf.buffer(tensor.shape as never, tensor.dtype as "float32", this.readSync(tensor.dataId) as Float32Array);
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.stored.has(dataId)) return true;
    const stored = this.stored.get(dataId);
    stored.references--;
    if (!force && stored.references > 0) return false;
    this.stored.delete(dataId);
    return true;
  }

  override refCount(dataId: object): number {
    return this.stored.has(dataId) ? this.stored.get(dataId).references : 0;
  }

  override incRef(dataId: object): void {
    this.stored.get(dataId).references++;
  }

  decRef(dataId: object): void {
    if (this.stored.has(dataId)) this.stored.get(dataId).references--;
  }

  override numDataIds(): number {
    return this.stored.numDataIds();
  }

  override memory() {
    return { unreliable: false };
  }

  override async time(run: () => void) {
    const start = performance.now();
    run();
    return { kernelMs: performance.now() - start };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {}
}

/** Numbers that JSON has no word for must not make two graphs one. */
const exact = (_: string, value: unknown): unknown =>
  typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)) ? `number ${String(value)}` : value;

/** Register the backend, and for every kernel that TensorFlow.js knows the engine's or one that says it is missing. */
export function installEagerBackend(): { usage: Usage; stop(): Promise<number> } {
  registerAllKernels();
  repairGradients();
  const thread = new NativeThread();
  const usage = new Usage();
  const compiled = new Map<string, Compiled>();

  const compile = (
    kernelName: string,
    kernel: Kernel,
    feeds: readonly Feed[],
    attributes: Record<string, unknown>,
  ): Compiled => {
    const graph = new Graph();
    const named = Object.fromEntries(feeds.map(({ name, shape, dtype }) => [name, graph.input(name, shape, dtype)]));
    const result = usage.expectSupport(() => kernel({ graph, inputs: Object.values(named), named, attributes }));
    const values = [result].flat();
    const outputs = values.map((value): Output => {
      const { shape, type } = value;
      if (type === "int64" || type === "float16") throw new Error(`${kernelName} gave ${type}`);
      const sameAs = graph.inputs.indexOf(value);
      return sameAs < 0 ? { shape, dtype: type } : { shape, dtype: type, sameAs };
    });
    const { model } = encodeOnnx(
      graph,
      values.map((value, i) => ({ name: `y${i}`, value })),
      kernelName,
    );
    return { id: compiled.size, model, outputs, isList: Array.isArray(result) };
  };

  const kernelFunction =
    (kernelName: string): tf.KernelFunc =>
    ({ inputs, attrs, backend }) => {
      const kernel = kernelOf(kernelName);
      if (kernel === undefined) {
        usage.unsupported.add(kernelName);
        throw new UnsupportedOpError(`the TensorFlow.js kernel ${kernelName} cannot be compiled`);
      }
      const eager = backend as EagerBackend;
      const given = Object.entries(inputs as Record<string, tf.TensorInfo | null | undefined>).filter(
        (entry): entry is [string, tf.TensorInfo] => entry[1] !== undefined && entry[1] !== null,
      );
      const feeds = given.map(([name, tensor]): Feed => {
        const { data, dtype } = eager.get(tensor);
        return { name, data, dtype, shape: tensor.shape };
      });
      const attributes = (attrs ?? {}) as Record<string, unknown>;
      const signature = feeds.map(({ name, dtype, shape }) => [name, dtype, shape]);
      const key = kernelName + JSON.stringify([signature, attributes], exact);
      let graph = compiled.get(key);
      if (graph === undefined) {
        graph = compile(kernelName, kernel, feeds, attributes);
        compiled.set(key, graph);
      }
      const isShared = graph.outputs.every(({ sameAs }) => sameAs !== undefined);
      const results = isShared ? {} : thread.run(graph, feeds);
      if (!isShared) usage.native.add(kernelName);
      const infos = graph.outputs.map(({ shape, dtype, sameAs }, i) => {
        const info = { shape: [...shape], dtype };
        if (sameAs === undefined) return { ...info, dataId: eager.write(results[`y${i}`]!, info.shape, dtype) };
        const { dataId } = given[sameAs]![1];
        eager.incRef(dataId);
        return { ...info, dataId };
      });
      return graph.isList ? infos : infos[0]!;
    };

  tf.registerBackend(EAGER_BACKEND, () => new EagerBackend(usage), 0);
  for (const { kernelName } of tf.getKernelsForBackend("cpu")) {
    tf.registerKernel({ kernelName, backendName: EAGER_BACKEND, kernelFunc: kernelFunction(kernelName) });
  }
  return { usage, stop: () => thread.stop() };
}
