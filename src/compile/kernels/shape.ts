/** @file Kernels that move elements without changing them: reshape, transpose, slices, joins, gather, resize. */
import tf from "@tensorflow/tfjs";
import { type Graph, type GraphValue, sizeOf, type ValueType } from "../graph.js";
import type { Kernel } from "../tracer.js";
import { cast } from "./elementwise.js";

const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** `starts` inclusive to `ends` exclusive, one of each per axis. */
export function slice(
  graph: Graph,
  x: GraphValue,
  starts: readonly number[],
  sizes: readonly number[],
  steps?: readonly number[],
): GraphValue {
  const stride = steps ?? starts.map(() => 1);
  if (starts.every((start, axis) => start === 0 && sizes[axis] === x.shape[axis] && stride[axis] === 1)) return x;
  if (x.constant !== undefined && "fill" in x.constant) return graph.fill(sizes, x.constant.fill, x.type);
  const axes = starts
    .map((_, axis) => axis)
    .filter((axis) => sizes[axis] !== x.shape[axis] || starts[axis] !== 0 || stride[axis] !== 1);
  const ends = axes.map((axis) => {
    const end = starts[axis]! + sizes[axis]! * stride[axis]!;
    // A backward slice down to the first element ends before it: ONNX writes that as a very negative number.
    return end < 0 ? -(2 ** 31) : end;
  });
  const inputs = [x, graph.int64(axes.map((axis) => starts[axis]!)), graph.int64(ends), graph.int64(axes)];
  if (axes.some((axis) => stride[axis] !== 1)) inputs.push(graph.int64(axes.map((axis) => stride[axis]!)));
  return graph.op("Slice", inputs, sizes, x.type);
}

export function concat(graph: Graph, parts: readonly GraphValue[], axis: number): GraphValue {
  const whole = parts.filter((part) => sizeOf(part.shape) > 0);
  if (whole.length === 1) return whole[0]!;
  const shape = [...parts[0]!.shape];
  shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
  return graph.op("Concat", whole, shape, parts[0]!.type, { axis });
}

export function pad(
  graph: Graph,
  x: GraphValue,
  paddings: readonly (readonly [number, number])[],
  mode: "constant" | "reflect" = "constant",
  value = 0,
): GraphValue {
  if (paddings.every(([before, after]) => before === 0 && after === 0)) return x;
  const shape = x.shape.map((side, axis) => side + paddings[axis]![0] + paddings[axis]![1]);
  const pads = graph.int64([...paddings.map(([before]) => before), ...paddings.map(([, after]) => after)]);
  const inputs = mode === "constant" ? [x, pads, graph.fill([], value, x.type)] : [x, pads];
  return graph.op("Pad", inputs, shape, x.type, mode === "constant" ? {} : { mode });
}

/** Padding of bool goes through int32: ONNX Runtime pads numbers. */
const viaInteger = (graph: Graph, x: GraphValue, body: (y: GraphValue) => GraphValue): GraphValue =>
  x.type === "bool" ? cast(graph, body(cast(graph, x, "int32")), "bool") : body(x);

/** [batch..., rows, columns] · row weights: the matrix that resamples an axis of length `from` to `to` bilinearly. */
function resizeMatrix(from: number, to: number, alignCorners: boolean, halfPixelCenters: boolean): Float32Array {
  const matrix = new Float32Array(to * from);
  const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  for (let i = 0; i < to; i++) {
    const position = halfPixelCenters ? (i + 0.5) * scale - 0.5 : i * scale;
    const clamped = Math.min(Math.max(position, 0), from - 1);
    const low = Math.floor(clamped);
    const high = Math.min(low + 1, from - 1);
    const share = clamped - low;
    matrix[i * from + low]! += 1 - share;
    matrix[i * from + high]! += share;
  }
  return matrix;
}

/** Resample the two middle axes of [B,H,W,C] by matrices of shape [H',H] and [W',W]. */
function resample(graph: Graph, x: GraphValue, rows: GraphValue, columns: GraphValue): GraphValue {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [newHeight, newWidth] = [rows.shape[0]!, columns.shape[0]!];
  const flat = graph.reshape(x, [batch, height, width * channels]);
  const tall = graph.op("MatMul", [rows, flat], [batch, newHeight, width * channels], "float32");
  const lines = graph.reshape(tall, [batch * newHeight, width, channels]);
  const wide = graph.op("MatMul", [columns, lines], [batch * newHeight, newWidth, channels], "float32");
  return graph.reshape(wide, [batch, newHeight, newWidth, channels]);
}

const transposed = (matrix: Float32Array, rows: number, columns: number): Float32Array =>
  Float32Array.from({ length: matrix.length }, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!);

export const shapeKernels: Record<string, Kernel> = {
  Reshape: ({ graph, inputs: [x], attributes }) =>
    graph.reshape(x!, tf.util.inferFromImplicitShape(attributes["shape"] as number[], sizeOf(x!.shape))),
  ExpandDims: ({ graph, inputs: [x], attributes }) => {
    const shape = [...x!.shape];
    const axis = attributes["dim"] as number;
    shape.splice(axis < 0 ? axis + shape.length + 1 : axis, 0, 1);
    return graph.reshape(x!, shape);
  },
  Transpose: ({ graph, inputs: [x], attributes }) => graph.transpose(x!, attributes["perm"] as number[]),
  BroadcastTo: ({ graph, inputs: [x], attributes }) => graph.expand(x!, attributes["shape"] as number[]),
  Tile: ({ graph, inputs: [x], attributes }) => {
    const reps = attributes["reps"] as number[];
    if (reps.every((rep) => rep === 1)) return x!;
    const shape = x!.shape.map((side, axis) => side * reps[axis]!);
    if (x!.shape.every((side, axis) => side === 1 || reps[axis] === 1)) return graph.expand(x!, shape);
    return graph.op("Tile", [x!, graph.int64(reps)], shape, x!.type);
  },
  Slice: ({ graph, inputs: [x], attributes }) => {
    const { begin, size } = attributes as { begin: number[]; size: number[] };
    const shaped = { shape: [...x!.shape], rank: x!.shape.length } as unknown as tf.TensorInfo;
    const [starts, sizes] = tf.slice_util.parseSliceParams(shaped, begin, size) as [number[], number[]];
    tf.slice_util.assertParamsValid(shaped, starts, sizes);
    return slice(graph, x!, starts, sizes);
  },
  StridedSlice: ({ graph, inputs: [x], attributes }) => {
    const a = attributes as Record<"begin" | "end" | "strides", number[]> &
      Record<"beginMask" | "endMask" | "ellipsisMask" | "newAxisMask" | "shrinkAxisMask", number>;
    const info = tf.slice_util.sliceInfo(
      [...x!.shape],
      a.begin,
      a.end,
      a.strides,
      a.beginMask,
      a.endMask,
      a.ellipsisMask,
      a.newAxisMask,
      a.shrinkAxisMask,
    );
    if (info.finalShapeSparse.some((side) => side === 0)) return graph.constant([], info.finalShape, x!.type);
    const sizes = info.begin.map((start, axis) => Math.ceil((info.end[axis]! - start) / info.strides[axis]!));
    return graph.reshape(slice(graph, x!, info.begin, sizes, info.strides), info.finalShape);
  },
  Concat: ({ graph, inputs, attributes }) =>
    concat(graph, inputs, axisOf(attributes["axis"] as number, inputs[0]!.shape.length)),
  Pack: ({ graph, inputs, attributes }) => {
    const axis = axisOf(attributes["axis"] as number, inputs[0]!.shape.length + 1);
    const shape = [...inputs[0]!.shape];
    shape.splice(axis, 0, 1);
    return concat(
      graph,
      inputs.map((x) => graph.reshape(x, shape)),
      axis,
    );
  },
  Unpack: ({ graph, inputs: [x], attributes }) => {
    const axis = axisOf(attributes["axis"] as number, x!.shape.length);
    const rest = x!.shape.filter((_, i) => i !== axis);
    return Array.from({ length: x!.shape[axis]! }, (_, index) => {
      const starts = x!.shape.map((_, i) => (i === axis ? index : 0));
      const sizes = x!.shape.map((side, i) => (i === axis ? 1 : side));
      return graph.reshape(slice(graph, x!, starts, sizes), rest);
    });
  },
  SplitV: ({ graph, inputs: [x], attributes }) => {
    const axis = axisOf((attributes["axis"] as number | undefined) ?? 0, x!.shape.length);
    const shaped = { shape: [...x!.shape] } as unknown as tf.Tensor;
    const sizes = tf.backend_util.prepareSplitSize(shaped, attributes["numOrSizeSplits"] as number[], axis);
    if (sizes.length === 1) return [x!];
    const outputs = sizes.map((size) => ({ shape: x!.shape.map((s, i) => (i === axis ? size : s)), type: x!.type }));
    return graph.node("Split", [x!, graph.int64(sizes)], outputs, { axis });
  },
  PadV2: ({ graph, inputs: [x], attributes }) => {
    const { paddings, constantValue } = attributes as { paddings: [number, number][]; constantValue: number };
    return viaInteger(graph, x!, (y) => pad(graph, y, paddings, "constant", constantValue));
  },
  MirrorPad: ({ graph, inputs: [x], attributes }) => {
    const { paddings, mode } = attributes as { paddings: [number, number][]; mode: "reflect" | "symmetric" };
    if (mode === "reflect") return viaInteger(graph, x!, (y) => pad(graph, y, paddings, "reflect"));
    // Symmetric repeats the edge: gather the mirrored indices axis by axis.
    return paddings.reduce((y, [before, after], axis) => {
      const side = x!.shape[axis]!;
      const indices = Array.from({ length: before + side + after }, (_, i) => {
        const position = i - before;
        return position < 0 ? -position - 1 : position >= side ? 2 * side - 1 - position : position;
      });
      return before + after === 0 ? y : gather(graph, y, graph.constant(indices, [indices.length], "int32"), axis);
    }, x!);
  },
  Reverse: ({ graph, inputs: [x], attributes }) => {
    const axes = tf.util.parseAxisParam(attributes["dims"] as number[], [...x!.shape]);
    const starts = x!.shape.map((side, axis) => (axes.includes(axis) ? side - 1 : 0));
    const steps = x!.shape.map((_, axis) => (axes.includes(axis) ? -1 : 1));
    return slice(graph, x!, starts, x!.shape, steps);
  },
  GatherV2: ({ graph, named: { x, indices }, attributes }) => {
    const axis = axisOf((attributes["axis"] as number | undefined) ?? 0, x!.shape.length);
    const batchDims = (attributes["batchDims"] as number | undefined) ?? 0;
    if (batchDims !== 0) throw new Error("batchDims other than 0 is not supported; use one-hot products");
    return gather(graph, x!, cast(graph, indices!, "int32"), axis);
  },
  GatherNd: ({ graph, named: { params, indices } }) => {
    const depth = indices!.shape.at(-1)!;
    const shape = [...indices!.shape.slice(0, -1), ...params!.shape.slice(depth)];
    return graph.op("GatherND", [params!, cast(graph, indices!, "int64")], shape, params!.type);
  },
  OneHot: ({ graph, named: { indices }, attributes }) => {
    const { depth, onValue, offValue, dtype } = attributes as Record<"depth" | "onValue" | "offValue", number> & {
      dtype: ValueType;
    };
    const shape = [...indices!.shape, depth];
    const range = graph.constant(
      Array.from({ length: depth }, (_, i) => i),
      [depth],
      "int32",
    );
    const column = graph.reshape(cast(graph, indices!, "int32"), [...indices!.shape, 1]);
    const hit = graph.op("Equal", [column, range], shape, "bool");
    if (onValue === 1 && offValue === 0) return cast(graph, hit, dtype);
    const on = graph.fill([], onValue, dtype);
    return graph.op("Where", [hit, on, graph.fill([], offValue, dtype)], shape, dtype);
  },
  Range: ({ graph, attributes }) => {
    const { start, stop, step, dtype } = attributes as Record<"start" | "stop" | "step", number> & { dtype: ValueType };
    const count = Math.max(0, Math.ceil((stop - start) / step));
    return graph.constant(
      Array.from({ length: count }, (_, i) => start + i * step),
      [count],
      dtype,
    );
  },
  LinSpace: ({ graph, attributes }) => {
    const { start, stop, num } = attributes as Record<"start" | "stop" | "num", number>;
    const step = num > 1 ? (stop - start) / (num - 1) : 0;
    return graph.constant(
      Array.from({ length: num }, (_, i) => start + i * step),
      [num],
      "float32",
    );
  },
  ResizeBilinear: ({ graph, named: { images }, attributes }) => {
    const { alignCorners, halfPixelCenters, size } = attributes as {
      alignCorners: boolean;
      halfPixelCenters: boolean;
      size: [number, number];
    };
    const [, height, width] = images!.shape as [number, number, number, number];
    const [rows, columns] = [
      resizeMatrix(height, size[0], alignCorners, halfPixelCenters),
      resizeMatrix(width, size[1], alignCorners, halfPixelCenters),
    ];
    return resample(
      graph,
      cast(graph, images!, "float32"),
      graph.constant(rows, [size[0], height], "float32"),
      graph.constant(columns, [size[1], width], "float32"),
    );
  },
  ResizeBilinearGrad: ({ graph, named: { dy, images }, attributes }) => {
    const alignCorners = attributes["alignCorners"] as boolean;
    const [, height, width] = images!.shape as [number, number, number, number];
    const [, newHeight, newWidth] = dy!.shape as [number, number, number, number];
    // TensorFlow.js's gradient kernel does not pass half-pixel centres on, and neither do we.
    const rows = transposed(resizeMatrix(height, newHeight, alignCorners, false), newHeight, height);
    const columns = transposed(resizeMatrix(width, newWidth, alignCorners, false), newWidth, width);
    return resample(
      graph,
      dy!,
      graph.constant(rows, [height, newHeight], "float32"),
      graph.constant(columns, [width, newWidth], "float32"),
    );
  },
};

function gather(graph: Graph, x: GraphValue, indices: GraphValue, axis: number): GraphValue {
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return graph.op("Gather", [x, indices], shape, x.type, { axis });
}
