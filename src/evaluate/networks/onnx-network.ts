/** @file Any image network in an ONNX file as the network that the metrics look through; how it is named: `network-name.ts`. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import onnxProto from "onnx-proto";
import { DataError, ShapeError, UsageError } from "../../../data/errors.js";
import { nearestName } from "../../../data/nearest.js";
import { type HostTensor, type ModelPort, type OpenedModel, openModel } from "../../compile/session.js";
import type { FeatureNetwork, NetworkOptions } from "../feature-network.js";
import { type OnnxNetworkSpec, parseOnnxNetwork } from "../network-name.js";
import { RESIZE_RULE, resizeBilinear } from "../resize.js";

const BATCH = 16;
/** Names listed in an error. */
const SHOWN = 12;

/**
 * Open the network. Its dimension is found by running it on one gray image.
 *
 * @throws {UsageError} as {@link parseOnnxNetwork}; an output that the graph lacks; no size where the model fixes none.
 * @throws {DataError} a file that cannot be read or is no ONNX model.
 * @throws {ShapeError} a model that does not take [n, 3, size, size], or outputs that are no vectors, tokens or maps.
 */
export async function openOnnxNetwork(name: string, options: NetworkOptions = {}): Promise<FeatureNetwork> {
  const spec = parseOnnxNetwork(name);
  const bytes = await readFile(spec.file).catch((cause: unknown) => {
    const reason = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new DataError(`feature network: ${spec.file}: cannot be read (${reason})`, { cause });
  });
  const wanted = [spec.output, ...(spec.logits === undefined ? [] : [spec.logits])];
  const model = await openModel(withOutputs(spec.file, bytes, wanted), options);
  try {
    return await describe(name, spec, model, bytes);
  } catch (error) {
    await model.dispose();
    throw error;
  }
}

async function describe(
  name: string,
  spec: OnnxNetworkSpec,
  model: OpenedModel,
  bytes: Uint8Array,
): Promise<FeatureNetwork> {
  const { input, sizePx, batch } = inputOf(spec, model);
  const pixels = sizePx * sizePx;

  /** @param images [rows, size, size, 3] uint8. */
  const runBatch = async (images: Uint8Array, rows: number, size: number) => {
    const resized = resizeBilinear(images, rows, size, sizePx);
    // A model with a fixed batch gets a full one.
    const data = new Float32Array((batch.isFixed ? batch.size : rows) * 3 * pixels);
    for (let row = 0; row < rows; row++) {
      for (let c = 0; c < 3; c++) {
        const [scale, shift] = [1 / (255 * spec.std[c]!), spec.mean[c]! / spec.std[c]!];
        const [from, to] = [row * pixels * 3 + c, (row * 3 + c) * pixels];
        for (let i = 0; i < pixels; i++) data[to + i] = resized[from + i * 3]! * scale - shift;
      }
    }
    const shape = [data.length / (3 * pixels), 3, sizePx, sizePx];
    const fetches = [...new Set([spec.output, ...(spec.logits === undefined ? [] : [spec.logits])])];
    const results = await model.run({ [input]: { data, shape } }, fetches);
    const features = pooled(spec, results[spec.output]!, shape[0]!, rows);
    if (spec.logits === undefined) return { features };
    return { features, probabilities: softmax(spec, results[spec.logits]!, shape[0]!, rows) };
  };

  const dim = (await runBatch(new Uint8Array(3).fill(128), 1, 1)).features.length;
  const { file: _, ...settings } = { ...spec, sizePx };
  return {
    name,
    sha256: createHash("sha256")
      .update(bytes)
      .update(JSON.stringify({ ...settings, resize: RESIZE_RULE }))
      .digest("hex"),
    proxy: true,
    resize: `${sizePx} px, ${RESIZE_RULE}; (x/255 - [${spec.mean}]) / [${spec.std}]`,
    dim,
    cite: `${basename(spec.file)}, tensor "${spec.output}", given by the user`,
    async features(images, count, size, onProgress) {
      const features = new Float32Array(count * dim);
      let probabilities: Float32Array | undefined;
      for (let start = 0; start < count; start += batch.size) {
        const rows = Math.min(batch.size, count - start);
        const bytesEach = size * size * 3;
        const part = await runBatch(images.subarray(start * bytesEach, (start + rows) * bytesEach), rows, size);
        features.set(part.features, start * dim);
        if (part.probabilities !== undefined) {
          const classes = part.probabilities.length / rows;
          probabilities ??= new Float32Array(count * classes);
          probabilities.set(part.probabilities, start * classes);
        }
        onProgress?.(start + rows);
      }
      return probabilities === undefined ? { features } : { features, probabilities };
    },
    dispose: () => model.dispose(),
  };
}

/** The model with the wanted tensors among its outputs; the bytes themselves where they already are. */
function withOutputs(file: string, bytes: Uint8Array, wanted: readonly string[]): string | Uint8Array {
  const { ModelProto } = onnxProto.onnx;
  let model: InstanceType<typeof ModelProto>;
  try {
    model = ModelProto.decode(bytes);
  } catch (cause) {
    throw new DataError(`feature network: ${file}: is not an ONNX model`, { cause });
  }
  const graph = model.graph;
  if (graph === null || graph === undefined) throw new DataError(`feature network: ${file}: has no graph`);
  const outputs = (graph.output ?? []).flatMap(({ name }) => name ?? []);
  const missing = [...new Set(wanted)].filter((name) => !outputs.includes(name));
  if (missing.length === 0) return file; // opened by path, so that weights in files beside it are found
  const inner = (graph.node ?? []).flatMap((node) => node.output ?? []).filter((name) => name !== "");
  for (const name of missing) {
    if (inner.includes(name)) continue;
    const nearest = nearestName(name, [...outputs, ...inner]);
    const tail = inner.length > SHOWN ? `, and ${inner.length - SHOWN} inner tensors before` : "";
    throw new UsageError(
      `feature network: ${basename(file)} has no tensor "${name}"; outputs: ${outputs.join(", ")}; last inner tensors: ${inner.slice(-SHOWN).join(", ")}${tail}`,
      nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` },
    );
  }
  graph.output = [...(graph.output ?? []), ...missing.map((name) => ({ name }))];
  return ModelProto.encode(model).finish();
}

/** The one input, its side and the batch. */
function inputOf(spec: OnnxNetworkSpec, model: OpenedModel) {
  const [port, ...others] = model.inputs;
  if (port === undefined || others.length > 0 || port.shape.length !== 4 || !accepts(port, 1, 3)) {
    const got = model.inputs.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join(" and ");
    throw new ShapeError(
      `feature network: ${basename(spec.file)} should take one input [n, 3, size, size], it takes ${got}`,
    );
  }
  const fixed = port.shape.slice(2).find((side) => typeof side === "number" && side > 0) as number | undefined;
  const sizePx = spec.sizePx ?? fixed;
  if (sizePx === undefined) {
    throw new UsageError(`feature network: ${basename(spec.file)} takes images of any size`, {
      hint: "say which, such as size=224",
    });
  }
  if (!accepts(port, 2, sizePx) || !accepts(port, 3, sizePx)) {
    throw new UsageError(
      `feature network: size=${sizePx}, but ${basename(spec.file)} takes [${port.shape.join(", ")}]`,
    );
  }
  const first = port.shape[0];
  const isFixed = typeof first === "number" && first > 0;
  return { input: port.name, sizePx, batch: { isFixed, size: isFixed ? first : BATCH } };
}

/** Whether an axis is free, or fixed to this side. */
const accepts = ({ shape }: ModelPort, axis: number, side: number): boolean => {
  const given = shape[axis];
  return typeof given !== "number" || given <= 0 || given === side;
};

/** One vector for each of the first `rows` images. */
function pooled(spec: OnnxNetworkSpec, { data, shape }: HostTensor, batch: number, rows: number): Float32Array {
  const fits = shape.length >= 2 && shape.length <= 4 && shape[0] === batch;
  if (!fits || (spec.pool === "cls" && shape.length !== 3)) {
    const wanted = spec.pool === "cls" ? "tokens [n, T, D] for pool=cls" : "[n, D], [n, T, D] or [n, C, H, W]";
    throw new ShapeError(`feature network: tensor "${spec.output}" should be ${wanted}, it is [${shape.join(", ")}]`);
  }
  const each = data.length / batch;
  if (spec.pool === "flatten" || shape.length === 2) return Float32Array.from(data.subarray(0, rows * each));
  if (shape.length === 3) {
    const [tokens, dim] = [spec.pool === "cls" ? 1 : shape[1]!, shape[2]!];
    return Float32Array.from({ length: rows * dim }, (_, at) => {
      const [row, d] = [Math.floor(at / dim), at % dim];
      let sum = 0;
      for (let t = 0; t < tokens; t++) sum += data[row * each + t * dim + d]!;
      return sum / tokens;
    });
  }
  const [channels, area] = [shape[1]!, shape[2]! * shape[3]!];
  return Float32Array.from({ length: rows * channels }, (_, at) => {
    let sum = 0;
    for (let i = at * area; i < (at + 1) * area; i++) sum += data[i]!;
    return sum / area;
  });
}

function softmax(spec: OnnxNetworkSpec, { data, shape }: HostTensor, batch: number, rows: number): Float32Array {
  if (shape.length !== 2 || shape[0] !== batch) {
    throw new ShapeError(
      `feature network: logits "${spec.logits}" should be [n, classes], they are [${shape.join(", ")}]`,
    );
  }
  const classes = shape[1]!;
  const probabilities = new Float32Array(rows * classes);
  for (let row = 0; row < rows; row++) {
    const scores = data.subarray(row * classes, (row + 1) * classes);
    let most = Number.NEGATIVE_INFINITY;
    for (const score of scores) most = Math.max(most, score);
    let sum = 0;
    for (const score of scores) sum += Math.exp(score - most);
    for (let c = 0; c < classes; c++) probabilities[row * classes + c] = Math.exp(scores[c]! - most) / sum;
  }
  return probabilities;
}
