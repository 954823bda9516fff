/**
 * @file Mixed precision: matrix products and convolutions in float16, everything else (norms, softmax, losses, sums, optimizer) in
 * float32. A rule that puts casts around products; what only moves numbers between two products stays float16, and a tensor that
 * several products read, such as a weight, is cast once.
 *
 * What a product is, whatever it runs on: operands and result rounded to float16, its sum not. ONNX Runtime's CUDA kernels add
 * in float32. Its CPU kernels have no float16: there operands and results are rounded and the product is one of float32,
 * which gives the same numbers and saves no time. Its WebGPU kernels add in float16, which loses whole terms of long sums (4096
 * times 0.3 gives 1024): there a long sum is made of short ones, added in float32.
 *
 * Source: Micikevicius et al., Mixed Precision Training, arXiv 1710.03740; which operations are float16 as in PyTorch's autocast.
 */
import { type Graph, type GraphNode, type GraphValue, sizeOf } from "./graph.js";
import type { Rule } from "./rewrite.js";

export interface HalfProductOptions {
  /** Round to float16 and compute in float32: for devices without float16 products. */
  readonly isEmulated?: boolean;
  /** Most terms that the device may add in float16. Absent: it adds in float32, and sums may be of any length. */
  readonly longestSum?: number;
}

const MATRIX_PRODUCTS: ReadonlySet<string> = new Set(["Gemm", "MatMul", "FusedMatMul"]);
const CONVOLUTIONS: ReadonlySet<string> = new Set(["Conv", "ConvTranspose"]);
/** Attributes that a matrix product may have for its sum to be split. */
const SPLITTABLE: ReadonlySet<string> = new Set(["transA", "transB", "alpha"]);

/** Operators that copy elements and compute nothing: how many of their inputs are data. The rest are shapes and axes. */
const MOVES: Readonly<Record<string, number>> = {
  Reshape: 1,
  Transpose: 1,
  Slice: 1,
  Split: 1,
  Expand: 1,
  Concat: Number.POSITIVE_INFINITY,
};

const FLOAT16 = { to: 10 };
const FLOAT32 = { to: 1 };

const single = (graph: Graph, half: GraphValue): GraphValue => graph.op("Cast", [half], half.shape, "float32", FLOAT32);

const isCastFromHalf = (value: GraphValue): boolean =>
  value.node?.op === "Cast" && value.type === "float32" && value.node.inputs[0]!.type === "float16";

/** The rule. Products with a constant, which are sums and filters in other clothes, stay float32, as Einsum does. */
export function halfProducts({ isEmulated = false, longestSum }: HalfProductOptions): Rule {
  const known = new Map<GraphValue, { isHalf: boolean; isConstant: boolean }>();
  const look = (value: GraphValue): { isHalf: boolean; isConstant: boolean } => {
    let facts = known.get(value);
    if (facts === undefined) {
      const { node } = value;
      const data = node?.inputs.slice(0, MOVES[node.op] ?? 0) ?? [];
      facts = {
        isHalf: isCastFromHalf(value) || (data.length > 0 && data.every((input) => look(input).isHalf)),
        isConstant: value.constant !== undefined || (data.length > 0 && data.every((input) => look(input).isConstant)),
      };
      known.set(value, facts);
    }
    return facts;
  };

  /** The value in float16: cast, or moved as what it was cast from. */
  const half = (graph: Graph, value: GraphValue): GraphValue => {
    const { node } = value;
    if (value.type === "float16") return value;
    if (isCastFromHalf(value)) return node!.inputs[0]!;
    // Casting before a reshape lets all shapes of a tensor share one cast.
    if (node !== undefined && (node.op === "Reshape" || look(value).isHalf)) {
      const inputs = node.inputs.map((input, i) => (i < MOVES[node.op]! ? half(graph, input) : input));
      const specs = node.outputs.map(({ shape }) => ({ shape, type: "float16" as const }));
      return graph.node(node.op, inputs, specs, node.attributes, node.domain)[node.outputs.indexOf(value)]!;
    }
    return graph.op("Cast", [value], value.shape, "float16", FLOAT16);
  };

  return (graph, node, inputs) => {
    const result = node.outputs[0]!;
    const isConvolution = CONVOLUTIONS.has(node.op);
    if (!isConvolution && !MATRIX_PRODUCTS.has(node.op)) return undefined;
    if (result.type !== "float32" || inputs.some((input) => look(input).isConstant)) return undefined;
    if (isEmulated) {
      const rounded = inputs.map((x) => (look(x).isHalf ? x : single(graph, half(graph, x))));
      const y = graph.op(node.op, rounded, result.shape, "float32", node.attributes, node.domain);
      return [single(graph, half(graph, y))];
    }
    if (longestSum !== undefined && termsOf(node, inputs) > longestSum) {
      if (isConvolution || Object.keys(node.attributes).some((name) => !SPLITTABLE.has(name))) return undefined;
      const [a, b, bias] = inputs;
      const sum = splitProduct(graph, node, half(graph, a!), half(graph, b!), longestSum);
      return [bias === undefined ? sum : graph.op("Add", [sum, bias], result.shape, "float32")];
    }
    const halves = inputs.map((input) => half(graph, input));
    return [single(graph, graph.op(node.op, halves, result.shape, "float16", node.attributes, node.domain))];
  };
}

/** How many products an element of the result is the sum of. */
function termsOf({ op, attributes }: GraphNode, [a, b]: readonly GraphValue[]): number {
  if (op === "Conv") return sizeOf(b!.shape.slice(1));
  // Weights [inChannels, outChannels / group, kh, kw].
  if (op === "ConvTranspose")
    return sizeOf(b!.shape) / b!.shape[1]! / ((attributes["group"] as number | undefined) ?? 1);
  return a!.shape.at(attributes["transA"] === 1 ? -2 : -1)!;
}

/** A product as the float32 sum of products over equal parts of the inner side, each of at most `longest` terms. */
function splitProduct(graph: Graph, node: GraphNode, a: GraphValue, b: GraphValue, longest: number): GraphValue {
  const { transA = 0, transB = 0 } = node.attributes as { transA?: number; transB?: number };
  const terms = termsOf(node, [a, b]);
  const fewest = Math.ceil(terms / longest);
  // Parts that come out even need no zeros.
  let parts = fewest;
  while (parts < 2 * fewest && terms % parts !== 0) parts++;
  if (terms % parts !== 0) parts = fewest;
  const left = splitSide(graph, a, transA === 1 ? -2 : -1, parts);
  const right = splitSide(graph, b, transB === 1 ? -1 : -2, parts);
  const { shape } = node.outputs[0]!;
  const partial = [...shape.slice(0, -2), parts, ...shape.slice(-2)];
  const product = graph.op("FusedMatMul", [left, right], partial, "float16", node.attributes, "com.microsoft");
  const axis = graph.int64([shape.length - 2]);
  return graph.op("ReduceSum", [single(graph, product), axis], shape, "float32", { keepdims: 0 });
}

/** [...,R,K] or [...,K,R] to [...,parts,R,K/parts] or [...,parts,K/parts,R], filled up with zeros. @param side of K, −1 or −2. */
function splitSide(graph: Graph, x: GraphValue, side: -1 | -2, parts: number): GraphValue {
  const axis = x.shape.length + side;
  const length = Math.ceil(x.shape[axis]! / parts);
  const filled = x.shape.map((s, i) => (i === axis ? parts * length : s));
  const missing = parts * length - x.shape[axis]!;
  const pads = [...x.shape.map(() => 0), ...x.shape.map((_, i) => (i === axis ? missing : 0))];
  const whole = missing === 0 ? x : graph.op("Pad", [x, graph.int64(pads)], filled, x.type, { mode: "constant" });
  const batch = filled.slice(0, -2);
  const last = filled.at(-1)!;
  if (side === -2) return graph.reshape(whole, [...batch, parts, length, last]);
  const apart = graph.reshape(whole, [...batch, filled.at(-2)!, parts, length]);
  const b = batch.length;
  return graph.transpose(apart, [...batch.keys(), b + 1, b, b + 2]);
}
