/**
 * @file Matrix products. Transposes of the operands become flags, batches of rows become taller matrices, and a bias of a
 * product of matrices becomes its third operand.
 */
import tf from "@tensorflow/tfjs";
import { type Graph, type GraphValue, sizeOf } from "../graph.js";
import type { Kernel } from "../tracer.js";
import { binary, elementwiseKernels } from "./elementwise.js";

interface Operand {
  readonly value: GraphValue;
  readonly transposed: boolean;
}

const swapsLastTwo = (perm: readonly number[]): boolean =>
  perm.every((axis, i) => axis === (i < perm.length - 2 ? i : 2 * perm.length - 3 - i));

/** See through a transpose of the last two axes. */
function peel({ value, transposed }: Operand): Operand {
  const { node } = value;
  if (node?.op === "Transpose" && swapsLastTwo(node.attributes["perm"] as readonly number[])) {
    return { value: node.inputs[0]!, transposed: !transposed };
  }
  return { value, transposed };
}

const batchOf = (value: GraphValue): readonly number[] => value.shape.slice(0, -2);

function gemm(graph: Graph, a: Operand, b: Operand, rows: number, columns: number): GraphValue {
  const attributes: Record<string, number> = {};
  if (a.transposed) attributes["transA"] = 1;
  if (b.transposed) attributes["transB"] = 1;
  return graph.op("Gemm", [a.value, b.value], [rows, columns], "float32", attributes);
}

/** Product of the last two axes of `a` and `b`, the axes before them broadcast. float32, or int32 without transposes. */
export function product(
  graph: Graph,
  left: GraphValue,
  right: GraphValue,
  transposeA = false,
  transposeB = false,
): GraphValue {
  const a = peel({ value: left, transposed: transposeA });
  const b = peel({ value: right, transposed: transposeB });
  const [rows, inner] = lastTwo(a);
  const [innerB, columns] = lastTwo(b);
  if (inner !== innerB) {
    throw new Error(`the inner sides of a product differ: [${left.shape}] and [${right.shape}]`);
  }
  const batch = tf.broadcast_util.assertAndGetBroadcastShape([...batchOf(a.value)], [...batchOf(b.value)]);
  const shape = [...batch, rows, columns];
  if (a.value.type !== "float32") {
    const upright = ({ value, transposed }: Operand) =>
      transposed ? graph.transpose(value, swapped(value.shape.length)) : value;
    return graph.op("MatMul", [upright(a), upright(b)], shape, a.value.type);
  }
  if (sizeOf(batchOf(b.value)) === 1) {
    const flatB = { value: graph.reshape(b.value, b.value.shape.slice(-2)), transposed: b.transposed };
    if (sizeOf(batchOf(a.value)) === 1) {
      const flatA = { value: graph.reshape(a.value, a.value.shape.slice(-2)), transposed: a.transposed };
      return graph.reshape(gemm(graph, flatA, flatB, rows, columns), shape);
    }
    if (!a.transposed) {
      const tall = sizeOf(batchOf(a.value)) * rows;
      const flatA = { value: graph.reshape(a.value, [tall, inner]), transposed: false };
      return graph.reshape(gemm(graph, flatA, flatB, tall, columns), shape);
    }
  }
  if (!a.transposed && !b.transposed) return graph.op("MatMul", [a.value, b.value], shape, "float32");
  const attributes = { transA: Number(a.transposed), transB: Number(b.transposed) };
  return graph.op("FusedMatMul", [a.value, b.value], shape, "float32", attributes, "com.microsoft");
}

const swapped = (rank: number): number[] =>
  Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));

function lastTwo({ value: { shape }, transposed }: Operand): [number, number] {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return transposed ? [columns, rows] : [rows, columns];
}

/** x + bias, where a product of matrices takes a bias of its columns as third operand. */
export function addBias(graph: Graph, x: GraphValue, bias: GraphValue): GraphValue | undefined {
  const columns = bias.shape.at(-1);
  if (columns === undefined || sizeOf(bias.shape) !== columns || bias.type !== "float32") return undefined;
  if (x.shape.at(-1) !== columns || bias.shape.length > x.shape.length) return undefined;
  const source = x.node?.op === "Reshape" ? x.node.inputs[0]! : x;
  const node = source.node;
  if (node?.op !== "Gemm" || node.inputs.length !== 2 || source.shape[1] !== columns) return undefined;
  const row = graph.reshape(bias, [columns]);
  const sum = graph.op("Gemm", [...node.inputs, row], source.shape, "float32", node.attributes);
  return graph.reshape(sum, x.shape);
}

/** The activation that TensorFlow.js fuses into a product or convolution. */
export function activate(
  graph: Graph,
  x: GraphValue,
  activation: string | undefined,
  alpha: GraphValue | undefined,
  attributes: Readonly<Record<string, unknown>>,
): GraphValue {
  if (activation === undefined || activation === null || activation === "linear") return x;
  const kernel = {
    relu: "Relu",
    relu6: "Relu6",
    elu: "Elu",
    sigmoid: "Sigmoid",
    prelu: "Prelu",
    leakyrelu: "LeakyRelu",
  }[activation];
  if (kernel === undefined) throw new Error(`activation "${activation}" is not supported`);
  const named: Record<string, GraphValue> = alpha === undefined ? { x } : { x, alpha };
  return elementwiseKernels[kernel]!({
    graph,
    inputs: Object.values(named),
    named,
    attributes: { alpha: attributes["leakyreluAlpha"] ?? 0.2 },
  }) as GraphValue;
}

const add = elementwiseKernels["Add"]!;

export const productKernels: Record<string, Kernel> = {
  Add: (context) => {
    const [a, b] = context.inputs as [GraphValue, GraphValue];
    return addBias(context.graph, a, b) ?? addBias(context.graph, b, a) ?? add(context);
  },
  BatchMatMul: ({ graph, named: { a, b }, attributes }) =>
    product(graph, a!, b!, attributes["transposeA"] as boolean, attributes["transposeB"] as boolean),
  _FusedMatMul: ({ graph, named: { a, b, bias, preluActivationWeights }, attributes }) => {
    let y = product(graph, a!, b!, attributes["transposeA"] as boolean, attributes["transposeB"] as boolean);
    if (bias !== undefined) y = addBias(graph, y, bias) ?? binary(graph, "Add", y, bias);
    return activate(graph, y, attributes["activation"] as string, preluActivationWeights, attributes);
  },
  Einsum: ({ graph, inputs, attributes }) => {
    const equation = attributes["equation"] as string;
    const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, inputs.length);
    const shaped = inputs.map(({ shape }) => ({ shape: [...shape] }) as unknown as tf.Tensor);
    tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, shaped);
    const sides = allDims.map((_, dim) => {
      const operand = idDims.findIndex((dims) => dims.includes(dim));
      return inputs[operand]!.shape[idDims[operand]!.indexOf(dim)]!;
    });
    const shape = sides.slice(0, allDims.length - summedDims.length);
    return graph.op("Einsum", inputs, shape, inputs[0]!.type, { equation });
  },
};
