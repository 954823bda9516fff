/** @file Nodes in the form that ONNX Runtime's WebGPU kernels have, and have right. */
import type { Graph, GraphNode, GraphValue } from "./graph.js";
import type { Rule } from "./rewrite.js";

/** All of it as one rule. */
export const webgpuForms: Rule = (graph, node, inputs) => {
  if (node.op === "FusedMatMul") return plainProduct(graph, node, inputs);
  if (node.op === "ConvTranspose") return singleChannels(graph, node, inputs);
  return undefined;
};

/**
 * A product of transposed matrices without ONNX Runtime's own operator for it: WebGPU has none, and would bring the operands to
 * the CPU and the result back, in the middle of every attention.
 */
function plainProduct(graph: Graph, node: GraphNode, [a, b]: readonly GraphValue[]): GraphValue[] | undefined {
  const { transA = 0, transB = 0, alpha, ...others } = node.attributes as Record<string, number | { float: number }>;
  const { shape, type } = node.outputs[0]!;
  if (Object.keys(others).length > 0 || (alpha !== undefined && type !== "float32")) return undefined;
  const upright = (x: GraphValue, isTransposed: boolean): GraphValue => {
    if (!isTransposed) return x;
    const rank = x.shape.length;
    return graph.transpose(x, [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2]);
  };
  const y = graph.op("MatMul", [upright(a!, transA === 1), upright(b!, transB === 1)], shape, type);
  if (alpha === undefined) return [y];
  return [graph.op("Mul", [y, graph.fill([], (alpha as { float: number }).float, type)], shape, type)];
}

/**
 * A grouped transposed convolution as the sum of some whose groups have one channel each: with more of them, WebGPU's numbers
 * are wrong (onnxruntime-node 1.30). It is the gradient of a depthwise convolution with a channel multiplier.
 */
function singleChannels(graph: Graph, node: GraphNode, inputs: readonly GraphValue[]): GraphValue[] | undefined {
  const [x, weights, ...others] = inputs as [GraphValue, GraphValue, ...GraphValue[]];
  const groups = (node.attributes["group"] as number | undefined) ?? 1;
  const channels = x.shape[1]! / groups;
  if (groups === 1 || channels === 1 || others.length > 0) return undefined;
  const { shape, type } = node.outputs[0]!;
  /** Channel `i` of every group; the axis of all channels is `axis`. */
  const channel = (value: GraphValue, axis: number, i: number): GraphValue => {
    const before = value.shape.slice(0, axis);
    const after = value.shape.slice(axis + 1);
    const apart = graph.reshape(value, [...before, groups, channels, ...after]);
    const bounds = [[i], [i + 1], [axis + 1]].map((bound) => graph.int64(bound));
    const part = graph.op("Slice", [apart, ...bounds], [...before, groups, 1, ...after], value.type);
    return graph.reshape(part, [...before, groups, ...after]);
  };
  const parts = Array.from({ length: channels }, (_, i) =>
    graph.op("ConvTranspose", [channel(x, 1, i), channel(weights, 0, i)], shape, type, node.attributes),
  );
  return [parts.reduce((a, b) => graph.op("Add", [a, b], shape, type))];
}
