/**
 * @file A step whose state is in host memory.
 *
 * State that is only updated element by element (an optimizer, a moving average) is updated in place, by loops that run after
 * the graph. Other state lives in two sets of buffers: a run reads one and writes the other, then they change places. So no
 * run allocates or copies state, and one that fails leaves it as it was. State that the function returns as it came (a frozen
 * parameter) costs nothing.
 *
 * On `cuda` the graph runs on the card and the loops on the host: parameters go there and gradients come back each step, because
 * ONNX Runtime's Node binding cannot hold CUDA tensors.
 */
import { encodeOnnx, type NamedOutput } from "./encode-onnx.js";
import { CompileError, SignatureError } from "./errors.js";
import { sizeOf } from "./graph.js";
import { halfProducts } from "./half-products.js";
import { planUpdates, type ScalarSource, type UpdatePlan } from "./plan-updates.js";
import { type HostSession, type HostTensor, type HostTensors, hostArray, openHostSession } from "./session.js";
import { checkValues, dtypeOf, type Signature, type TensorSpec } from "./signature.js";
import { layOutUpdates, type StateMemory } from "./state-memory.js";
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

/** Compile a step for the CPU, or for CUDA with the state on the host. */
export async function openNativeStep(
  fn: StepFunction,
  signature: StepSignature,
  { name, threads, products }: CompileOptions,
  device: "cpu" | "cuda",
): Promise<CompiledStep> {
  const rules = products === "float16" ? [halfProducts({ isEmulated: device === "cpu" })] : [];
  const { graph, given, next, outputs, outputSignature, changing } = traceStep(fn, signature, name, rules);
  const plan = planUpdates(graph, given, next, Object.values(outputs));
  const swapped = changing.filter((key) => !plan.keys.has(key));
  const wanted: NamedOutput[] = [
    ...swapped.map((key) => ({ name: `next/${key}`, value: next[key]! })),
    ...Object.entries(outputs).map(([key, value]) => ({ name: `out/${key}`, value })),
    ...[...plan.edges].map(([edge, value]) => ({ name: edge, value })),
  ];
  if (wanted.length === 0) throw new CompileError("CompileError", `${name}: the function changes and returns nothing`);
  const { model, nodes } = encodeOnnx(graph, wanted, name);
  const session = await openHostSession(model, device, threads === undefined ? {} : { threads });
  const memory = await layOutUpdates(plan.loops);
  return new NativeStep(name, signature, outputSignature, nodes, session, swapped, plan, memory);
}

class NativeStep implements CompiledStep {
  readonly isAhead = false;
  private readonly sides: readonly [HostTensors, HostTensors];
  private readonly edges: HostTensors;
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
    private readonly session: HostSession,
    private readonly swapped: readonly string[],
    { edges }: UpdatePlan,
    private readonly memory: StateMemory,
  ) {
    const tensor = (key: string, spec: TensorSpec): HostTensor => ({
      data: memory.state[key] ?? hostArray(dtypeOf(spec), sizeOf(spec.shape)),
      shape: spec.shape,
    });
    const first = Object.fromEntries(Object.entries(signature.state).map(([key, spec]) => [key, tensor(key, spec)]));
    const second = { ...first, ...Object.fromEntries(swapped.map((key) => [key, tensor(key, signature.state[key]!)])) };
    this.sides = [first, second];
    this.edges = Object.fromEntries(
      [...edges].map(([edge, { shape }]) => [
        edge,
        { data: memory.edges[edge] ?? hostArray("float32", sizeOf(shape)), shape },
      ]),
    );
  }

  setState(values: HostTensors): void {
    this.check();
    checkPart(this.name, values, this.signature.state);
    const side = this.sides[this.current];
    for (const [key, value] of Object.entries(values)) side[key]!.data.set(value.data as never);
  }

  async readState(names: readonly string[] = Object.keys(this.signature.state)): Promise<HostTensors> {
    this.check();
    const side = this.sides[this.current];
    return Object.fromEntries(
      names.map((key) => {
        const tensor = side[key];
        if (tensor === undefined) throw new SignatureError(`${this.name}: there is no state "${key}"`);
        return [key, copyOf(tensor)];
      }),
    );
  }

  async run(inputs: HostTensors): Promise<HostTensors> {
    this.check();
    checkValues(`${this.name}: input`, inputs, this.signature.inputs);
    const now = this.sides[this.current];
    const next = this.sides[this.current === 0 ? 1 : 0];
    const feeds: Record<string, HostTensor> = {};
    const known = new Set(this.session.inputNames);
    for (const [key, tensor] of Object.entries(now)) if (known.has(`state/${key}`)) feeds[`state/${key}`] = tensor;
    for (const [key, spec] of Object.entries(this.signature.inputs)) {
      if (known.has(`in/${key}`)) feeds[`in/${key}`] = { data: inputs[key]!.data, shape: spec.shape };
    }
    const outputs = Object.fromEntries(
      Object.entries(this.outputs).map(([key, spec]): [string, HostTensor] => [
        key,
        { data: hostArray(dtypeOf(spec), sizeOf(spec.shape)), shape: spec.shape },
      ]),
    );
    const results: Record<string, HostTensor> = { ...this.edges };
    for (const key of this.swapped) results[`next/${key}`] = next[key]!;
    for (const [key, output] of Object.entries(outputs)) results[`out/${key}`] = output;
    this.running = true;
    try {
      await this.session.run(feeds, results, this.name);
      const numberOf = (source: ScalarSource): number => {
        if ("constant" in source) return source.constant;
        if ("edge" in source) return results[source.edge]!.data[0]!;
        const [room, key] = [
          source.input.slice(0, source.input.indexOf("/")),
          source.input.slice(source.input.indexOf("/") + 1),
        ];
        return (room === "in" ? inputs[key]! : now[key]!).data[0]!;
      };
      this.memory.update((loop) => loop.scalars.map(numberOf));
      this.current = this.current === 0 ? 1 : 0;
      return outputs;
    } finally {
      this.running = false;
    }
  }

  async start(inputs: HostTensors): Promise<PendingOutputs> {
    return readyOutputs(await this.run(inputs));
  }

  async dispose(): Promise<void> {
    if (this.released) return;
    this.check();
    this.released = true;
    await this.session.dispose();
  }

  private check(): void {
    if (this.released) throw new CompileError("CompileError", `${this.name}: used after dispose()`);
    if (this.running)
      throw new CompileError("CompileError", `${this.name}: used while a run is under way; await it first`);
  }
}
