/** @file Kernels that reduce, scan or order along axes. */
import tf from "@tensorflow/tfjs";
import { type Graph, type GraphValue, sizeOf, type ValueType } from "../graph.js";
import type { Kernel } from "../tracer.js";
import { cast } from "./elementwise.js";
import { product } from "./products.js";

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
  const reduced = graph.op(op, [x, graph.int64(long)], kept, x.type, { keepdims: 1 });
  return graph.reshape(reduced, shape);
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
    const numeric = x!.type === "bool" ? cast(graph, x!, "int32") : x!;
    return cast(graph, graph.op(op, [numeric], shape, "int64", { axis, keepdims: 0 }), "int32");
  };

/** One-hot products up to this many elements, scattered additions above. */
const ONE_HOT_ELEMENTS = 1 << 22;

/** Sum the rows of x into `count` segments; rows whose id is outside 0..count−1 vanish. Deterministic in both forms. */
function segmentSum(graph: Graph, x: GraphValue, ids: GraphValue, count: number): GraphValue {
  const rows = sizeOf(ids.shape);
  const width = sizeOf(x.shape) / rows;
  const flat = cast(graph, graph.reshape(x, [rows, width]), "float32");
  const shape = [count, ...x.shape.slice(ids.shape.length)];
  const index = cast(graph, graph.reshape(ids, [rows, 1]), "int32");
  if (rows * count <= ONE_HOT_ELEMENTS) {
    const range = graph.constant(
      Array.from({ length: count }, (_, i) => i),
      [count],
      "int32",
    );
    const hit = cast(graph, graph.op("Equal", [index, range], [rows, count], "bool"), "float32");
    return cast(graph, graph.reshape(product(graph, hit, flat, true, false), shape), x.type);
  }
  // One more segment takes what is out of range.
  const zero = graph.fill([], 0, "int32");
  const end = graph.fill([], count, "int32");
  const below = graph.op("Less", [index, zero], [rows, 1], "bool");
  const above = graph.op("GreaterOrEqual", [index, end], [rows, 1], "bool");
  const outside = graph.op("Or", [below, above], [rows, 1], "bool");
  const safe = graph.op("Where", [outside, end, index], [rows, 1], "int32");
  const everywhere = graph.expand(safe, [rows, width]);
  const start = graph.fill([count + 1, width], 0, "float32");
  const sums = graph.op("ScatterElements", [start, everywhere, flat], [count + 1, width], "float32", {
    axis: 0,
    reduction: "add",
  });
  const starts = graph.int64([0]);
  const within = graph.op("Slice", [sums, starts, graph.int64([count]), starts], [count, width], "float32");
  return cast(graph, graph.reshape(within, shape), x.type);
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
  LogSoftmax: ({ graph, inputs: [x], attributes }) => {
    const axis = attributes["axis"] as number;
    return graph.op("LogSoftmax", [cast(graph, x!, "float32")], x!.shape, "float32", { axis });
  },
  Cumsum: ({ graph, inputs: [x], attributes }) => {
    const { axis, exclusive, reverse } = attributes as { axis: number; exclusive: boolean; reverse: boolean };
    const position = graph.constant([axis < 0 ? axis + x!.shape.length : axis], [], "int64");
    const numeric = x!.type === "bool" ? cast(graph, x!, "int32") : x!;
    return graph.op("CumSum", [numeric, position], x!.shape, numeric.type, {
      exclusive: Number(exclusive),
      reverse: Number(reverse),
    });
  },
  TopK: ({ graph, inputs: [x], attributes }) => {
    const { k, sorted } = attributes as { k: number; sorted: boolean };
    const shape = [...x!.shape.slice(0, -1), k];
    const [values, indices] = graph.node(
      "TopK",
      [x!, graph.int64([k])],
      [
        { shape, type: x!.type },
        { shape, type: "int64" },
      ],
      { axis: -1, largest: 1, sorted: Number(sorted) },
    );
    return [values!, cast(graph, indices!, "int32")];
  },
  UnsortedSegmentSum: ({ graph, named: { x, segmentIds }, attributes }) =>
    segmentSum(graph, x!, segmentIds!, attributes["numSegments"] as number),
};
