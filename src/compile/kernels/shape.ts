/** @file Kernels that move elements without changing them (reshape, transpose, slices, joins, blocks), and ranges of numbers. */
import tf from "@tensorflow/tfjs";
import { UnsupportedOpError } from "../errors.js";
import { type Graph, type GraphValue, MAX_CONSTANT_BYTES, sizeOf } from "../graph.js";
import { type Kernel, valueType } from "../tracer.js";
import { cast } from "./elementwise.js";
import { gather } from "./indexing.js";

export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

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
  tf.backend_util.assertParamsConsistent(
    parts.map((part) => [...part.shape]),
    axis,
  );
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

export const shapeKernels: Record<string, Kernel> = {
  Reshape: ({ graph, inputs: [x], attributes }) =>
    graph.reshape(x!, tf.util.inferFromImplicitShape(attributes["shape"] as number[], sizeOf(x!.shape))),
  ExpandDims: ({ graph, inputs: [x], attributes }) => {
    const shape = [...x!.shape];
    const axis = axisOf(attributes["dim"] as number, shape.length + 1);
    if (axis < 0) throw new Error(`axis ${attributes["dim"]} is outside a tensor of rank ${shape.length}`);
    shape.splice(axis, 0, 1);
    return graph.reshape(x!, shape);
  },
  Transpose: ({ graph, inputs: [x], attributes }) => graph.transpose(x!, attributes["perm"] as number[]),
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
    for (const x of inputs) tf.util.assertShapesMatch([...x.shape], shape, "the tensors of a stack differ: ");
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
  SpaceToBatchND: ({ graph, inputs: [x], attributes }) => {
    const { blockShape, paddings } = attributes as { blockShape: number[]; paddings: [number, number][] };
    const none = (count: number) => Array.from({ length: count }, (): [number, number] => [0, 0]);
    const all = [...none(1), ...paddings, ...none(x!.shape.length - 1 - paddings.length)];
    const wide = viaInteger(graph, x!, (y) => pad(graph, y, all));
    const blocks = sizeOf(blockShape);
    const split = tf.backend_util.getReshaped([...wide.shape], blockShape, blocks, false);
    const order = tf.backend_util.getPermuted(split.length, blockShape.length, false);
    const shape = tf.backend_util.getReshapedPermuted([...wide.shape], blockShape, blocks, false);
    return graph.reshape(graph.transpose(graph.reshape(wide, split), order), shape);
  },
  BatchToSpaceND: ({ graph, inputs: [x], attributes }) => {
    const { blockShape, crops } = attributes as { blockShape: number[]; crops: [number, number][] };
    const blocks = sizeOf(blockShape);
    const split = tf.backend_util.getReshaped([...x!.shape], blockShape, blocks);
    const order = tf.backend_util.getPermuted(split.length, blockShape.length);
    const shape = tf.backend_util.getReshapedPermuted([...x!.shape], blockShape, blocks);
    const whole = graph.reshape(graph.transpose(graph.reshape(x!, split), order), shape);
    const starts = [0, ...crops.map(([before]) => before), ...shape.slice(crops.length + 1).map(() => 0)];
    const sizes = tf.backend_util.getSliceSize(shape, crops, blockShape.length);
    return slice(graph, whole, starts, [...sizes, ...shape.slice(sizes.length)]);
  },
  DepthToSpace: ({ graph, inputs: [x], attributes }) => {
    const { blockSize, dataFormat } = attributes as { blockSize: number; dataFormat: string };
    if (dataFormat !== "NHWC") throw new UnsupportedOpError(`dataFormat ${dataFormat} is not supported; use NHWC`);
    const [batch, height, width, depth] = x!.shape as [number, number, number, number];
    const channels = depth / blockSize ** 2;
    const split = graph.reshape(x!, [batch, height, width, blockSize, blockSize, channels]);
    const shape = [batch, height * blockSize, width * blockSize, channels];
    return graph.reshape(graph.transpose(split, [0, 1, 3, 2, 4, 5]), shape);
  },
  FlipLeftRight: ({ graph, named: { image } }) =>
    slice(graph, image!, [0, 0, image!.shape[2]! - 1, 0], image!.shape, [1, 1, -1, 1]),
  Reverse: ({ graph, inputs: [x], attributes }) => {
    const axes = tf.util.parseAxisParam(attributes["dims"] as number[], [...x!.shape]);
    const starts = x!.shape.map((side, axis) => (axes.includes(axis) ? side - 1 : 0));
    const steps = x!.shape.map((_, axis) => (axes.includes(axis) ? -1 : 1));
    return slice(graph, x!, starts, x!.shape, steps);
  },
  Range: ({ graph, attributes }) => {
    const { start, stop, step: given, dtype } = attributes as Record<"start" | "stop" | "step" | "dtype", number>;
    const type = valueType(dtype);
    // TensorFlow.js counts downwards where the step was left at its default.
    const step = stop < start && given === 1 ? -1 : given;
    const count = Math.max(0, Math.ceil((stop - start) / step));
    if (count * 4 > MAX_CONSTANT_BYTES) {
      const [first, end, delta] = [start, start + count * step, step].map((number) => graph.fill([], number, type));
      return graph.op("Range", [first!, end!, delta!], [count], type);
    }
    return graph.constant(
      Array.from({ length: count }, (_, i) => start + i * step),
      [count],
      type,
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
};
