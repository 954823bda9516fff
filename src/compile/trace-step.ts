/** @file A step recorded: its graph, and which values of it are the next state and the outputs. */
import { repairGradients } from "./gradients.js";
import type { Graph, GraphValue } from "./graph.js";
import { registerAllKernels } from "./kernels/index.js";
import { type Rule, rewrite } from "./rewrite.js";
import { dtypeOf, type Signature, signatureOf, type Tensors } from "./signature.js";
import { checkNextState, type StepFunction, type StepSignature } from "./step.js";
import { graphValue, trace } from "./tracer.js";

export interface TracedStep {
  readonly graph: Graph;
  /** The state as it came, by key. The graph's inputs are called `state/KEY` and `in/NAME`. */
  readonly given: Readonly<Record<string, GraphValue>>;
  /** The next state, by key. */
  readonly next: Readonly<Record<string, GraphValue>>;
  readonly outputs: Readonly<Record<string, GraphValue>>;
  readonly outputSignature: Signature;
  /** State that is not returned as it came. */
  readonly changing: readonly string[];
}

/**
 * Record a step.
 *
 * @param rules what becomes of its nodes on the device that it is for, one rule after the other.
 * @throws {UnsupportedOpError} a kernel that cannot be compiled, by name.
 * @throws {SignatureError} a next state that does not fit the state.
 */
export function traceStep(
  fn: StepFunction,
  signature: StepSignature,
  name: string,
  rules: readonly Rule[] = [],
): TracedStep {
  repairGradients();
  registerAllKernels();
  const values = (tensors: Tensors): Record<string, GraphValue> =>
    Object.fromEntries(Object.entries(tensors).map(([key, tensor]) => [key, graphValue(tensor)]));
  const { graph, result } = trace(name, (input) => {
    const make = (specs: Signature, prefix: string): Tensors =>
      Object.fromEntries(
        Object.entries(specs).map(([key, spec]) => [key, input(`${prefix}${key}`, spec.shape, dtypeOf(spec))]),
      );
    const state = make(signature.state, "state/");
    const step = fn(state, make(signature.inputs, "in/"));
    checkNextState(name, step.state, signature.state);
    return {
      given: values(state),
      next: values(step.state),
      outputs: values(step.outputs),
      outputSignature: signatureOf(step.outputs),
    };
  });
  let { next, outputs } = result;
  for (const rule of rules) {
    const now = rewrite(graph, [...Object.values(next), ...Object.values(outputs)], rule);
    const all = (given: Record<string, GraphValue>) =>
      Object.fromEntries(Object.entries(given).map(([key, value]) => [key, now(value)]));
    [next, outputs] = [all(next), all(outputs)];
  }
  const changing = Object.keys(signature.state).filter((key) => next[key] !== result.given[key]);
  return { graph, ...result, next, outputs, changing };
}
