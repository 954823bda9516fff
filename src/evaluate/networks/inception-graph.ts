/**
 * @file Inception v3 as the FID is defined by it, as an ONNX model: TensorFlow's graph of 2015 with its own pooling, from the weights that
 * pytorch-fid has converted. Batch normalization (ε = 0.001) is folded into the convolutions.
 *
 * Unlike torchvision's network, average pooling does not count the border, the last block takes the maximum, and there are 1008 classes.
 * The side branch of the training is not there.
 *
 * @source Szegedy et al. 2015, Rethinking the Inception Architecture for Computer Vision, arXiv 1512.00567, table 1 and figures 5 to 10;
 *   Heusel et al. 2017, arXiv 1706.08500; names of the parameters: pytorch-fid and torchvision.
 */
import onnxProto from "onnx-proto";
import { DataError } from "../../../data/errors.js";
import type { TorchTensor } from "../../../data/legacy-torch-file.js";

const { onnx } = onnxProto;
const { FLOAT, INT64 } = onnx.TensorProto.DataType;
const { AttributeType } = onnx.AttributeProto;

export const INCEPTION_PX = 299;
export const INCEPTION_DIM = 2048;
/** 17 × 17 places of the first 7 channels. */
export const INCEPTION_SPATIAL_DIM = 2023;
const SPATIAL_CHANNELS = 7;
const EPSILON = 1e-3;

export type Weights = Readonly<Record<string, TorchTensor>>;

/**
 * `image` [n, 3, 299, 299], (pixel − 128) / 128, to `pool` [n, 2048], `spatial` [n, 2023] (17·17 places, then channels) and `logits`
 * [n, 1008], which have no bias.
 *
 * @returns the bytes of the model, weights included: 96 MB.
 * @throws {DataError} a parameter that is missing, or of another shape than its layer's.
 */
export function inceptionModel(weights: Weights): Uint8Array {
  const net = new Builder(weights);
  let x = "image";
  x = net.conv(x, "Conv2d_1a_3x3", { stride: 2 });
  x = net.conv(x, "Conv2d_2a_3x3", { isPadded: false });
  x = net.conv(x, "Conv2d_2b_3x3");
  x = net.maxPool(x, 2);
  x = net.conv(x, "Conv2d_3b_1x1");
  x = net.conv(x, "Conv2d_4a_3x3", { isPadded: false });
  x = net.maxPool(x, 2);
  for (const block of ["Mixed_5b", "Mixed_5c", "Mixed_5d"]) {
    x = net.branches(x, block, [["branch1x1"], ["branch5x5_1", "branch5x5_2"], dbl(3), POOLED]);
  }
  x = net.reduction(x, "Mixed_6a", [["branch3x3"], dbl(3)]);
  for (const block of ["Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"]) {
    // TensorFlow's mixed_6/conv.
    if (block === "Mixed_6d") net.spatial(net.conv(x, `${block}.branch1x1`));
    x = net.branches(x, block, [["branch1x1"], steps("branch7x7", 3), steps("branch7x7dbl", 5), POOLED]);
  }
  x = net.reduction(x, "Mixed_7a", [steps("branch3x3", 2), steps("branch7x7x3", 4)]);
  x = net.forked(x, "Mixed_7b", "average");
  x = net.forked(x, "Mixed_7c", "max");
  return net.finish(x);
}

const steps = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}_${i + 1}`);
const dbl = (count: number): string[] => steps("branch3x3dbl", count);
/** Average pooling before the convolution. */
const POOLED = ["branch_pool"];

interface Convolution {
  /** @default 1 */
  readonly stride?: number;
  /** So that a stride of 1 keeps the size. @default where the stride is 1 */
  readonly isPadded?: boolean;
}

class Builder {
  private readonly nodes: object[] = [];
  private readonly initializers: object[] = [];
  private count = 0;

  constructor(private readonly weights: Weights) {}

  /** Convolution, normalization, ReLU. */
  conv(x: string, name: string, { stride = 1, isPadded = stride === 1 }: Convolution = {}): string {
    const weight = this.take(`${name}.conv.weight`, 4);
    const [outputs, , height, width] = weight.shape as [number, number, number, number];
    const [gamma, beta, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((key) => {
      const tensor = this.take(`${name}.bn.${key}`, 1);
      if (tensor.shape[0] === outputs) return tensor.data;
      throw new DataError(`Inception: ${name}.bn.${key} has ${tensor.shape[0]} channels, wanted ${outputs}`);
    });
    const each = weight.data.length / outputs;
    const folded = new Float32Array(weight.data.length);
    const bias = new Float32Array(outputs);
    for (let o = 0; o < outputs; o++) {
      const scale = gamma![o]! / Math.sqrt(variance![o]! + EPSILON);
      for (let i = o * each; i < (o + 1) * each; i++) folded[i] = weight.data[i]! * scale;
      bias[o] = beta![o]! - mean![o]! * scale;
    }
    const [rows, columns] = isPadded ? [(height - 1) / 2, (width - 1) / 2] : [0, 0];
    const inputs = [x, this.constant(folded, weight.shape), this.constant(bias, [outputs])];
    const attributes = {
      kernel_shape: [height, width],
      strides: [stride, stride],
      pads: [rows, columns, rows, columns],
    };
    return this.node("Relu", [this.node("Conv", inputs, attributes)]);
  }

  maxPool(x: string, stride: number): string {
    const pad = stride === 1 ? 1 : 0;
    return this.node("MaxPool", [x], { kernel_shape: [3, 3], strides: [stride, stride], pads: [pad, pad, pad, pad] });
  }

  /** Average over 3×3 places of those that are there. */
  averagePool(x: string): string {
    return this.node("AveragePool", [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 0 });
  }

  /** Chains of convolutions beside each other. */
  branches(x: string, block: string, chains: readonly (readonly string[])[]): string {
    return this.concat(
      chains.map((chain) =>
        chain.reduce((y, name) => this.conv(y, `${block}.${name}`), chain === POOLED ? this.averagePool(x) : x),
      ),
    );
  }

  /** Chains of which the last convolution has a stride of 2, and a pooling. */
  reduction(x: string, block: string, chains: readonly (readonly string[])[]): string {
    const parts = chains.map((chain) =>
      chain.reduce((y, name, i) => this.conv(y, `${block}.${name}`, i === chain.length - 1 ? { stride: 2 } : {}), x),
    );
    return this.concat([...parts, this.maxPool(x, 2)]);
  }

  /** A block whose chains end in two convolutions beside each other, 1×3 and 3×1. */
  forked(x: string, block: string, pooling: "average" | "max"): string {
    const fork = (y: string, name: string) =>
      this.concat(["a", "b"].map((side) => this.conv(y, `${block}.${name}${side}`)));
    const single = this.conv(x, `${block}.branch3x3_1`);
    const double = this.conv(this.conv(x, `${block}.branch3x3dbl_1`), `${block}.branch3x3dbl_2`);
    const pooled = pooling === "max" ? this.maxPool(x, 1) : this.averagePool(x);
    return this.concat([
      this.conv(x, `${block}.branch1x1`),
      fork(single, "branch3x3_2"),
      fork(double, "branch3x3dbl_3"),
      this.conv(pooled, `${block}.branch_pool`),
    ]);
  }

  spatial(x: string): void {
    const [start, end, axis] = [0, SPATIAL_CHANNELS, 1].map((value) => this.whole([value]));
    const first = this.node("Slice", [x, start!, end!, axis!]);
    const places = this.node("Transpose", [first], { perm: [0, 2, 3, 1] });
    this.node("Flatten", [places], {}, "spatial");
  }

  finish(x: string): Uint8Array {
    this.node("Flatten", [this.node("GlobalAveragePool", [x])], {}, "pool");
    const { shape, data } = this.take("fc.weight", 2);
    this.node("Gemm", ["pool", this.constant(data, shape)], { transB: 1 }, "logits");
    const port = (name: string, shape: readonly number[]) => ({
      name,
      type: {
        tensorType: {
          elemType: FLOAT,
          shape: { dim: [{ dimParam: "n" }, ...shape.map((dimValue) => ({ dimValue }))] },
        },
      },
    });
    const model = onnx.ModelProto.create({
      irVersion: 8,
      producerName: "descry",
      opsetImport: [{ domain: "", version: 17 }],
      graph: {
        name: "inception-v3-fid",
        node: this.nodes,
        initializer: this.initializers,
        input: [port("image", [3, INCEPTION_PX, INCEPTION_PX])],
        output: [port("pool", [INCEPTION_DIM]), port("spatial", [INCEPTION_SPATIAL_DIM]), port("logits", [shape[0]!])],
      },
    });
    return onnx.ModelProto.encode(model).finish();
  }

  private concat(parts: readonly string[]): string {
    return this.node("Concat", parts, { axis: 1 });
  }

  private node(
    opType: string,
    input: readonly string[],
    attributes: Readonly<Record<string, number | readonly number[]>> = {},
    output = `t${this.count++}`,
  ): string {
    const attribute = Object.entries(attributes).map(([name, value]) =>
      typeof value === "number"
        ? { name, i: value, type: AttributeType.INT }
        : { name, ints: [...value], type: AttributeType.INTS },
    );
    this.nodes.push({ opType, input: [...input], output: [output], attribute });
    return output;
  }

  private constant(data: Float32Array, dims: readonly number[]): string {
    const name = `w${this.count++}`;
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.initializers.push({ name, dims: [...dims], dataType: FLOAT, rawData });
    return name;
  }

  private whole(values: readonly number[]): string {
    const name = `w${this.count++}`;
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.initializers.push({ name, dims: [values.length], dataType: INT64, rawData });
    return name;
  }

  private take(name: string, rank: number): TorchTensor {
    const tensor = this.weights[name];
    if (tensor?.shape.length === rank) return tensor;
    const found = tensor === undefined ? "is missing" : `is [${tensor.shape}]`;
    throw new DataError(`Inception: the parameter ${name} ${found}, wanted ${rank} dimension(s)`);
  }
}
