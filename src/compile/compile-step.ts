/**
 * @file A function of (state, inputs) compiled into one native graph that keeps its state between runs.
 *
 * State that is only updated element by element (an optimizer, a moving average) is updated in place, by loops that run after
 * the graph. Other state lives in two sets of buffers: a run reads one and writes the other, then they change places. So no
 * run allocates or copies state, and one that fails leaves it as it was. State that the function returns as it came (a frozen
 * parameter) costs nothing.
 */
import tf from "@tensorflow/tfjs";
import { encodeOnnx, type NamedOutput } from "./encode-onnx.js";
import { CompileError, DeviceError, SignatureError } from "./errors.js";
import { repairSecondDerivatives } from "./gradients.js";
import { sameShape, sizeOf } from "./graph.js";
import { registerAllKernels } from "./kernels/index.js";
import { planUpdates, type ScalarSource, type UpdatePlan } from "./plan-updates.js";
import {
  type HostTensor,
  type HostTensors,
  hostArray,
  hostTensor,
  type NativeTensor,
  openSession,
  ortTensor,
  runSession,
  type Session,
} from "./session.js";
import { checkValues, dtypeOf, type Signature, signatureOf, type TensorSpec, type Tensors } from "./signature.js";
import { layOutUpdates, type StateMemory } from "./state-memory.js";
import { graphValue, trace } from "./tracer.js";

/** `cpu`: compiled, native. `tfjs-cpu`: the same function run eagerly by TensorFlow.js; slow, an oracle. */
export type Device = "cpu" | "tfjs-cpu";

export const DEVICES: readonly Device[] = ["cpu", "tfjs-cpu"];

export interface CompileOptions {
  /** Shown in every error. */
  readonly name: string;
  /** Default "cpu". */
  readonly device?: Device;
  /** Threads of one operator; 0 or absent: all that the process may use. */
  readonly threads?: number;
}

export interface StepSignature {
  readonly state: Signature;
  readonly inputs: Signature;
}

export interface StepResult {
  readonly state: Tensors;
  readonly outputs: Tensors;
}

/** A compiled step. Runs must not overlap: await one before the next. */
export interface CompiledStep {
  readonly name: string;
  readonly signature: StepSignature;
  readonly outputs: Signature;
  /** Nodes of the compiled graph; 0 where the function runs eagerly. */
  readonly nodes: number;
  /** Copy values into the state: all of it, or the named part. @throws {SignatureError} before anything is changed. */
  setState(values: HostTensors): void;
  /** Copies of the current state: all of it, or the named part. */
  readState(names?: readonly string[]): Promise<HostTensors>;
  /** One step. The results are the caller's. @throws {SignatureError} before anything runs. */
  run(inputs: HostTensors): Promise<HostTensors>;
  dispose(): Promise<void>;
}

/**
 * Compile a step.
 *
 * `fn` is plain TensorFlow.js over tensors of static shape; it may take gradients (`tf.grads`, `tf.variableGrads` do not
 * apply: there are no variables), is called once, and must not read values. It returns the next state under the same
 * names, shapes and types, and any outputs. The compiled step is a pure function of (state, inputs): the same bits each time.
 *
 * @throws {UnsupportedOpError} a kernel that cannot be compiled, by name.
 * @throws {SignatureError} a next state that does not fit the state.
 */
export async function compileStep(
  fn: (state: Tensors, inputs: Tensors) => StepResult,
  signature: StepSignature,
  options: CompileOptions,
): Promise<CompiledStep> {
  repairSecondDerivatives();
  const device = options.device ?? "cpu";
  if (device === "tfjs-cpu") return eagerStep(fn, signature, options);
  if (device !== "cpu") {
    throw new DeviceError(`${options.name}: unknown device "${device as string}"; there are: ${DEVICES.join(", ")}`);
  }
  registerAllKernels();
  const { name } = options;
  const { graph, result } = trace(name, (input) => {
    const make = (specs: Signature, prefix: string): Tensors =>
      Object.fromEntries(
        Object.entries(specs).map(([key, spec]) => [key, input(`${prefix}${key}`, spec.shape, dtypeOf(spec))]),
      );
    const state = make(signature.state, "state/");
    const step = fn(state, make(signature.inputs, "in/"));
    checkNextState(name, step.state, signature.state);
    return {
      given: Object.fromEntries(Object.entries(state).map(([key, tensor]) => [key, graphValue(tensor)])),
      next: Object.fromEntries(Object.entries(step.state).map(([key, tensor]) => [key, graphValue(tensor)])),
      outputs: Object.fromEntries(Object.entries(step.outputs).map(([key, tensor]) => [key, graphValue(tensor)])),
      signature: signatureOf(step.outputs),
    };
  });
  const plan = planUpdates(graph, result.given, result.next, Object.values(result.outputs));
  const changing = Object.keys(signature.state).filter((key) => result.next[key] !== result.given[key]);
  const swapped = changing.filter((key) => !plan.keys.has(key));
  const wanted: NamedOutput[] = [
    ...swapped.map((key) => ({ name: `next/${key}`, value: result.next[key]! })),
    ...Object.entries(result.outputs).map(([key, value]) => ({ name: `out/${key}`, value })),
    ...[...plan.edges].map(([edge, value]) => ({ name: edge, value })),
  ];
  if (wanted.length === 0) throw new CompileError("CompileError", `${name}: the function changes and returns nothing`);
  const { model, nodes } = encodeOnnx(graph, wanted, name);
  const session = await openSession(model, options.threads === undefined ? {} : { threads: options.threads });
  return new NativeStep(
    name,
    signature,
    result.signature,
    nodes,
    session,
    swapped,
    plan,
    await layOutUpdates(plan.loops),
  );
}

function checkNextState(name: string, next: Tensors, state: Signature): void {
  for (const [key, spec] of Object.entries(state)) {
    const tensor = next[key];
    if (tensor === undefined) throw new SignatureError(`${name}: the next state lacks "${key}"`);
    if (!sameShape(tensor.shape, spec.shape) || tensor.dtype !== dtypeOf(spec)) {
      throw new SignatureError(
        `${name}: next state "${key}" is ${tensor.dtype}[${tensor.shape}], the state ${dtypeOf(spec)}[${spec.shape}]`,
      );
    }
  }
  for (const key of Object.keys(next)) {
    if (!(key in state)) throw new SignatureError(`${name}: the next state has "${key}", which the state has not`);
  }
}

/** A part of the state to write: known names only, each of the right shape and type. */
function checkPart(name: string, values: HostTensors, state: Signature): void {
  for (const key of Object.keys(values)) {
    if (!(key in state)) throw new SignatureError(`${name}: there is no state "${key}"`);
  }
  checkValues(`${name}: state`, values, Object.fromEntries(Object.keys(values).map((key) => [key, state[key]!])));
}

const copyOf = (value: HostTensor): HostTensor => ({ data: value.data.slice(), shape: [...value.shape] });

class NativeStep implements CompiledStep {
  private readonly sides: readonly [Record<string, NativeTensor>, Record<string, NativeTensor>];
  private readonly edges: Record<string, NativeTensor | null>;
  private current: 0 | 1 = 0;
  private running = false;
  private released = false;

  /**
   * @param swapped state that the graph computes: it has two sides.
   * @param memory  state that loops update in place, and what the graph computes for them.
   */
  constructor(
    readonly name: string,
    readonly signature: StepSignature,
    readonly outputs: Signature,
    readonly nodes: number,
    private readonly session: Session,
    private readonly swapped: readonly string[],
    { edges }: UpdatePlan,
    private readonly memory: StateMemory,
  ) {
    const tensor = (key: string, { shape, ...spec }: TensorSpec): NativeTensor =>
      ortTensor(
        dtypeOf({ shape, ...spec }),
        memory.state[key] ?? hostArray(dtypeOf({ shape, ...spec }), sizeOf(shape)),
        shape,
      );
    const first = Object.fromEntries(Object.entries(signature.state).map(([key, spec]) => [key, tensor(key, spec)]));
    const second = { ...first, ...Object.fromEntries(swapped.map((key) => [key, tensor(key, signature.state[key]!)])) };
    this.sides = [first, second];
    this.edges = Object.fromEntries(
      [...edges].map(([edge, { shape }]) => {
        const array = memory.edges[edge];
        return [edge, array === undefined ? null : ortTensor("float32", array, shape)];
      }),
    );
  }

  setState(values: HostTensors): void {
    this.check();
    checkPart(this.name, values, this.signature.state);
    const side = this.sides[this.current];
    for (const [key, value] of Object.entries(values)) hostTensor(side[key]!).data.set(value.data as never);
  }

  async readState(names: readonly string[] = Object.keys(this.signature.state)): Promise<HostTensors> {
    this.check();
    const side = this.sides[this.current];
    return Object.fromEntries(
      names.map((key) => {
        const tensor = side[key];
        if (tensor === undefined) throw new SignatureError(`${this.name}: there is no state "${key}"`);
        return [key, copyOf(hostTensor(tensor))];
      }),
    );
  }

  async run(inputs: HostTensors): Promise<HostTensors> {
    this.check();
    checkValues(`${this.name}: input`, inputs, this.signature.inputs);
    const now = this.sides[this.current];
    const next = this.sides[this.current === 0 ? 1 : 0];
    const feeds: Record<string, NativeTensor> = {};
    const known = new Set(this.session.inputNames);
    for (const [key, tensor] of Object.entries(now)) if (known.has(`state/${key}`)) feeds[`state/${key}`] = tensor;
    for (const [key, spec] of Object.entries(this.signature.inputs)) {
      if (known.has(`in/${key}`)) feeds[`in/${key}`] = ortTensor(dtypeOf(spec), inputs[key]!.data, spec.shape);
    }
    const fetches: Record<string, NativeTensor | null> = { ...this.edges };
    for (const key of this.swapped) fetches[`next/${key}`] = next[key]!;
    for (const key of Object.keys(this.outputs)) fetches[`out/${key}`] = null;
    this.running = true;
    try {
      const results = await runSession(this.session, feeds, fetches, this.name);
      const numberOf = (source: ScalarSource): number => {
        if ("constant" in source) return source.constant;
        if ("edge" in source) return hostTensor(results[source.edge]!).data[0]!;
        const [room, key] = [
          source.input.slice(0, source.input.indexOf("/")),
          source.input.slice(source.input.indexOf("/") + 1),
        ];
        return (room === "in" ? inputs[key]! : hostTensor(now[key]!)).data[0]!;
      };
      this.memory.update((loop) => loop.scalars.map(numberOf));
      this.current = this.current === 0 ? 1 : 0;
      return Object.fromEntries(Object.keys(this.outputs).map((key) => [key, hostTensor(results[`out/${key}`]!)]));
    } finally {
      this.running = false;
    }
  }

  async dispose(): Promise<void> {
    if (this.released) return;
    this.check();
    this.released = true;
    await this.session.release();
  }

  private check(): void {
    if (this.released) throw new CompileError("CompileError", `${this.name}: used after dispose()`);
    if (this.running)
      throw new CompileError("CompileError", `${this.name}: used while a run is under way; await it first`);
  }
}

/** The same function, run by TensorFlow.js itself. */
async function eagerStep(
  fn: (state: Tensors, inputs: Tensors) => StepResult,
  signature: StepSignature,
  { name }: CompileOptions,
): Promise<CompiledStep> {
  const withCpu = <T>(body: () => T): T => {
    const before = tf.getBackend() as string | undefined;
    if (!tf.setBackend("cpu")) throw new DeviceError(`${name}: TensorFlow.js has no CPU backend`);
    try {
      return tf.tidy(body as () => never);
    } finally {
      if (before !== undefined && before !== "cpu") tf.setBackend(before);
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
    withCpu(() => {
      const result = fn(tensors(state, signature.state), tensors(inputs, signature.inputs));
      checkNextState(name, result.state, signature.state);
      return { state: hosts(result.state), outputs: hosts(result.outputs), signature: signatureOf(result.outputs) };
    });
  let state = zeros(signature.state);
  // As compiling does, this finds errors of the function before the first step.
  const { signature: outputs } = step(state, zeros(signature.inputs));
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
    async run(inputs) {
      checkValues(`${name}: input`, inputs, signature.inputs);
      const result = step(state, inputs);
      state = result.state;
      return result.outputs;
    },
    async dispose() {},
  };
}
