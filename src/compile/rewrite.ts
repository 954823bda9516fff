import type { Graph, GraphNode, GraphValue } from "./graph.js";

/**
 * Another form of a node.
 *
 * @param inputs its inputs as they are after the nodes before it were rewritten.
 * @returns what its outputs become; undefined leaves the node as it is.
 */
export type Rule = (graph: Graph, node: GraphNode, inputs: readonly GraphValue[]) => readonly GraphValue[] | undefined;

/**
 * Apply a rule to every node that `roots` need, each once, in the order of computation.
 *
 * @returns what a value has become. Inputs and constants stay what they are.
 */
export function rewrite(graph: Graph, roots: readonly GraphValue[], rule: Rule): (value: GraphValue) => GraphValue {
  const become = new Map<GraphValue, GraphValue>();
  const now = (value: GraphValue): GraphValue => become.get(value) ?? value;
  for (const node of graph.reachable(roots)) {
    const inputs = node.inputs.map(now);
    let outputs = rule(graph, node, inputs);
    if (outputs === undefined) {
      if (inputs.every((input, i) => input === node.inputs[i])) continue;
      outputs = graph.node(node.op, inputs, node.outputs, node.attributes, node.domain);
    }
    for (const [i, output] of node.outputs.entries()) become.set(output, outputs[i]!);
  }
  return now;
}
