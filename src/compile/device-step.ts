/**
 * @file A step whose state stays on a GPU (WebGPU): what a run writes is what the next one reads, and only inputs and outputs
 * travel. The whole step, optimizer included, is one graph. Where there is state, outputs stay on the card too until they are
 * read: ONNX Runtime then returns once its commands are queued, and the host goes on while the card works.
 */
import { encodeOnnx, type NamedOutput } from "./encode-onnx.js";
import { CompileError, DeviceError, SignatureError } from "./errors.js";
import { Graph, sizeOf } from "./graph.js";
import { halfProducts } from "./half-products.js";
import type { Rule } from "./rewrite.js";
import {
  type HostTensors,
  hostArray,
  hostTensor,
  type NativeTensor,
  openSession,
  ortTensor,
  runSession,
  type Session,
} from "./session.js";
import { checkValues, dtypeOf, type Signature, type TensorSpec } from "./signature.js";
import {
  type CompiledStep,
  type CompileOptions,
  checkPart,
  copyOf,
  type PendingOutputs,
  readyOutputs,
  type StepFunction,
  type StepSignature,
} from "./step.js";
import { traceStep } from "./trace-step.js";
import { webgpuForms } from "./webgpu-forms.js";

/**
 * Terms that ONNX Runtime's WebGPU kernels may add up in float16. Measured on sums of products of normal numbers: 256 terms lose
 * 0.23 % of the result, as much as rounding the operands to bfloat16 does; 768 lose 0.41 %, 3072 0.8 %, 16384 1.9 %.
 */
const LONGEST_HALF_SUM = 256;

/** Compile a step for WebGPU. @throws {DeviceError} there is no adapter. */
export async function openDeviceStep(
  fn: StepFunction,
  signature: StepSignature,
  { name, threads, products }: CompileOptions,
): Promise<CompiledStep> {
  const rules: Rule[] = [webgpuForms];
  if (products === "float16") {
    await checkHalf(name);
    rules.unshift(halfProducts({ longestSum: LONGEST_HALF_SUM }));
  }
  const { graph, next, outputs, outputSignature, changing } = traceStep(fn, signature, name, rules);
  const wanted: NamedOutput[] = [
    ...changing.map((key) => ({ name: `next/${key}`, value: next[key]! })),
    ...Object.entries(outputs).map(([key, value]) => ({ name: `out/${key}`, value })),
  ];
  if (wanted.length === 0) throw new CompileError("CompileError", `${name}: the function changes and returns nothing`);
  const { model, nodes } = encodeOnnx(graph, wanted, name);
  const hasState = changing.length > 0;
  const session = await openSession(model, {
    device: "webgpu",
    keepOnDevice: hasState ? wanted.map(({ name }) => name) : [],
    ...(threads === undefined ? {} : { threads }),
  });
  const transfer = await openTransfers(signature.state, hasState ? outputSignature : {}, name).catch(async (error) => {
    await session.release();
    throw error;
  });
  return new DeviceStep(name, signature, outputSignature, nodes, session, changing, transfer);
}

/** @throws {DeviceError} a card or driver whose shaders have no float16: ONNX Runtime would only say so in the first run. */
async function checkHalf(name: string): Promise<void> {
  const graph = new Graph();
  const x = graph.input("x", [1], "float32");
  const half = graph.op("Cast", [x], [1], "float16", { to: 10 });
  const { model } = encodeOnnx(
    graph,
    [{ name: "y", value: graph.op("Cast", [half], [1], "float32", { to: 1 }) }],
    name,
  );
  const session = await openSession(model, { device: "webgpu" });
  try {
    await runSession(session, { x: ortTensor("float32", new Float32Array(1), [1]) }, { y: null }, name);
  } catch (cause) {
    const what = "the graphics card or its driver has no float16 in shaders (WebGPU's shader-f16): use float32";
    throw new DeviceError(`${name}: float16 products: ${what}`, cause);
  } finally {
    await session.release();
  }
}

/** Sessions that copy tensors, because a device tensor cannot be made from, or read into, host memory directly. */
interface Transfers {
  readonly upload: Session | undefined;
  readonly download: Session | undefined;
  /** Of outputs. */
  readonly home: Session | undefined;
}

async function openTransfers(state: Signature, outputs: Signature, name: string): Promise<Transfers> {
  const opened: Session[] = [];
  const open = async (tensors: Signature, what: string, isKept: boolean): Promise<Session | undefined> => {
    if (Object.keys(tensors).length === 0) return undefined;
    const graph = new Graph();
    const copies = Object.entries(tensors).map(([key, spec]) => ({
      name: `to/${key}`,
      value: graph.input(`from/${key}`, spec.shape, dtypeOf(spec)),
    }));
    const { model } = encodeOnnx(graph, copies, `${name}: transfer of ${what}`);
    const keepOnDevice = isKept ? copies.map((copy) => copy.name) : [];
    const session = await openSession(model, { device: "webgpu", ...(isKept ? { keepOnDevice } : {}) });
    opened.push(session);
    return session;
  };
  try {
    return {
      upload: await open(state, "state", true),
      download: await open(state, "state", false),
      home: await open(outputs, "outputs", false),
    };
  } catch (error) {
    for (const session of opened) await session.release();
    throw error;
  }
}

class DeviceStep implements CompiledStep {
  /** On the device, except what `setState` wrote last: that is on the host until the next run. */
  private readonly state: Record<string, NativeTensor>;
  private readonly known: ReadonlySet<string>;
  /** Outputs on the device that nobody has read yet. */
  private readonly unread = new Set<readonly NativeTensor[]>();
  private running = false;
  private released = false;

  constructor(
    readonly name: string,
    readonly signature: StepSignature,
    readonly outputs: Signature,
    readonly nodes: number,
    private readonly session: Session,
    private readonly changing: readonly string[],
    private readonly transfers: Transfers,
  ) {
    const zeros = ({ shape, ...spec }: TensorSpec): NativeTensor => {
      const dtype = dtypeOf({ shape, ...spec });
      return ortTensor(dtype, hostArray(dtype, sizeOf(shape)), shape);
    };
    this.state = Object.fromEntries(Object.entries(signature.state).map(([key, spec]) => [key, zeros(spec)]));
    this.known = new Set(session.inputNames);
  }

  setState(values: HostTensors): void {
    this.check();
    checkPart(this.name, values, this.signature.state);
    for (const [key, { data }] of Object.entries(values)) {
      const spec = this.signature.state[key]!;
      this.replace(key, ortTensor(dtypeOf(spec), data.slice(), spec.shape));
    }
  }

  async readState(names: readonly string[] = Object.keys(this.signature.state)): Promise<HostTensors> {
    this.check();
    for (const key of names) {
      if (!Object.hasOwn(this.state, key)) throw new SignatureError(`${this.name}: there is no state "${key}"`);
    }
    if (names.length === 0) return {};
    this.running = true;
    try {
      const copies = await this.transfer(this.transfers.download!, names);
      return Object.fromEntries(names.map((key) => [key, copyOf(hostTensor(copies[key]!))]));
    } finally {
      this.running = false;
    }
  }

  get isAhead(): boolean {
    return this.transfers.home !== undefined;
  }

  async run(inputs: HostTensors): Promise<HostTensors> {
    return (await this.start(inputs)).read();
  }

  async start(inputs: HostTensors): Promise<PendingOutputs> {
    this.check();
    checkValues(`${this.name}: input`, inputs, this.signature.inputs);
    this.running = true;
    try {
      await this.uploadFrozen();
      const feeds: Record<string, NativeTensor> = {};
      for (const [key, tensor] of Object.entries(this.state)) {
        if (this.known.has(`state/${key}`)) feeds[`state/${key}`] = tensor;
      }
      for (const [key, spec] of Object.entries(this.signature.inputs)) {
        if (this.known.has(`in/${key}`)) feeds[`in/${key}`] = ortTensor(dtypeOf(spec), inputs[key]!.data, spec.shape);
      }
      const fetches = Object.fromEntries(this.session.outputNames.map((output) => [output, null]));
      const results = await runSession(this.session, feeds, fetches, this.name);
      for (const key of this.changing) this.replace(key, results[`next/${key}`]!);
      const outputs = Object.fromEntries(Object.keys(this.outputs).map((key) => [key, results[`out/${key}`]!]));
      return this.isAhead
        ? this.pending(outputs as Record<string, NativeTensor>)
        : readyOutputs(Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, hostTensor(value)])));
    } finally {
      this.running = false;
    }
  }

  private pending(outputs: Readonly<Record<string, NativeTensor>>): PendingOutputs {
    const tensors = Object.values(outputs);
    this.unread.add(tensors);
    return {
      read: async () => {
        this.check();
        if (!this.unread.delete(tensors))
          throw new CompileError("CompileError", `${this.name}: outputs were read twice`);
        this.running = true;
        try {
          const feeds = Object.fromEntries(Object.entries(outputs).map(([key, tensor]) => [`from/${key}`, tensor]));
          const fetches = Object.fromEntries(Object.keys(outputs).map((key) => [`to/${key}`, null]));
          const results = await runSession(this.transfers.home!, feeds, fetches, `${this.name}: transfer of outputs`);
          return Object.fromEntries(Object.keys(outputs).map((key) => [key, hostTensor(results[`to/${key}`]!)]));
        } finally {
          this.running = false;
          for (const tensor of tensors) tensor.dispose();
        }
      },
    };
  }

  async dispose(): Promise<void> {
    if (this.released) return;
    this.check();
    this.released = true;
    for (const tensor of [...Object.values(this.state), ...[...this.unread].flat()]) tensor.dispose();
    const { upload, download, home } = this.transfers;
    for (const session of [this.session, upload, download, home]) await session?.release();
  }

  /** State that no run replaces would be sent again with each run: send it once. */
  private async uploadFrozen(): Promise<void> {
    const changing = new Set(this.changing);
    const waiting = Object.entries(this.state).filter(
      ([key, { location }]) => !changing.has(key) && location === "cpu",
    );
    if (waiting.length === 0) return;
    const keys = waiting.map(([key]) => key);
    const uploaded = await this.transfer(this.transfers.upload!, keys);
    for (const key of keys) this.replace(key, uploaded[key]!);
  }

  private async transfer(session: Session, keys: readonly string[]): Promise<Record<string, NativeTensor>> {
    const feeds = Object.fromEntries(Object.entries(this.state).map(([key, tensor]) => [`from/${key}`, tensor]));
    const fetches = Object.fromEntries(keys.map((key) => [`to/${key}`, null]));
    const results = await runSession(session, feeds, fetches, `${this.name}: transfer of state`);
    return Object.fromEntries(keys.map((key) => [key, results[`to/${key}`]!]));
  }

  private replace(key: string, tensor: NativeTensor): void {
    this.state[key]!.dispose();
    this.state[key] = tensor;
  }

  private check(): void {
    if (this.released) throw new CompileError("CompileError", `${this.name}: used after dispose()`);
    if (this.running)
      throw new CompileError("CompileError", `${this.name}: used while a run is under way; await it first`);
  }
}
