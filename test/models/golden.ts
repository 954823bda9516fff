/** @file Reads the golden numbers with a reader of its own, so that these tests don't lean on data/. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import tf from "@tensorflow/tfjs";

const FOLDER = fileURLToPath(new URL("../../../shared/golden/", import.meta.url));

/** Absent golden data skips its tests: it is not part of the project. */
export const hasGolden = (name: string): boolean => existsSync(`${FOLDER}${name}.safetensors`);

export interface GoldenTensor {
  readonly shape: number[];
  readonly data: Float32Array | Int32Array;
}

/** The tensors of one file whose names start with `prefix`, without it. */
export function readGolden(name: string, prefix: string): Record<string, GoldenTensor> {
  const bytes = readFileSync(`${FOLDER}${name}.safetensors`);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors: Record<string, GoldenTensor> = {};
  for (const [key, entry] of Object.entries(header)) {
    if (!key.startsWith(prefix)) continue;
    const [start, end] = entry.data_offsets.map((offset) => offset + 8 + headerBytes) as [number, number];
    const buffer = new Uint8Array(bytes.subarray(start, end)).buffer;
    const data = entry.dtype === "I32" ? new Int32Array(buffer) : new Float32Array(buffer);
    tensors[key.slice(prefix.length)] = { shape: entry.shape, data };
  }
  return tensors;
}

export const readGoldenJson = (name: string): Record<string, Record<string, never>> =>
  JSON.parse(readFileSync(`${FOLDER}${name}.json`, "utf8")) as Record<string, Record<string, never>>;

export const toTensor = ({ data, shape }: GoldenTensor): tf.Tensor =>
  tf.tensor(data, shape, data instanceof Int32Array ? "int32" : "float32");

export const toTensors = (values: Record<string, GoldenTensor>): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toTensor(value)]));

/** Largest difference, relative to the largest magnitude of `want`. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) throw new Error(`lengths differ: ${got.length} and ${want.length}`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < want.length; i++) {
    const gap = Math.abs(got[i]! - want[i]!);
    difference = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : Math.max(difference, gap);
    largest = Math.max(largest, Math.abs(want[i]!));
  }
  return difference / largest;
}

/** The golden model's configuration in our words. */
export interface GoldenSitCase {
  readonly depth: number;
  readonly hidden_size: number;
  readonly patch_size: number;
  readonly input_size: number;
  readonly in_channels: number;
  readonly num_heads: number;
  readonly num_classes: number;
  readonly encoder_depth: number;
  readonly projector_dim: number;
  readonly projection_layer_type: "mlp" | "linear" | "conv";
  readonly proj_kwargs_kernel_size: number;
}

export const goldenConfig = (golden: GoldenSitCase) => ({
  depth: golden.depth,
  width: golden.hidden_size,
  heads: golden.num_heads,
  patch: golden.patch_size,
  mlpRatio: 4,
  channels: golden.in_channels,
  sizePx: golden.input_size,
  classes: golden.num_classes,
  encoderDepth: golden.encoder_depth,
});
