/** @file Any image network in an ONNX file as the network that the metrics look through; how it is named: `network-name.ts`. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { ShapeError } from "../../../data/errors.js";
import { type ImageNetwork, openImageNetwork } from "../../../features/onnx/open-image-network.js";
import { showNormalization } from "../../../features/onnx/preprocessing.js";
import { type Interpolation, resizeImages } from "../../../features/resize-images.js";
import type { HostTensor } from "../../compile/session.js";
import type { FeatureNetwork, NetworkOptions } from "../feature-network.js";
import { type OnnxNetworkSpec, parseOnnxNetwork } from "../network-name.js";
import { RESIZE_INTERPOLATION, RESIZE_RULE } from "../resize.js";
import { gatherBatches } from "./gather-batches.js";
import { softmax } from "./softmax.js";

/** What is said of a network, and what its name does not say of it. */
export interface OnnxNetworkFacts extends Pick<FeatureNetwork, "name" | "cite" | "gaussianMmd"> {
  /** Of the resizing. */
  readonly interpolation: Interpolation;
  readonly resizeRule: string;
  /** Width that the features must have. */
  readonly dim?: number;
}

/**
 * Open the network of a name. Its dimension is found by running it on one gray image.
 *
 * @throws {UsageError} as {@link parseOnnxNetwork}; an output that the graph lacks; no size where the model fixes none.
 * @throws {DataError} a file that cannot be read or is no ONNX model.
 * @throws {ShapeError} a model that does not take [n, 3, size, size], or outputs that are no vectors, tokens or maps.
 */
export async function openOnnxNetwork(name: string, options: NetworkOptions = {}): Promise<FeatureNetwork> {
  const spec = parseOnnxNetwork(name);
  const cite = `${basename(spec.file)}, tensor "${spec.output}", given by the user`;
  return openPooledNetwork(spec, { name, cite, interpolation: RESIZE_INTERPOLATION, resizeRule: RESIZE_RULE }, options);
}

/** Open any network whose tensors become vectors. @throws as {@link openOnnxNetwork}. */
export async function openPooledNetwork(
  spec: OnnxNetworkSpec,
  facts: OnnxNetworkFacts,
  { threads }: NetworkOptions = {},
): Promise<FeatureNetwork> {
  const { output, logits, spatial } = spec;
  const outputs = [output, ...[logits, spatial].filter((name) => name !== undefined)];
  const network = await openImageNetwork(
    { ...spec, outputs },
    "feature network",
    threads === undefined ? {} : { threads },
  );
  try {
    return await describe(spec, facts, network);
  } catch (error) {
    await network.dispose();
    throw error;
  }
}

async function describe(
  spec: OnnxNetworkSpec,
  { interpolation, resizeRule, dim: wanted, ...facts }: OnnxNetworkFacts,
  network: ImageNetwork,
): Promise<FeatureNetwork> {
  const { sizePx, batch } = network;

  /** @param images [rows, size, size, 3] uint8. */
  const runBatch = async (images: Uint8Array, rows: number, size: number) => {
    const resized = resizeImages(images, { count: rows, sizePx: size, targetPx: sizePx, interpolation });
    const results = await network.run(resized, rows);
    const { spatial, logits } = spec;
    return {
      features: pooled(spec, results[spec.output]!),
      ...(spatial === undefined ? {} : { spatial: flattened(spatial, results[spatial]!) }),
      ...(logits === undefined ? {} : { probabilities: probabilitiesOf(logits, results[logits]!) }),
    };
  };

  const gray = await runBatch(new Uint8Array(3).fill(128), 1, 1);
  const dim = gray.features.length;
  if (wanted !== undefined && wanted !== dim) {
    throw new ShapeError(`feature network "${facts.name}": ${spec.file} gives ${dim} features, wanted ${wanted}`);
  }
  const { file: _, ...settings } = { ...spec, sizePx };
  return {
    ...facts,
    sha256: createHash("sha256")
      .update(network.sha256)
      .update(JSON.stringify({ ...settings, resize: resizeRule }))
      .digest("hex"),
    proxy: true,
    resize: `${sizePx} px, ${resizeRule}; ${showNormalization(spec)}`,
    dim,
    ...(gray.spatial === undefined ? {} : { spatialDim: gray.spatial.length }),
    features: (images, count, size, onProgress) =>
      gatherBatches(images, { count, size, batch }, (part, rows) => runBatch(part, rows, size), onProgress),
    dispose: () => network.dispose(),
  };
}

/** One vector for each image. */
function pooled(spec: OnnxNetworkSpec, { data, shape }: HostTensor): Float32Array {
  const fits = shape.length >= 2 && shape.length <= 4;
  if (!fits || (spec.pool === "cls" && shape.length !== 3)) {
    const wanted = spec.pool === "cls" ? "tokens [n, T, D] for pool=cls" : "[n, D], [n, T, D] or [n, C, H, W]";
    throw new ShapeError(`feature network: tensor "${spec.output}" should be ${wanted}, it is [${shape.join(", ")}]`);
  }
  const rows = shape[0]!;
  const each = data.length / rows;
  if (spec.pool === "flatten" || shape.length === 2) return Float32Array.from(data);
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

function flattened(name: string, { data, shape }: HostTensor): Float32Array {
  if (shape.length >= 2) return Float32Array.from(data);
  throw new ShapeError(
    `feature network: tensor "${name}" should have an axis for the images, it is [${shape.join(", ")}]`,
  );
}

function probabilitiesOf(name: string, { data, shape }: HostTensor): Float32Array {
  if (shape.length === 2) return softmax(data, shape[0]!);
  throw new ShapeError(`feature network: logits "${name}" should be [n, classes], they are [${shape.join(", ")}]`);
}
