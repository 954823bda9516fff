/** An autoencoder in two ONNX files whose latents can be computed by hand. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import type { LatentKind } from "../../features/autoencoder/autoencoder-name.js";

const { onnx } = onnxProto;
const { FLOAT } = onnx.TensorProto.DataType;

/** Pixels along a latent's side. */
export const DOWNSAMPLING = 2;
/** log-variance = SLOPE · mean + OFFSET, or standard deviation = mean² . */
export const [SLOPE, OFFSET] = [2, -3] as const;

const port = (name: string, dims: readonly (number | string)[]) => ({
  name,
  type: {
    tensorType: {
      elemType: FLOAT,
      shape: { dim: dims.map((dim) => (typeof dim === "number" ? { dimValue: dim } : { dimParam: dim })) },
    },
  },
});
const floats = (name: string, values: readonly number[], dims = [values.length]) => ({
  name,
  dataType: FLOAT,
  dims,
  rawData: new Uint8Array(Float32Array.from(values).buffer),
});
const ints = (name: string, values: readonly number[]) => ({
  name,
  type: onnx.AttributeProto.AttributeType.INTS,
  ints: [...values],
});
const text = (name: string, value: string) => ({
  name,
  type: onnx.AttributeProto.AttributeType.STRING,
  s: new TextEncoder().encode(value),
});
const model = (graph: object) =>
  onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: "", version: 17 }], graph }).finish();

export interface TinyOptions {
  /** What the encoder gives. @default "mean+logvar" */
  readonly kind?: LatentKind;
  /** Of both models. @default any */
  readonly batch?: number | string;
  /** Side of the decoder's images over that of its latents. @default 2 */
  readonly upsampling?: number;
  /** Adds noise to the means, as an export that goes too far. @default false */
  readonly isRandom?: boolean;
  /** What stands behind the means is log(mean + 1): minus infinity for black. @default false */
  readonly isLogarithm?: boolean;
}

/** `image` [n,3,H,W] → AveragePool 2×2 → `mean` [n,3,h,w]; `moments` [n,6,h,w]: the mean and then what `kind` says. */
export function tinyLatentEncoder({
  kind = "mean+logvar",
  batch = "n",
  isRandom = false,
  isLogarithm = false,
}: TinyOptions = {}): Uint8Array {
  const pool = { opType: "AveragePool", attribute: [ints("kernel_shape", [2, 2]), ints("strides", [2, 2])] };
  const node: object[] = [{ ...pool, input: ["image"], output: [isRandom ? "clean" : "mean"] }];
  if (isRandom) {
    node.push({ opType: "RandomNormalLike", input: ["clean"], output: ["noise"] });
    node.push({ opType: "Add", input: ["clean", "noise"], output: ["mean"] });
  }
  if (isLogarithm) {
    node.push({ opType: "Add", input: ["mean", "one"], output: ["above"] });
    node.push({ opType: "Log", input: ["above"], output: ["spread"] });
  } else if (kind === "mean+std") node.push({ opType: "Mul", input: ["mean", "mean"], output: ["spread"] });
  else {
    node.push({ opType: "Mul", input: ["mean", "slope"], output: ["sloped"] });
    node.push({ opType: "Add", input: ["sloped", "offset"], output: ["spread"] });
  }
  const axis = { name: "axis", type: onnx.AttributeProto.AttributeType.INT, i: 1 };
  node.push({ opType: "Concat", input: ["mean", "spread"], output: ["moments"], attribute: [axis] });
  const output = kind === "mean" ? port("mean", [batch, 3, "h", "w"]) : port("moments", [batch, 6, "h", "w"]);
  return model({
    name: "tiny encoder",
    initializer: [floats("slope", [SLOPE]), floats("offset", [OFFSET]), floats("one", [1])],
    node,
    input: [port("image", [batch, 3, "H", "W"])],
    output: [output],
  });
}

/** `latent` [n,3,h,w] → each value a square of 2×2 pixels → `image` [n,3,H,W]. */
export function tinyLatentDecoder({ batch = "n", upsampling = DOWNSAMPLING }: TinyOptions = {}): Uint8Array {
  return model({
    name: "tiny decoder",
    initializer: [floats("scales", [1, 1, upsampling, upsampling])],
    node: [
      {
        opType: "Resize",
        input: ["latent", "", "scales"],
        output: ["image"],
        attribute: [
          text("mode", "nearest"),
          text("coordinate_transformation_mode", "asymmetric"),
          text("nearest_mode", "floor"),
        ],
      },
    ],
    input: [port("latent", [batch, 3, "h", "w"])],
    output: [port("image", [batch, 3, "H", "W"])],
  });
}

/** Writes both into a folder and names them. */
export function writeTinyAutoencoder(folder: string, options: TinyOptions = {}): string {
  const kind = options.kind ?? "mean+logvar";
  writeFileSync(join(folder, "encoder.onnx"), tinyLatentEncoder(options));
  writeFileSync(join(folder, "decoder.onnx"), tinyLatentDecoder(options));
  const output = kind === "mean" ? "mean" : "moments";
  const settings = `decoder=${join(folder, "decoder.onnx")}&latents=${kind}&pixels=-1..1&channels=3&downsampling=2`;
  return `onnx:${join(folder, "encoder.onnx")}#${output}?${settings}`;
}
