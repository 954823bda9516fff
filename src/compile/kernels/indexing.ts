/** @file Kernels that read or write at computed places: gather, scatter, one-hot, counts, segments. */
import tf from "@tensorflow/tfjs";
import { type Graph, type GraphValue, sizeOf } from "../graph.js";
import { type Kernel, valueType } from "../tracer.js";
import { binary, cast, select } from "./elementwise.js";
import { product } from "./products.js";

export function gather(graph: Graph, x: GraphValue, indices: GraphValue, axis: number): GraphValue {
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return graph.op("Gather", [x, indices], shape, x.type, { axis });
}

const range = (graph: Graph, count: number, step = 1): GraphValue =>
  graph.constant(
    Array.from({ length: count }, (_, i) => i * step),
    [count],
    "int32",
  );

/** bool [...indices, depth]: which of 0…depth−1 each index is; none when it is outside. */
function hits(graph: Graph, indices: GraphValue, depth: number): GraphValue {
  const column = graph.reshape(cast(graph, indices, "int32"), [...indices.shape, 1]);
  return binary(graph, "Equal", column, range(graph, depth), "bool");
}

/** One-hot products up to this many elements, scattered additions above. */
const ONE_HOT_ELEMENTS = 1 << 22;

/** Sum the rows of x into `count` segments; rows whose id is outside 0..count−1 vanish. Deterministic in both forms. */
function segmentSum(graph: Graph, x: GraphValue, ids: GraphValue, count: number): GraphValue {
  const rows = sizeOf(ids.shape);
  const shape = [count, ...x.shape.slice(ids.shape.length)];
  if (rows === 0) return graph.fill(shape, 0, x.type);
  const width = sizeOf(x.shape) / rows;
  const flat = graph.reshape(x, [rows, width]);
  const index = graph.reshape(cast(graph, ids, "int32"), [rows, 1]);
  // Products are of floats: they would round large integers.
  if (x.type === "float32" && rows * count <= ONE_HOT_ELEMENTS) {
    const hit = cast(graph, hits(graph, graph.reshape(index, [rows]), count), "float32");
    return graph.reshape(product(graph, hit, flat, true, false), shape);
  }
  // One more segment takes what is out of range.
  const end = graph.fill([], count, "int32");
  const below = binary(graph, "Less", index, graph.fill([], 0, "int32"), "bool");
  const above = binary(graph, "GreaterOrEqual", index, end, "bool");
  const safe = select(graph, binary(graph, "Or", below, above, "bool"), graph.expand(end, [rows, 1]), index);
  const type = x.type === "bool" ? "int32" : x.type;
  const inputs = [graph.fill([count + 1, width], 0, type), graph.expand(safe, [rows, width]), cast(graph, flat, type)];
  const sums = graph.op("ScatterElements", inputs, [count + 1, width], type, { axis: 0, reduction: "add" });
  const starts = graph.int64([0]);
  const within = graph.op("Slice", [sums, starts, graph.int64([count]), starts], [count, width], type);
  return cast(graph, graph.reshape(within, shape), x.type);
}

/** How often each of 0…size−1 occurs along the last axis of x, weighted; numbers outside are not counted. */
function countNumbers(graph: Graph, x: GraphValue, weights: GraphValue, size: number, isBinary: boolean): GraphValue {
  const hit = hits(graph, x, size);
  const axis = x.shape.length - 1;
  const shape = [...x.shape.slice(0, -1), size];
  const sum = (values: GraphValue) =>
    graph.op("ReduceSum", [values, graph.int64([axis])], shape, values.type, { keepdims: 0 });
  if (isBinary) {
    const found = binary(graph, "Greater", sum(cast(graph, hit, "int32")), graph.fill([], 0, "int32"), "bool");
    return cast(graph, found, weights.type);
  }
  if (sizeOf(weights.shape) === 0) return sum(cast(graph, hit, weights.type));
  return sum(binary(graph, "Mul", cast(graph, hit, weights.type), graph.reshape(weights, [...x.shape, 1])));
}

/** The shapes of a kernel that writes slices of `shape` at `indices`, and the row of each in a matrix of those slices. */
function sliceRows(graph: Graph, updates: GraphValue, indices: GraphValue, shape: readonly number[]) {
  const shaped = (x: GraphValue) => ({ shape: [...x.shape], rank: x.shape.length, size: sizeOf(x.shape) });
  const info = tf.backend_util.calculateShapes(shaped(updates) as never, shaped(indices) as never, [...shape]);
  const places = graph.reshape(cast(graph, indices, "int32"), [info.numUpdates, info.sliceRank]);
  const strides = graph.constant(info.strides.slice(0, info.sliceRank), [info.sliceRank], "int32");
  const parts = binary(graph, "Mul", places, strides);
  const rows = graph.op("ReduceSum", [parts, graph.int64([1])], [info.numUpdates, 1], "int32", { keepdims: 1 });
  return { rows, count: info.numUpdates, slices: info.outputSize / info.sliceSize, width: info.sliceSize };
}

/** A copy of x with `updates` written at `indices`. Which of equal indices wins is not defined. */
function overwrite(graph: Graph, x: GraphValue, updates: GraphValue, indices: GraphValue): GraphValue {
  const { rows, count, slices, width } = sliceRows(graph, updates, indices, x.shape);
  const written =
    updates.shape.length === 0 ? graph.expand(updates, [count, width]) : graph.reshape(updates, [count, width]);
  const inputs = [graph.reshape(x, [slices, width]), cast(graph, rows, "int64"), written];
  return graph.reshape(graph.op("ScatterND", inputs, [slices, width], x.type), x.shape);
}

/** Indices of each batch's own rows, counted through all batches: `batchDims` leading axes of both are batches. */
function gatherBatches(graph: Graph, x: GraphValue, indices: GraphValue, axis: number, batchDims: number): GraphValue {
  const shaped = (value: GraphValue) => ({ shape: [...value.shape] }) as unknown as tf.Tensor;
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } =
    tf.backend_util.segment_util.collectGatherOpShapeInfo(shaped(x), shaped(indices), axis, batchDims);
  const perBatch = sizeOf(indices.shape) / batchSize;
  const groups = batchSize * outerSize;
  const first = graph.reshape(range(graph, groups, dimSize), [batchSize, outerSize, 1]);
  const rows = binary(graph, "Add", graph.reshape(indices, [batchSize, 1, perBatch]), first);
  return graph.reshape(gather(graph, graph.reshape(x, [groups * dimSize, sliceSize]), rows, 0), outputShape);
}

export const indexingKernels: Record<string, Kernel> = {
  GatherV2: ({ graph, named: { x, indices }, attributes }) => {
    const axis = tf.util.parseAxisParam((attributes["axis"] as number | undefined) ?? 0, [...x!.shape])[0]!;
    const batchDims = (attributes["batchDims"] as number | undefined) ?? 0;
    const places = cast(graph, indices!, "int32");
    return batchDims === 0 ? gather(graph, x!, places, axis) : gatherBatches(graph, x!, places, axis, batchDims);
  },
  GatherNd: ({ graph, named: { params, indices } }) => {
    const depth = indices!.shape.at(-1)!;
    const shape = [...indices!.shape.slice(0, -1), ...params!.shape.slice(depth)];
    return graph.op("GatherND", [params!, cast(graph, indices!, "int64")], shape, params!.type);
  },
  ScatterNd: ({ graph, named: { indices, updates }, attributes }) => {
    const shape = attributes["shape"] as number[];
    const { rows, count, slices, width } = sliceRows(graph, updates!, indices!, shape);
    return graph.reshape(
      segmentSum(graph, graph.reshape(updates!, [count, width]), graph.reshape(rows, [count]), slices),
      shape,
    );
  },
  SparseToDense: ({ graph, named: { sparseIndices, sparseValues, defaultValue }, attributes }) => {
    const shape = attributes["outputShape"] as number[];
    return overwrite(
      graph,
      graph.expand(cast(graph, defaultValue!, sparseValues!.type), shape),
      sparseValues!,
      sparseIndices!,
    );
  },
  TensorScatterUpdate: ({ graph, named: { tensor, indices, updates } }) =>
    overwrite(graph, tensor!, updates!, indices!),
  OneHot: ({ graph, named: { indices }, attributes }) => {
    const { depth, onValue, offValue } = attributes as Record<"depth" | "onValue" | "offValue", number>;
    const type = valueType(attributes["dtype"]);
    const hit = hits(graph, indices!, depth);
    if (onValue === 1 && offValue === 0) return cast(graph, hit, type);
    return select(graph, hit, graph.fill(hit.shape, onValue, type), graph.fill([], offValue, type));
  },
  Diag: ({ graph, inputs: [x] }) => {
    const count = sizeOf(x!.shape);
    const onDiagonal = binary(
      graph,
      "Equal",
      graph.reshape(range(graph, count), [count, 1]),
      range(graph, count),
      "bool",
    );
    const row = graph.reshape(x!, [1, count]);
    return graph.reshape(select(graph, onDiagonal, row, graph.fill([], 0, x!.type)), [...x!.shape, ...x!.shape]);
  },
  Bincount: ({ graph, named: { x, weights }, attributes }) =>
    countNumbers(graph, graph.reshape(x!, [sizeOf(x!.shape)]), weights!, attributes["size"] as number, false),
  DenseBincount: ({ graph, named: { x, weights }, attributes }) =>
    countNumbers(graph, x!, weights!, attributes["size"] as number, attributes["binaryOutput"] === true),
  SearchSorted: ({ graph, named: { sortedSequence, values }, attributes }) => {
    const [batch, count] = values!.shape as [number, number];
    const sequence = graph.reshape(sortedSequence!, [batch, 1, sortedSequence!.shape[1]!]);
    const column = graph.reshape(values!, [batch, count, 1]);
    const before = binary(graph, attributes["side"] === "left" ? "Less" : "LessOrEqual", sequence, column, "bool");
    return graph.op("ReduceSum", [cast(graph, before, "int32"), graph.int64([2])], values!.shape, "int32", {
      keepdims: 0,
    });
  },
  UnsortedSegmentSum: ({ graph, named: { x, segmentIds }, attributes }) =>
    segmentSum(graph, x!, segmentIds!, attributes["numSegments"] as number),
};
