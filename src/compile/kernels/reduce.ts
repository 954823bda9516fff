/** @file Kernels that reduce, scan or order along axes. */
import tf from "@tensorflow/tfjs";
import { type Graph, type GraphValue, sizeOf, type ValueType } from "../graph.js";
import type { Kernel } from "../tracer.js";
import { binary, cast, scalar, select, unary } from "./elementwise.js";
import { axisOf, pad, slice } from "./shape.js";

type ReduceOp = "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd";

/** Reduce over `axes`; axes of length 1 are dropped by a reshape instead. */
export function reduce(
  graph: Graph,
  op: ReduceOp,
  x: GraphValue,
  axes: readonly number[],
  keepDims: boolean,
): GraphValue {
  const kept = x.shape.map((side, axis) => (axes.includes(axis) ? 1 : side));
  const shape = keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis));
  const long = axes.filter((axis) => x.shape[axis] !== 1);
  if (long.length === 0) return graph.reshape(x, shape);
  if (x.constant !== undefined && "fill" in x.constant && op !== "ReduceProd") {
    const count = long.reduce((product, axis) => product * x.shape[axis]!, 1);
    return graph.fill(shape, Math.fround(x.constant.fill * (op === "ReduceSum" ? count : 1)), x.type);
  }
  if (op === "ReduceSum" && x.type === "float32") return graph.reshape(floatSum(graph, x, long, kept), shape);
  const reduced = graph.op(op, [x, graph.int64(long)], kept, x.type, { keepdims: 1 });
  return graph.reshape(reduced, shape);
}

/** Rows that one product adds up: more would add too many numbers one after the other. */
const MAX_SUMMED_ROWS = 8192;

/** A sum of squares is one pass; the sum of a matrix's rows, the gradient of a bias, is faster as a product with ones. */
function floatSum(graph: Graph, x: GraphValue, axes: readonly number[], kept: readonly number[]): GraphValue {
  const [a, b] = x.node?.op === "Mul" ? x.node.inputs : [];
  if (a !== undefined && a === b) {
    return graph.op("ReduceSumSquare", [a, graph.int64(axes)], kept, "float32", { keepdims: 1 });
  }
  const columns = x.shape.at(-1)!;
  const rows = sizeOf(x.shape) / columns;
  const sumsRows = sizeOf(kept) === columns && kept.at(-1) === columns;
  if (sumsRows && columns > 1 && rows <= MAX_SUMMED_ROWS) {
    const ones = graph.fill([1, rows], 1, "float32");
    const sum = graph.op("MatMul", [ones, graph.reshape(x, [rows, columns])], [1, columns], "float32");
    return graph.reshape(sum, kept);
  }
  return graph.op("ReduceSum", [x, graph.int64(axes)], kept, "float32", { keepdims: 1 });
}

const reduction =
  (op: ReduceOp, type?: ValueType): Kernel =>
  ({ graph, inputs: [x], attributes }) => {
    // TensorFlow.js calls the axes of Max otherwise.
    const given = (attributes["reductionIndices"] ?? attributes["axis"] ?? null) as number[];
    const axes = tf.util.parseAxisParam(given, [...x!.shape]);
    const numeric = type !== undefined ? cast(graph, x!, type) : x!.type === "bool" ? cast(graph, x!, "int32") : x!;
    return reduce(graph, op, numeric, axes, (attributes["keepDims"] as boolean | undefined) ?? false);
  };

/** All and Any: minimum and maximum of zeros and ones. */
const logicalReduction =
  (op: ReduceOp): Kernel =>
  (context) =>
    cast(context.graph, reduction(op, "int32")(context) as GraphValue, "bool");

const argument =
  (op: "ArgMax" | "ArgMin"): Kernel =>
  ({ graph, inputs: [x], attributes }) => {
    const [axis] = tf.util.parseAxisParam(attributes["axis"] as number, [...x!.shape]) as [number];
    const shape = x!.shape.filter((_, i) => i !== axis);
    const lowest = op === "ArgMax" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    // TensorFlow.js passes over what is not a number.
    const numeric =
      x!.type === "float32"
        ? select(graph, unary(graph, "IsNaN", x!, "bool"), scalar(graph, lowest), x!)
        : cast(graph, x!, "int32");
    return cast(graph, graph.op(op, [numeric], shape, "int64", { axis, keepdims: 0 }), "int32");
  };

/** Products of all elements up to each one: doubling steps, each multiplying by what lies a power of two before. */
function cumulativeProduct(
  graph: Graph,
  x: GraphValue,
  axis: number,
  exclusive: boolean,
  reverse: boolean,
): GraphValue {
  const side = x.shape[axis]!;
  // Along the axis: what lies `by` before, ones before the first.
  const shift = (y: GraphValue, by: number) => {
    const starts = y.shape.map((_, i) => (i === axis && reverse ? by : 0));
    const kept = slice(
      graph,
      y,
      starts,
      y.shape.map((length, i) => (i === axis ? length - by : length)),
    );
    const edge: [number, number] = reverse ? [0, by] : [by, 0];
    const paddings = y.shape.map((_, i): [number, number] => (i === axis ? edge : [0, 0]));
    return pad(graph, kept, paddings, "constant", 1);
  };
  let y = exclusive && side > 0 ? shift(x, 1) : x;
  for (let by = 1; by < side; by *= 2) y = binary(graph, "Mul", y, shift(y, by));
  return y;
}

export const reduceKernels: Record<string, Kernel> = {
  Sum: reduction("ReduceSum"),
  Mean: reduction("ReduceMean", "float32"),
  Max: reduction("ReduceMax"),
  Min: reduction("ReduceMin"),
  Prod: reduction("ReduceProd"),
  All: logicalReduction("ReduceMin"),
  Any: logicalReduction("ReduceMax"),
  ArgMax: argument("ArgMax"),
  ArgMin: argument("ArgMin"),
  Softmax: ({ graph, inputs: [x], attributes }) => {
    const axis = attributes["dim"] as number;
    return graph.op("Softmax", [cast(graph, x!, "float32")], x!.shape, "float32", { axis });
  },
  Cumsum: ({ graph, inputs: [x], attributes }) => {
    const { axis, exclusive, reverse } = attributes as { axis: number; exclusive: boolean; reverse: boolean };
    const position = graph.constant([axisOf(axis, x!.shape.length)], [], "int64");
    const numeric = x!.type === "bool" ? cast(graph, x!, "int32") : x!;
    return graph.op("CumSum", [numeric, position], x!.shape, numeric.type, {
      exclusive: Number(exclusive),
      reverse: Number(reverse),
    });
  },
  Cumprod: ({ graph, inputs: [x], attributes }) => {
    const { axis, exclusive, reverse } = attributes as { axis: number; exclusive: boolean; reverse: boolean };
    const numeric = x!.type === "bool" ? cast(graph, x!, "int32") : x!;
    return cumulativeProduct(graph, numeric, axisOf(axis, x!.shape.length), exclusive, reverse);
  },
  // Always sorted: TensorFlow.js lets an unsorted result have any order, and this one is the same each time.
  TopK: ({ graph, inputs: [x], attributes }) => {
    const k = attributes["k"] as number;
    const shape = [...x!.shape.slice(0, -1), k];
    const [values, indices] = graph.node(
      "TopK",
      [x!, graph.int64([k])],
      [
        { shape, type: x!.type },
        { shape, type: "int64" },
      ],
      { axis: -1, largest: 1, sorted: 1 },
    );
    return [values!, cast(graph, indices!, "int32")];
  },
};
