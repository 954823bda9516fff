/**
 * @file Convolutions and pooling, NHWC as in TensorFlow.js (NCHW is transposed on the way in and out).
 *
 * A small convolution is one matrix product over the patches of its input (im2col), forward and backward; a large one, whose
 * patches would not fit a cache, is ONNX Runtime's own in NCHW. Gradients of pooling are sums over the window's offsets.
 */
import tf from "@tensorflow/tfjs";
import { type Graph, type GraphValue, sameShape } from "../graph.js";
import type { Kernel, KernelContext } from "../tracer.js";
import { binary, scalar, select } from "./elementwise.js";
import { activate, addBias, product } from "./products.js";
import { concat, pad, slice } from "./shape.js";

type Info = ReturnType<typeof tf.backend_util.computeConv2DInfo>;
type Attributes = Readonly<Record<string, unknown>>;
type Four = [number, number, number, number];

/** Patch matrices up to this many elements (16 MB) are built; beyond, ONNX Runtime's convolution blocks better. */
const PATCH_ELEMENTS = 1 << 22;

const convInfo = (inShape: readonly number[], filter: readonly number[], a: Attributes, depthwise = false): Info => {
  let padding = a["pad"] as "same" | [number, number][];
  // Explicit padding comes in the order of the axes.
  if (a["dataFormat"] === "NCHW" && Array.isArray(padding))
    padding = [0, 2, 3, 1].map((axis) => padding[axis] as never);
  return tf.backend_util.computeConv2DInfo(
    [...inShape] as Four,
    [...filter] as Four,
    a["strides"] as number | [number, number],
    (a["dilations"] as number | [number, number] | undefined) ?? 1,
    padding as "same",
    a["dimRoundingMode"] as "floor" | undefined,
    depthwise,
  );
};

const poolInfo = (inShape: readonly number[], a: Attributes): Info =>
  tf.backend_util.computePool2DInfo(
    [...inShape] as Four,
    a["filterSize"] as number | [number, number],
    a["strides"] as number | [number, number],
    1,
    a["pad"] as "same",
    a["dimRoundingMode"] as "floor" | undefined,
  );

const nchw = (graph: Graph, x: GraphValue) => graph.transpose(x, [0, 3, 1, 2]);
const nhwc = (graph: Graph, x: GraphValue) => graph.transpose(x, [0, 2, 3, 1]);

/** What dataFormat asks for: values into NHWC and out of it, and a shape that was given. */
function layout(graph: Graph, a: Attributes) {
  const isChannelsFirst = a["dataFormat"] === "NCHW";
  return {
    isChannelsFirst,
    enter: (x: GraphValue) => (isChannelsFirst ? nhwc(graph, x) : x),
    leave: (y: GraphValue) => (isChannelsFirst ? nchw(graph, y) : y),
    shape: (shape: readonly number[]) => (isChannelsFirst ? [0, 2, 3, 1].map((axis) => shape[axis]!) : shape),
  };
}

/** The padding of the last row and column that the windows of `info` reach into, no more: ONNX takes it as given. */
function windowPads({ padInfo }: Info): [number, number, number, number] {
  return [padInfo.top, padInfo.left, padInfo.bottom, padInfo.right];
}

const windowAttributes = (info: Info) => ({
  kernel_shape: [info.filterHeight, info.filterWidth],
  strides: [info.strideHeight, info.strideWidth],
  pads: windowPads(info),
});

/** x with its border, so that every window of `info` lies inside. */
const padded = (graph: Graph, x: GraphValue, { padInfo }: Info, value = 0): GraphValue =>
  pad(
    graph,
    x,
    [
      [0, 0],
      [padInfo.top, padInfo.bottom],
      [padInfo.left, padInfo.right],
      [0, 0],
    ],
    "constant",
    value,
  );

/** For each offset of the window, row-major: the elements of a padded map that it meets, [B, outHeight, outWidth, C]. */
function taps(graph: Graph, map: GraphValue, info: Info): GraphValue[] {
  const [batch, , , channels] = map.shape as Four;
  const sizes = [batch, info.outHeight, info.outWidth, channels];
  const steps = [1, info.strideHeight, info.strideWidth, 1];
  return offsets(info).map(([row, column]) => slice(graph, map, [0, row, column, 0], sizes, steps));
}

function offsets(info: Info): [number, number][] {
  const { filterHeight, filterWidth, dilationHeight, dilationWidth } = info;
  return Array.from({ length: filterHeight * filterWidth }, (_, i) => [
    Math.floor(i / filterWidth) * dilationHeight,
    (i % filterWidth) * dilationWidth,
  ]);
}

/** The inverse of a tap: [B, outHeight, outWidth, C] put at the places of the padded map that it was read from, else 0. */
function place(graph: Graph, part: GraphValue, [row, column]: [number, number], info: Info, map: Four): GraphValue {
  const [batch, , , channels] = part.shape as Four;
  const spread = (x: GraphValue, axis: 1 | 2, stride: number): GraphValue => {
    if (stride === 1) return x;
    const [, height, width] = x.shape as Four;
    const shape = axis === 1 ? [batch, height, 1, width, channels] : [batch, height, width, 1, channels];
    const paddings = shape.map((_, i) => [0, i === axis + 1 ? stride - 1 : 0] as [number, number]);
    const sides = axis === 1 ? [height * stride, width] : [height, width * stride];
    return graph.reshape(pad(graph, graph.reshape(x, shape), paddings), [batch, ...sides, channels]);
  };
  const wide = spread(spread(part, 1, info.strideHeight), 2, info.strideWidth);
  // The zeros after the last element may reach over the edge.
  const height = Math.min(wide.shape[1]!, map[1] - row);
  const width = Math.min(wide.shape[2]!, map[2] - column);
  const cut = slice(graph, wide, [0, 0, 0, 0], [batch, height, width, channels]);
  return pad(graph, cut, [
    [0, 0],
    [row, map[1] - row - height],
    [column, map[2] - column - width],
    [0, 0],
  ]);
}

/** Sum of parts placed by their offsets, cut to the input's own extent. */
function gatherTaps(graph: Graph, parts: readonly GraphValue[], info: Info): GraphValue {
  const { padInfo, batchSize, inHeight, inWidth } = info;
  const channels = parts[0]!.shape[3]!;
  const map: Four = [
    batchSize,
    inHeight + padInfo.top + padInfo.bottom,
    inWidth + padInfo.left + padInfo.right,
    channels,
  ];
  const positions = offsets(info);
  const sum = parts
    .map((part, i) => place(graph, part, positions[i]!, info, map))
    .reduce((a, b) => binary(graph, "Add", a, b));
  return slice(graph, sum, [0, padInfo.top, padInfo.left, 0], [batchSize, inHeight, inWidth, channels]);
}

const isPointwise = (info: Info): boolean =>
  info.filterHeight === 1 &&
  info.filterWidth === 1 &&
  info.strideHeight === 1 &&
  info.strideWidth === 1 &&
  windowPads(info).every((side) => side === 0);

/** The patches under every window: [B·outHeight·outWidth, filterHeight·filterWidth·C], in the filter's order. */
function patches(graph: Graph, x: GraphValue, info: Info): GraphValue {
  const parts = taps(graph, padded(graph, x, info), info);
  const rows = info.batchSize * info.outHeight * info.outWidth;
  return graph.reshape(concat(graph, parts, 3), [rows, parts.length * x.shape[3]!]);
}

const patchElements = (info: Info, channels: number): number =>
  info.batchSize * info.outHeight * info.outWidth * info.filterHeight * info.filterWidth * channels;

function conv2d(graph: Graph, x: GraphValue, filter: GraphValue, info: Info): GraphValue {
  const [height, width, inChannels, outChannels] = filter.shape as Four;
  if (isPointwise(info) || patchElements(info, inChannels) <= PATCH_ELEMENTS) {
    const weights = graph.reshape(filter, [height * width * inChannels, outChannels]);
    return graph.reshape(product(graph, patches(graph, x, info), weights), info.outShape);
  }
  const [batch, outHeight, outWidth] = info.outShape as Four;
  const attributes = { ...windowAttributes(info), dilations: [info.dilationHeight, info.dilationWidth] };
  const inputs = [nchw(graph, x), graph.transpose(filter, [3, 2, 0, 1])];
  return nhwc(graph, graph.op("Conv", inputs, [batch, outChannels, outHeight, outWidth], "float32", attributes));
}

/** ONNX's transposed convolution that undoes the shape of `info`; weights [outChannels, inChannels / group, kh, kw]. */
function convTranspose(graph: Graph, dy: GraphValue, weights: GraphValue, info: Info, group: number): GraphValue {
  const extent = (out: number, stride: number, kernel: number, dilation: number, before: number, after: number) =>
    stride * (out - 1) + (kernel - 1) * dilation + 1 - before - after;
  const { padInfo } = info;
  const restHeight =
    info.inHeight -
    extent(info.outHeight, info.strideHeight, info.filterHeight, info.dilationHeight, padInfo.top, padInfo.bottom);
  const restWidth =
    info.inWidth -
    extent(info.outWidth, info.strideWidth, info.filterWidth, info.dilationWidth, padInfo.left, padInfo.right);
  const attributes = {
    ...windowAttributes(info),
    dilations: [info.dilationHeight, info.dilationWidth],
    output_padding: [restHeight, restWidth],
    group,
  };
  const shape = [info.batchSize, info.inChannels, info.inHeight, info.inWidth];
  return nhwc(graph, graph.op("ConvTranspose", [nchw(graph, dy), weights], shape, "float32", attributes));
}

function conv2dInputGradient(graph: Graph, dy: GraphValue, filter: GraphValue, info: Info): GraphValue {
  if (!sameShape(dy.shape, info.outShape)) {
    throw new Error(`a convolution of [${info.inShape}] gives [${info.outShape}], its gradient came as [${dy.shape}]`);
  }
  const [height, width, inChannels, outChannels] = filter.shape as Four;
  const unit = info.strideHeight === 1 && info.strideWidth === 1;
  if (unit && (isPointwise(info) || patchElements(info, outChannels) <= PATCH_ELEMENTS)) {
    // With stride 1 it is the convolution of dy with the filter turned by half a turn, its channels swapped.
    const turned = slice(graph, filter, [height - 1, width - 1, 0, 0], filter.shape, [-1, -1, 1, 1]);
    const reachDown = (height - 1) * info.dilationHeight;
    const reachRight = (width - 1) * info.dilationWidth;
    const top = reachDown - info.padInfo.top;
    const left = reachRight - info.padInfo.left;
    const bottom = info.inHeight + reachDown - info.outHeight - top;
    const right = info.inWidth + reachRight - info.outWidth - left;
    if (top >= 0 && left >= 0 && bottom >= 0 && right >= 0) {
      const back = {
        ...info,
        outHeight: info.inHeight,
        outWidth: info.inWidth,
        padInfo: { ...info.padInfo, top, left, bottom, right },
      };
      const weights = graph.reshape(graph.transpose(turned, [0, 1, 3, 2]), [height * width * outChannels, inChannels]);
      return graph.reshape(product(graph, patches(graph, dy, back), weights), info.inShape);
    }
  }
  return convTranspose(graph, dy, graph.transpose(filter, [3, 2, 0, 1]), info, 1);
}

function conv2dFilterGradient(graph: Graph, x: GraphValue, dy: GraphValue, info: Info): GraphValue {
  const rows = info.batchSize * info.outHeight * info.outWidth;
  const flat = graph.reshape(dy, [rows, info.outChannels]);
  if (patchElements(info, info.inChannels) <= PATCH_ELEMENTS) {
    return graph.reshape(product(graph, patches(graph, x, info), flat, true, false), info.filterShape);
  }
  const parts = taps(graph, padded(graph, x, info), info).map((tap) =>
    product(graph, graph.reshape(tap, [rows, info.inChannels]), flat, true, false),
  );
  return graph.reshape(concat(graph, parts, 0), info.filterShape);
}

/** Weights of a depthwise convolution as ONNX groups them: [channels·multiplier, 1, kh, kw]. */
function groupWeights(graph: Graph, filter: GraphValue): GraphValue {
  const [height, width, channels, multiplier] = filter.shape as Four;
  return graph.reshape(graph.transpose(filter, [2, 3, 0, 1]), [channels * multiplier, 1, height, width]);
}

function depthwise(graph: Graph, x: GraphValue, filter: GraphValue, info: Info): GraphValue {
  const [batch, outHeight, outWidth, outChannels] = info.outShape as Four;
  const attributes = {
    ...windowAttributes(info),
    dilations: [info.dilationHeight, info.dilationWidth],
    group: info.inChannels,
  };
  const inputs = [nchw(graph, x), groupWeights(graph, filter)];
  return nhwc(graph, graph.op("Conv", inputs, [batch, outChannels, outHeight, outWidth], "float32", attributes));
}

function withBias(
  graph: Graph,
  y: GraphValue,
  { bias, preluActivationWeights }: KernelContext["named"],
  a: Attributes,
  isChannelsFirst: boolean,
): GraphValue {
  // TensorFlow.js's biases and slopes of one axis belong to the channels, wherever those are.
  const perChannel = (x: GraphValue | undefined) =>
    x !== undefined && isChannelsFirst && x.shape.length === 1 ? graph.reshape(x, [x.shape[0]!, 1, 1]) : x;
  const offset = perChannel(bias);
  const sum = offset === undefined ? y : (addBias(graph, y, offset) ?? binary(graph, "Add", y, offset));
  return activate(graph, sum, a["activation"] as string | undefined, perChannel(preluActivationWeights), a);
}

/** How many elements of the input each window covers, [1, outHeight, outWidth, 1]: the border does not count. */
function windowCounts(graph: Graph, info: Info): GraphValue {
  const along = (out: number, side: number, stride: number, kernel: number, before: number) =>
    Array.from({ length: out }, (_, i) => {
      const start = i * stride - before;
      return Math.max(0, Math.min(start + kernel, side) - Math.max(start, 0));
    });
  const rows = along(info.outHeight, info.inHeight, info.strideHeight, info.filterHeight, info.padInfo.top);
  const columns = along(info.outWidth, info.inWidth, info.strideWidth, info.filterWidth, info.padInfo.left);
  const counts = rows.flatMap((row) => columns.map((column) => row * column));
  return graph.constant(counts, [1, info.outHeight, info.outWidth, 1], "float32");
}

/** TensorFlow.js hands the input through here, whatever the strides. */
const isWhole = (info: Info): boolean =>
  info.filterHeight === 1 && info.filterWidth === 1 && sameShape(info.inShape, info.outShape);

/** With `dimRoundingMode` windows may begin in the last of the padding or reach beyond it: padded so that all of them fit. */
function fitted(info: Info): Info {
  const { padInfo, outHeight, outWidth, inHeight, inWidth } = info;
  const bottom = (outHeight - 1) * info.strideHeight + info.filterHeight - inHeight - padInfo.top;
  const right = (outWidth - 1) * info.strideWidth + info.filterWidth - inWidth - padInfo.left;
  return {
    ...info,
    padInfo: { ...padInfo, bottom: Math.max(padInfo.bottom, bottom), right: Math.max(padInfo.right, right) },
  };
}

/** ONNX refuses windows that lie in the padding alone. */
const isPlain = (info: Info): boolean => {
  const [top, left, bottom, right] = windowPads(info);
  return Math.max(top, bottom) < info.filterHeight && Math.max(left, right) < info.filterWidth;
};

export const convolutionKernels: Record<string, Kernel> = {
  Conv2D: ({ graph, named: { x, filter }, attributes }) => {
    const { enter, leave } = layout(graph, attributes);
    const input = enter(x!);
    return leave(conv2d(graph, input, filter!, convInfo(input.shape, filter!.shape, attributes)));
  },
  FusedConv2D: ({ graph, named, attributes }) => {
    const { enter, leave, isChannelsFirst } = layout(graph, attributes);
    const [input, filter] = [enter(named["x"]!), named["filter"]!];
    const y = leave(conv2d(graph, input, filter, convInfo(input.shape, filter.shape, attributes)));
    return withBias(graph, y, named, attributes, isChannelsFirst);
  },
  Conv2DBackpropInput: ({ graph, named: { dy, filter }, attributes }) => {
    const { enter, leave, shape } = layout(graph, attributes);
    const info = convInfo(shape(attributes["inputShape"] as number[]), filter!.shape, attributes);
    return leave(conv2dInputGradient(graph, enter(dy!), filter!, info));
  },
  Conv2DBackpropFilter: ({ graph, named: { x, dy }, attributes }) => {
    const { enter } = layout(graph, attributes);
    const input = enter(x!);
    const info = convInfo(input.shape, attributes["filterShape"] as number[], attributes);
    return conv2dFilterGradient(graph, input, enter(dy!), info);
  },
  DepthwiseConv2dNative: ({ graph, named: { x, filter }, attributes }) =>
    depthwise(graph, x!, filter!, convInfo(x!.shape, filter!.shape, attributes, true)),
  FusedDepthwiseConv2D: ({ graph, named, attributes }) => {
    const { x, filter } = named;
    const y = depthwise(graph, x!, filter!, convInfo(x!.shape, filter!.shape, attributes, true));
    return withBias(graph, y, named, attributes, false);
  },
  DepthwiseConv2dNativeBackpropInput: ({ graph, named: { dy, filter }, attributes }) => {
    const info = convInfo(attributes["inputShape"] as number[], filter!.shape, attributes, true);
    return convTranspose(graph, dy!, groupWeights(graph, filter!), info, info.inChannels);
  },
  DepthwiseConv2dNativeBackpropFilter: ({ graph, named: { x, dy }, attributes }) => {
    const shape = attributes["filterShape"] as Four;
    const info = convInfo(x!.shape, shape, attributes, true);
    const [, , channels, multiplier] = shape;
    const rows = info.batchSize * info.outHeight * info.outWidth;
    const gradient = graph.reshape(dy!, [rows, channels, multiplier]);
    const parts = taps(graph, padded(graph, x!, info), info).map((tap) => {
      const products = binary(graph, "Mul", graph.reshape(tap, [rows, channels, 1]), gradient);
      return graph.op("ReduceSum", [products, graph.int64([0])], [1, channels, multiplier], "float32", { keepdims: 1 });
    });
    return graph.reshape(concat(graph, parts, 0), shape);
  },

  MaxPool: ({ graph, inputs: [x], attributes }) => {
    const info = fitted(poolInfo(x!.shape, attributes));
    if (isWhole(info)) return x!;
    if (!isPlain(info)) {
      const parts = taps(graph, padded(graph, x!, info, Number.NEGATIVE_INFINITY), info);
      return parts.reduce((a, b) => binary(graph, "Max", a, b));
    }
    const [batch, height, width, channels] = info.outShape as Four;
    const shape = [batch, channels, height, width];
    return nhwc(graph, graph.op("MaxPool", [nchw(graph, x!)], shape, "float32", windowAttributes(info)));
  },
  AvgPool: ({ graph, inputs: [x], attributes }) => {
    const info = fitted(poolInfo(x!.shape, attributes));
    if (isWhole(info)) return x!;
    if (!isPlain(info)) {
      const sum = taps(graph, padded(graph, x!, info), info).reduce((a, b) => binary(graph, "Add", a, b));
      return binary(graph, "Div", sum, windowCounts(graph, info));
    }
    const [batch, height, width, channels] = info.outShape as Four;
    const shape = [batch, channels, height, width];
    return nhwc(graph, graph.op("AveragePool", [nchw(graph, x!)], shape, "float32", windowAttributes(info)));
  },
  // The gradient goes to the first of equal maxima, in the window's row-major order.
  MaxPoolGrad: ({ graph, named: { dy, input, output }, attributes }) => {
    const info = fitted(poolInfo(input!.shape, attributes));
    let free: GraphValue | undefined;
    const parts = taps(graph, padded(graph, input!, info, Number.NEGATIVE_INFINITY), info).map((tap) => {
      const equal = graph.op("Equal", [tap, output!], output!.shape, "bool");
      const first = free === undefined ? equal : graph.op("And", [equal, free], output!.shape, "bool");
      const other = graph.op("Not", [first], output!.shape, "bool");
      free = free === undefined ? other : graph.op("And", [free, other], output!.shape, "bool");
      return select(graph, first, dy!, scalar(graph, 0));
    });
    return gatherTaps(graph, parts, info);
  },
  AvgPoolGrad: ({ graph, named: { dy, input }, attributes }) => {
    const info = fitted(poolInfo(input!.shape, attributes));
    const share = binary(graph, "Div", dy!, windowCounts(graph, info));
    return gatherTaps(
      graph,
      offsets(info).map(() => share),
      info,
    );
  },
};
