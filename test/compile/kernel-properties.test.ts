/**
 * @file Every kernel that the engine registers, called by its name on random shapes, options and values, equals TensorFlow.js's
 * CPU backend. A kernel without a property here fails the first test.
 */
import tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import {
  compileFunction,
  type DType,
  type HostTensor,
  type Signature,
  type Tensors,
} from "../../src/compile/compile.js";
import { registerAllKernels } from "../../src/compile/kernels/index.js";
import { supportedKernels } from "../../src/compile/tracer.js";
import { type Case, expectSameAsTfjs, lottery, randomValues } from "./against-tfjs.js";

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

type Attributes = Record<string, unknown>;

interface Property extends Partial<Omit<Case, "name" | "inputs">> {
  readonly inputs: Signature;
  readonly attributes?: Attributes;
  /** The kernel takes a list of tensors, not names. */
  readonly isList?: boolean;
}

/** Random choices of one property. */
class Chance {
  private readonly next: () => number;

  constructor(name: string, seed: number) {
    this.next = lottery(name, seed);
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(...choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)]!;
  }

  list<T>(count: number, item: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, i) => item(i));
  }

  shape(minRank = 0, maxRank = 4): number[] {
    return this.list(this.int(minRank, maxRank), () => this.int(1, 5));
  }

  /** A shape that broadcasts to `shape`: some axes 1, some leading ones missing. */
  broadcastable(shape: readonly number[]): number[] {
    return shape.map((side) => this.pick(side, side, 1)).slice(this.int(0, 1) * this.int(0, shape.length));
  }

  order(count: number): number[] {
    const left = this.list(count, (i) => i);
    return this.list(count, () => left.splice(this.int(0, left.length - 1), 1)[0]!);
  }

  integers(shape: readonly number[], low: number, high: number): HostTensor {
    const count = tf.util.sizeFromShape([...shape]);
    return { shape, data: Int32Array.from(this.list(count, () => this.int(low, high))) };
  }

  /** `count` different indices into the leading `depth` axes of `shape`: [count, depth]. */
  places(shape: readonly number[], depth: number, count: number): HostTensor {
    const lead = shape.slice(0, depth);
    const flat = this.order(tf.util.sizeFromShape(lead)).slice(0, count);
    const rows = flat.map((index) => {
      const place: number[] = [];
      for (const side of lead.toReversed()) {
        place.unshift(index % side);
        index = Math.floor(index / side);
      }
      return place;
    });
    return { shape: [count, depth], data: Int32Array.from(rows.flat()) };
  }
}

const float = (shape: readonly number[]) => ({ shape, dtype: "float32" as const });
const int = (shape: readonly number[]) => ({ shape, dtype: "int32" as const });
const bool = (shape: readonly number[]) => ({ shape, dtype: "bool" as const });
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

type PropertyOf = (chance: Chance) => Property;

const unary =
  (rest: Partial<Property> = {}, ...dtypes: DType[]): PropertyOf =>
  (chance) => ({ inputs: { x: { shape: chance.shape(), dtype: chance.pick("float32", ...dtypes) } }, ...rest });

const binary =
  (rest: Partial<Property> = {}, ...dtypes: DType[]): PropertyOf =>
  (chance) => {
    const shape = chance.shape();
    const dtype = dtypes.length === 0 ? "float32" : chance.pick(...dtypes);
    const [a, b] = [chance.broadcastable(shape), chance.broadcastable(shape)];
    return { inputs: { a: { shape: a, dtype }, b: { shape: b, dtype } }, ...rest };
  };

/** Two operands of which the second is not 0; the quotient of integers by it is theirs again. */
const quotient: PropertyOf = (chance) => {
  const shape = chance.shape();
  if (chance.pick(true, false)) return { inputs: { a: float(shape), b: float(shape) }, draw: "positive" };
  return { inputs: { a: int(shape), b: int(shape) }, values: { b: chance.integers(shape, 1, 5) } };
};

const reduction =
  (axesName: "axis" | "reductionIndices", ...dtypes: DType[]): PropertyOf =>
  (chance) => {
    const shape = chance.shape(1);
    const axes = chance.order(shape.length).slice(0, chance.int(1, shape.length)).sort();
    return {
      inputs: { x: { shape, dtype: chance.pick(...dtypes) } },
      attributes: { [axesName]: axes, keepDims: chance.pick(true, false) },
    };
  };

const argument: PropertyOf = (chance) => {
  const shape = chance.shape(1);
  return {
    inputs: { x: { shape, dtype: chance.pick("float32", "int32") } },
    attributes: { axis: chance.int(0, shape.length - 1) },
  };
};

const scan: PropertyOf = (chance) => {
  const shape = chance.shape(1);
  const [exclusive, reverse] = [chance.pick(true, false), chance.pick(true, false)];
  return {
    inputs: { x: { shape, dtype: chance.pick("float32", "int32") } },
    attributes: { axis: chance.int(0, shape.length - 1), exclusive, reverse },
  };
};

/** Shapes and options of a convolution, with the shape of its result. */
function convolution(chance: Chance, isDepthwise: boolean, mayDilate: boolean) {
  const dataFormat = isDepthwise ? "NHWC" : chance.pick("NHWC", "NCHW");
  const [inChannels, outChannels] = [chance.int(1, 4), chance.int(1, 4)];
  const filterShape = [chance.int(1, 3), chance.int(1, 3), inChannels, outChannels];
  const sides = [chance.int(5, 9), chance.int(5, 9)];
  const batch = chance.int(1, 3);
  const inputShape = dataFormat === "NHWC" ? [batch, ...sides, inChannels] : [batch, inChannels, ...sides];
  const strides = [chance.int(1, 3), chance.int(1, 3)];
  // TensorFlow.js dilates where it does not stride, and its gradients know no dilation.
  const dilations =
    mayDilate && strides.every((stride) => stride === 1) ? [chance.int(1, 2), chance.int(1, 2)] : [1, 1];
  const borders = chance.list(2, () => [chance.int(0, 2), chance.int(0, 2)]);
  const none = [0, 0];
  const explicit = dataFormat === "NHWC" ? [none, ...borders, none] : [none, none, ...borders];
  const pad = chance.pick<unknown>("same", "valid", explicit);
  const { outShape } = tf.backend_util.computeConv2DInfo(
    inputShape as never,
    filterShape as never,
    strides as never,
    dilations as never,
    pad as "same",
    undefined,
    isDepthwise,
    dataFormat === "NHWC" ? "channelsLast" : "channelsFirst",
  );
  return { inputShape, filterShape, outShape, attributes: { strides, dilations, pad, dataFormat } };
}

const forward =
  (isDepthwise: boolean): PropertyOf =>
  (chance) => {
    const { inputShape, filterShape, attributes } = convolution(chance, isDepthwise, true);
    return { inputs: { x: float(inputShape), filter: float(filterShape) }, attributes, tolerance: 2e-5 };
  };

const fusedConvolution =
  (isDepthwise: boolean): PropertyOf =>
  (chance) => {
    const { inputShape, filterShape, outShape, attributes } = convolution(chance, isDepthwise, true);
    const channels = outShape[attributes.dataFormat === "NHWC" ? 3 : 1]!;
    const activation = chance.pick("linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu");
    const inputs = { x: float(inputShape), filter: float(filterShape), bias: float([channels]) };
    return {
      inputs: activation === "prelu" ? { ...inputs, preluActivationWeights: float([channels]) } : inputs,
      attributes: { ...attributes, activation, leakyreluAlpha: 0.3 },
      tolerance: 2e-5,
    };
  };

const inputGradient =
  (isDepthwise: boolean): PropertyOf =>
  (chance) => {
    const { inputShape, filterShape, outShape, attributes } = convolution(chance, isDepthwise, false);
    return {
      inputs: { dy: float(outShape), filter: float(filterShape) },
      attributes: { ...attributes, inputShape },
      tolerance: 5e-5,
    };
  };

const filterGradient =
  (isDepthwise: boolean): PropertyOf =>
  (chance) => {
    const { inputShape, filterShape, outShape, attributes } = convolution(chance, isDepthwise, false);
    return {
      inputs: { x: float(inputShape), dy: float(outShape) },
      attributes: { ...attributes, filterShape },
      tolerance: 5e-5,
    };
  };

function pool(chance: Chance, pads: readonly string[] = ["same", "valid"]) {
  const shape = [chance.int(1, 3), chance.int(4, 9), chance.int(4, 9), chance.int(1, 4)];
  const [filterSize, strides] = [
    [chance.int(1, 4), chance.int(1, 4)],
    [chance.int(1, 3), chance.int(1, 3)],
  ];
  const pad = chance.pick(...pads);
  const { outShape } = tf.backend_util.computePool2DInfo(
    shape as never,
    filterSize as never,
    strides as never,
    1,
    pad as "same",
  );
  return { shape, outShape, attributes: { filterSize, strides, pad } };
}

function resizing(chance: Chance, batch: number, isSquare = false) {
  const channels = chance.int(1, 3);
  const [height, newHeight] = [chance.int(2, 7), chance.int(2, 9)];
  const [width, newWidth] = isSquare ? [height, newHeight] : [chance.int(2, 7), chance.int(2, 9)];
  const alignCorners = chance.pick(true, false);
  const halfPixelCenters = !alignCorners && chance.pick(true, false);
  return {
    from: [batch, height, width, channels],
    to: [batch, newHeight, newWidth, channels],
    attributes: { alignCorners, halfPixelCenters, size: [newHeight, newWidth] },
  };
}

const resize: PropertyOf = (chance) => {
  const { from, attributes } = resizing(chance, chance.int(1, 3));
  return { inputs: { images: float(from) }, attributes };
};

/** TensorFlow.js's own kernels mistake the second image for the first, height for width, half-pixel centres for others. */
const resizeGradient: PropertyOf = (chance) => {
  const { from, to, attributes } = resizing(chance, 1, true);
  return { inputs: { images: float(from), dy: float(to) }, attributes: { ...attributes, halfPixelCenters: false } };
};

function product(chance: Chance) {
  const [rows, inner, columns] = [chance.int(1, 6), chance.int(1, 6), chance.int(1, 6)];
  const [transposeA, transposeB] = [chance.pick(true, false), chance.pick(true, false)];
  const batch = chance.int(1, 3);
  const a = [chance.pick(batch, 1), ...(transposeA ? [inner, rows] : [rows, inner])];
  const b = [chance.pick(batch, 1), ...(transposeB ? [columns, inner] : [inner, columns])];
  return { inputs: { a: float(a), b: float(b) }, attributes: { transposeA, transposeB }, columns };
}

function scatter(chance: Chance) {
  const shape = chance.shape(1, 3);
  const depth = chance.int(1, shape.length);
  const count = chance.int(1, tf.util.sizeFromShape(shape.slice(0, depth)));
  return { shape, indices: chance.places(shape, depth, count), updates: [count, ...shape.slice(depth)] };
}

const counting: PropertyOf = (chance) => {
  const shape = [chance.int(1, 9)];
  const weights = chance.pick(shape, [0]);
  return {
    inputs: { x: int(shape), weights: float(weights) },
    values: { x: chance.integers(shape, 0, 6) },
    attributes: { size: chance.int(1, 5), binaryOutput: false },
  };
};

/** Numbers, what is none, and infinities. */
const special: PropertyOf = (chance) => {
  const shape = chance.shape(1);
  const count = tf.util.sizeFromShape(shape);
  const data = Float32Array.from(chance.list(count, () => chance.pick(0, -1.5, Number.NaN, Infinity, -Infinity)));
  return { inputs: { x: float(shape) }, values: { x: { shape, data } } };
};

const neighbours = (chance: Chance): Attributes => ({
  depthRadius: chance.int(0, 3),
  bias: 1 + chance.int(0, 2),
  alpha: 0.5,
  beta: chance.pick(0.5, 0.75),
});

const PROPERTIES: Readonly<Record<string, PropertyOf>> = {
  Abs: unary({}, "int32"),
  Acos: unary({ draw: "unit" }),
  Acosh: unary({ draw: "positive" }),
  Add: binary({}, "float32", "int32"),
  AddN: (chance) => {
    const shape = chance.shape();
    return { inputs: Object.fromEntries(range(chance.int(1, 4)).map((i) => [i, float(shape)])), isList: true };
  },
  All: reduction("axis", "bool"),
  Any: reduction("axis", "bool"),
  ArgMax: argument,
  ArgMin: argument,
  Asin: unary({ draw: "unit" }),
  Asinh: unary(),
  Atan: unary(),
  Atan2: binary(),
  Atanh: unary({ draw: "unit" }),
  AvgPool: (chance) => {
    const { shape, attributes } = pool(chance);
    return { inputs: { x: float(shape) }, attributes };
  },
  // At a padded border TensorFlow.js divides by the whole window, we by what it covers.
  AvgPoolGrad: (chance) => {
    const { shape, outShape, attributes } = pool(chance, ["valid"]);
    return { inputs: { dy: float(outShape), input: float(shape) }, attributes };
  },
  BatchMatMul: (chance) => {
    const { inputs, attributes } = product(chance);
    return { inputs, attributes };
  },
  BatchToSpaceND: (chance) => {
    const blockShape = [chance.int(1, 2), chance.int(1, 3)];
    const shape = [blockShape[0]! * blockShape[1]! * chance.int(1, 2), chance.int(2, 4), chance.int(2, 4), 2];
    const crops = blockShape.map((block) => [chance.int(0, block - 1), chance.int(0, 1)]);
    return { inputs: { x: float(shape) }, attributes: { blockShape, crops } };
  },
  Bincount: counting,
  BitwiseAnd: binary({}, "int32"),
  Cast: (chance) => {
    const dtype = chance.pick("float32", "int32", "bool");
    return {
      inputs: { x: { shape: chance.shape(), dtype: chance.pick("float32", "int32", "bool") } },
      attributes: { dtype },
    };
  },
  Ceil: unary(),
  ClipByValue: unary({ attributes: { clipValueMin: -0.5, clipValueMax: 0.7 } }),
  Concat: (chance) => {
    const shape = chance.shape(1);
    const axis = chance.int(0, shape.length - 1);
    const part = () => float(shape.map((side, i) => (i === axis ? chance.int(0, 3) : side)));
    const whole = float(shape);
    return { inputs: { 0: part(), 1: whole, 2: part() }, attributes: { axis }, isList: true };
  },
  Conv2D: forward(false),
  Conv2DBackpropFilter: filterGradient(false),
  Conv2DBackpropInput: inputGradient(false),
  Cos: unary(),
  Cosh: unary(),
  Cumprod: scan,
  Cumsum: scan,
  DenseBincount: (chance) => {
    const shape = [chance.int(1, 4), chance.int(1, 5)];
    return {
      inputs: { x: int(shape), weights: float(chance.pick(shape, [0])) },
      values: { x: chance.integers(shape, 0, 6) },
      attributes: { size: chance.int(1, 5), binaryOutput: chance.pick(true, false) },
    };
  },
  DepthToSpace: (chance) => {
    const blockSize = chance.int(2, 3);
    const shape = [chance.int(1, 2), chance.int(1, 3), chance.int(1, 3), blockSize ** 2 * chance.int(1, 3)];
    return { inputs: { x: float(shape) }, attributes: { blockSize, dataFormat: "NHWC" } };
  },
  DepthwiseConv2dNative: forward(true),
  DepthwiseConv2dNativeBackpropFilter: filterGradient(true),
  DepthwiseConv2dNativeBackpropInput: inputGradient(true),
  Diag: unary({}, "int32"),
  Einsum: (chance) => {
    const [b, i, j, k] = chance.list(4, () => chance.int(1, 4)) as [number, number, number, number];
    const [equation, left, right] = chance.pick(
      ["bij,bjk->bik", [b, i, j], [b, j, k]],
      ["ij,kj->ik", [i, j], [k, j]],
      ["i,j->ji", [i], [j]],
    ) as [string, number[], number[]];
    return { inputs: { 0: float(left), 1: float(right) }, attributes: { equation }, isList: true };
  },
  Elu: unary(),
  EluGrad: (chance) => {
    const shape = chance.shape();
    return { inputs: { dy: float(shape), y: float(shape) }, draw: "unit" };
  },
  Equal: binary({}, "float32", "int32", "bool"),
  Erf: unary(),
  Exp: unary(),
  ExpandDims: (chance) => {
    const shape = chance.shape();
    return { inputs: { input: float(shape) }, attributes: { dim: chance.int(-shape.length - 1, shape.length) } };
  },
  Expm1: unary(),
  Fill: (chance) => ({
    inputs: {},
    attributes: { shape: chance.shape(), value: chance.int(-3, 3), dtype: chance.pick("float32", "int32") },
  }),
  FlipLeftRight: (chance) => ({ inputs: { image: float(chance.shape(4, 4)) } }),
  Floor: unary(),
  FloorDiv: quotient,
  FusedBatchNorm: (chance) => {
    const shape = chance.shape(1);
    const moments = chance.pick(shape, shape.slice(-1));
    const inputs = { x: float(shape), mean: float(moments), variance: float(moments) };
    const affine = { scale: float(moments), offset: float(moments) };
    return {
      inputs: chance.pick(true, false) ? { ...inputs, ...affine } : inputs,
      attributes: { varianceEpsilon: 0.01 },
      draw: "positive",
    };
  },
  FusedConv2D: fusedConvolution(false),
  FusedDepthwiseConv2D: fusedConvolution(true),
  GatherNd: (chance) => {
    const { shape, indices } = scatter(chance);
    return { inputs: { params: float(shape), indices: int(indices.shape) }, values: { indices } };
  },
  GatherV2: (chance) => {
    const shape = chance.shape(2, 4);
    const batchDims = chance.int(0, 1);
    const axis = chance.int(batchDims, shape.length - 1);
    const indices = chance.integers([...shape.slice(0, batchDims), ...chance.shape(1, 2)], 0, shape[axis]! - 1);
    return {
      inputs: { x: float(shape), indices: int(indices.shape) },
      values: { indices },
      attributes: { axis, batchDims },
    };
  },
  Greater: binary({}, "float32", "int32"),
  GreaterEqual: binary({}, "float32", "int32"),
  Identity: unary({}, "int32", "bool"),
  IsFinite: special,
  IsInf: special,
  IsNan: special,
  LRN: (chance) => ({ inputs: { x: float(chance.shape(4, 4)) }, attributes: neighbours(chance) }),
  LRNGrad: (chance) => {
    const shape = chance.shape(4, 4);
    return { inputs: { x: float(shape), y: float(shape), dy: float(shape) }, attributes: neighbours(chance) };
  },
  LeakyRelu: unary({ attributes: { alpha: 0.1 } }),
  Less: binary({}, "float32", "int32"),
  LessEqual: binary({}, "float32", "int32"),
  LinSpace: (chance) => ({
    inputs: {},
    attributes: { start: chance.int(-3, 3), stop: chance.int(-3, 3), num: chance.int(1, 7) },
  }),
  Log: unary({ draw: "positive" }),
  Log1p: unary({ draw: "positive" }),
  LogicalAnd: binary({}, "bool"),
  LogicalNot: (chance) => ({ inputs: { x: bool(chance.shape()) } }),
  LogicalOr: binary({}, "bool"),
  Max: reduction("reductionIndices", "float32", "int32"),
  MaxPool: (chance) => {
    const { shape, attributes } = pool(chance);
    return { inputs: { x: float(shape) }, attributes };
  },
  MaxPoolGrad: (chance) => {
    const { shape, outShape, attributes } = pool(chance);
    return {
      inputs: { dy: float(outShape), input: float(shape) },
      fn: ({ dy, input }) => {
        const output = call("MaxPool", { x: input! }, attributes) as tf.Tensor;
        return call("MaxPoolGrad", { dy: dy!, input: input!, output }, attributes);
      },
    };
  },
  Maximum: binary({}, "float32", "int32"),
  Mean: reduction("axis", "float32", "int32"),
  Min: reduction("axis", "float32", "int32"),
  Minimum: binary({}, "float32", "int32"),
  MirrorPad: (chance) => {
    const shape = chance.list(chance.int(1, 4), () => chance.int(2, 5));
    const paddings = shape.map((side) => [chance.int(0, side - 1), chance.int(0, side - 1)]);
    return { inputs: { x: float(shape) }, attributes: { paddings, mode: chance.pick("reflect", "symmetric") } };
  },
  Mod: quotient,
  Multiply: binary({}, "float32", "int32"),
  Neg: unary({}, "int32"),
  NotEqual: binary({}, "float32", "int32", "bool"),
  OneHot: (chance) => {
    const shape = chance.shape(1, 3);
    const dtype = chance.pick("float32", "int32", "bool");
    const [onValue, offValue] = dtype === "bool" ? [1, 0] : [chance.int(1, 2), chance.int(-1, 0)];
    return {
      inputs: { indices: int(shape) },
      values: { indices: chance.integers(shape, -1, 5) },
      attributes: { depth: chance.int(1, 5), onValue, offValue, dtype },
    };
  },
  OnesLike: unary({}, "int32", "bool"),
  Pack: (chance) => {
    const shape = chance.shape(0, 3);
    const inputs = Object.fromEntries(range(chance.int(1, 4)).map((i) => [i, float(shape)]));
    return { inputs, attributes: { axis: chance.int(0, shape.length) }, isList: true };
  },
  PadV2: (chance) => {
    const shape = chance.shape(1);
    const paddings = shape.map(() => [chance.int(0, 3), chance.int(0, 3)]);
    const inputs = { x: { shape, dtype: chance.pick("float32", "int32") } } as const;
    return { inputs, attributes: { paddings, constantValue: chance.int(-1, 1) } };
  },
  Pow: binary({ draw: "positive" }),
  Prelu: (chance) => {
    const shape = chance.shape();
    return { inputs: { x: float(shape), alpha: float(chance.broadcastable(shape)) } };
  },
  Prod: reduction("axis", "float32", "int32"),
  Range: (chance) => {
    const [start, stop] = [chance.int(-4, 4), chance.int(-4, 4)];
    const step = (stop < start ? -1 : 1) * chance.int(1, 3);
    return { inputs: {}, attributes: { start, stop, step, dtype: chance.pick("float32", "int32") } };
  },
  RealDiv: binary({ draw: "positive" }),
  Reciprocal: unary({ draw: "positive" }),
  Relu: unary({}, "int32"),
  Relu6: unary({}, "int32"),
  Reshape: (chance) => {
    const shape = chance.shape(2, 4);
    const [first, ...rest] = chance.order(shape.length).map((axis) => shape[axis]!);
    return { inputs: { x: float(shape) }, attributes: { shape: chance.pick([-1, ...rest], [first, ...rest]) } };
  },
  ResizeBilinear: resize,
  ResizeBilinearGrad: resizeGradient,
  ResizeNearestNeighbor: resize,
  ResizeNearestNeighborGrad: resizeGradient,
  Reverse: (chance) => {
    const shape = chance.shape(1);
    return { inputs: { x: float(shape) }, attributes: { dims: chance.order(shape.length).slice(chance.int(0, 1)) } };
  },
  Round: unary(),
  Rsqrt: unary({ draw: "positive" }),
  ScatterNd: (chance) => {
    const { shape, updates, indices } = scatter(chance);
    // Equal indices add up.
    const [count, depth] = indices.shape as [number, number];
    const twice = { shape: [2 * count, depth], data: Int32Array.from([...indices.data, ...indices.data]) };
    const both = { shape: [2 * count, ...updates.slice(1)], dtype: chance.pick<DType>("float32", "int32") };
    return { inputs: { indices: int(twice.shape), updates: both }, values: { indices: twice }, attributes: { shape } };
  },
  SearchSorted: (chance) => {
    const [batch, length, count] = [chance.int(1, 3), chance.int(1, 6), chance.int(1, 5)];
    const rows = chance.list(batch, () => chance.list(length, () => chance.int(-4, 4)).sort((a, b) => a - b));
    return {
      inputs: { sortedSequence: int([batch, length]), values: int([batch, count]) },
      values: { sortedSequence: { shape: [batch, length], data: Int32Array.from(rows.flat()) } },
      attributes: { side: chance.pick("left", "right") },
    };
  },
  Select: (chance) => {
    const shape = chance.shape();
    const dtype = chance.pick("float32", "int32", "bool");
    return { inputs: { condition: bool(shape), t: { shape, dtype }, e: { shape, dtype } } };
  },
  Selu: unary(),
  Sigmoid: unary(),
  Sign: unary({}, "int32"),
  Sin: unary(),
  Sinh: unary(),
  Slice: (chance) => {
    const shape = chance.shape(1);
    const begin = shape.map((side) => chance.int(0, side - 1));
    const size = shape.map((side, axis) => chance.pick(-1, chance.int(0, side - begin[axis]!)));
    return { inputs: { x: float(shape) }, attributes: { begin, size } };
  },
  Softmax: (chance) => {
    const shape = chance.shape(1);
    return { inputs: { logits: float(shape) }, attributes: { dim: shape.length - 1 } };
  },
  Softplus: unary(),
  SpaceToBatchND: (chance) => {
    const blockShape = [chance.int(1, 3), chance.int(1, 3)];
    const sides = blockShape.map((block) => block * chance.int(1, 3));
    const paddings = blockShape.map((block) => chance.pick([0, 0], [block, 0], [0, block]));
    return { inputs: { x: float([chance.int(1, 2), ...sides, 2]) }, attributes: { blockShape, paddings } };
  },
  SparseToDense: (chance) => {
    const { shape, indices } = scatter(chance);
    const places = {
      shape: [indices.shape[0]!, shape.length],
      data: chance.places(shape, shape.length, indices.shape[0]!).data,
    };
    return {
      inputs: { sparseIndices: int(places.shape), sparseValues: float([places.shape[0]!]), defaultValue: float([]) },
      values: { sparseIndices: places },
      attributes: { outputShape: shape },
    };
  },
  SplitV: (chance) => {
    const numOrSizeSplits = chance.list(chance.int(1, 3), () => chance.int(1, 3));
    const total = numOrSizeSplits.reduce((sum, size) => sum + size, 0);
    const shape = chance.shape(1);
    const axis = chance.int(0, shape.length - 1);
    shape[axis] = total;
    return { inputs: { x: float(shape) }, attributes: { numOrSizeSplits, axis } };
  },
  Sqrt: unary({ draw: "positive" }),
  Square: unary({}, "int32"),
  SquaredDifference: binary({}, "float32", "int32"),
  Step: unary({ attributes: { alpha: 0.5 } }),
  StridedSlice: (chance) => {
    const shape = chance.shape(1, 3);
    const strides = shape.map(() => chance.pick(-2, -1, 1, 2));
    const ends = shape.map((side) => [chance.int(0, side - 1), chance.int(0, side)] as const);
    return {
      inputs: { x: float(shape) },
      attributes: {
        begin: ends.map(([begin]) => begin),
        end: ends.map(([, end]) => end),
        strides,
        beginMask: chance.int(0, 3),
        endMask: chance.int(0, 3),
        ellipsisMask: 0,
        newAxisMask: 0,
        shrinkAxisMask: 0,
      },
    };
  },
  Sub: binary({}, "float32", "int32"),
  Sum: reduction("axis", "float32", "int32", "bool"),
  Tan: unary({ draw: "unit" }),
  Tanh: unary(),
  TensorScatterUpdate: (chance) => {
    const { shape, updates, indices } = scatter(chance);
    return {
      inputs: { tensor: float(shape), indices: int(indices.shape), updates: float(updates) },
      values: { indices },
    };
  },
  Tile: (chance) => {
    const shape = chance.shape(1);
    return { inputs: { x: float(shape) }, attributes: { reps: shape.map(() => chance.int(1, 3)) } };
  },
  TopK: (chance) => {
    const shape = chance.shape(1);
    return { inputs: { x: float(shape) }, attributes: { k: chance.int(1, shape.at(-1)!), sorted: true } };
  },
  Transpose: (chance) => {
    const shape = chance.shape(1);
    return { inputs: { x: float(shape) }, attributes: { perm: chance.order(shape.length) } };
  },
  Unpack: (chance) => {
    const shape = chance.shape(1);
    return { inputs: { value: float(shape) }, attributes: { axis: chance.int(0, shape.length - 1) } };
  },
  UnsortedSegmentSum: (chance) => {
    const shape = chance.shape(1);
    const numSegments = chance.int(1, 5);
    const segmentIds = chance.integers(shape.slice(0, 1), 0, numSegments - 1);
    const inputs = { x: float(shape), segmentIds: int(segmentIds.shape) };
    return { inputs, values: { segmentIds }, attributes: { numSegments } };
  },
  ZerosLike: unary({}, "int32", "bool"),
  _FusedMatMul: (chance) => {
    const { inputs, attributes, columns } = product(chance);
    const activation = chance.pick("linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu");
    const withBias = { ...inputs, bias: float([columns]) };
    return {
      inputs: activation === "prelu" ? { ...withBias, preluActivationWeights: float([columns]) } : withBias,
      attributes: { ...attributes, activation, leakyreluAlpha: 0.3 },
    };
  },
};

function call(kernel: string, tensors: Tensors, attributes: Attributes): tf.Tensor | tf.Tensor[] {
  return tf.engine().runKernel(kernel, tensors, attributes as never);
}

describe("every kernel equals TensorFlow.js's on random shapes", () => {
  test("each has a property, and each property a kernel", () => {
    registerAllKernels();
    expect(Object.keys(PROPERTIES).sort()).toEqual(supportedKernels());
  });

  test.each(Object.keys(PROPERTIES))("%s", async (kernel) => {
    for (const seed of SEEDS) {
      const { inputs, attributes = {}, isList = false, ...rest } = PROPERTIES[kernel]!(new Chance(kernel, seed));
      const shapes = Object.values(inputs).map(({ shape, dtype }) => `${dtype}[${shape}]`);
      const fn = (given: Tensors) => call(kernel, isList ? (Object.values(given) as never) : given, attributes);
      await expectSameAsTfjs({ name: `${kernel} ${shapes} ${JSON.stringify(attributes)}`, inputs, fn, ...rest });
    }
  });
});

test.each(["ResizeBilinear", "ResizeNearestNeighbor"])("the gradient of %s is its adjoint", async (kernel) => {
  for (const seed of SEEDS) {
    const { from, to, attributes } = resizing(new Chance(kernel, seed), 2);
    const products = await compileFunction(
      ({ images, dy }) => {
        const there = call(kernel, { images: images! }, attributes) as tf.Tensor;
        const back = call(`${kernel}Grad`, { images: images!, dy: dy! }, attributes) as tf.Tensor;
        return { there: tf.sum(tf.mul(there, dy!)), back: tf.sum(tf.mul(back, images!)) };
      },
      { images: float(from), dy: float(to) },
      { name: kernel },
    );
    const { there, back } = await products.run(randomValues({ images: float(from), dy: float(to) }));
    expect(there!.data[0]).toBeCloseTo(back!.data[0]!, 3);
    await products.dispose();
  }
});
