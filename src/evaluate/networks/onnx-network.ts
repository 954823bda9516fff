/** @file Any image network in an ONNX file as the network that the metrics look through; how it is named: `network-name.ts`. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { ShapeError } from "../../../data/errors.js";
import { type ImageNetwork, openImageNetwork } from "../../../features/onnx/open-image-network.js";
import { showNormalization } from "../../../features/onnx/preprocessing.js";
import type { HostTensor } from "../../compile/session.js";
import type { FeatureNetwork, NetworkOptions } from "../feature-network.js";
import { type OnnxNetworkSpec, parseOnnxNetwork } from "../network-name.js";
import { RESIZE_RULE, resizeBilinear } from "../resize.js";

/**
 * Open the network. Its dimension is found by running it on one gray image.
 *
 * @throws {UsageError} as {@link parseOnnxNetwork}; an output that the graph lacks; no size where the model fixes none.
 * @throws {DataError} a file that cannot be read or is no ONNX model.
 * @throws {ShapeError} a model that does not take [n, 3, size, size], or outputs that are no vectors, tokens or maps.
 */
export async function openOnnxNetwork(name: string, options: NetworkOptions = {}): Promise<FeatureNetwork> {
  const spec = parseOnnxNetwork(name);
  const outputs = [spec.output, ...(spec.logits === undefined ? [] : [spec.logits])];
  const network = await openImageNetwork({ ...spec, outputs }, "feature network", options);
  try {
    return await describe(name, spec, network);
  } catch (error) {
    await network.dispose();
    throw error;
  }
}

async function describe(name: string, spec: OnnxNetworkSpec, network: ImageNetwork): Promise<FeatureNetwork> {
  const { sizePx, batch } = network;

  /** @param images [rows, size, size, 3] uint8. */
  const runBatch = async (images: Uint8Array, rows: number, size: number) => {
    const results = await network.run(resizeBilinear(images, rows, size, sizePx), rows);
    const features = pooled(spec, results[spec.output]!);
    return spec.logits === undefined
      ? { features }
      : { features, probabilities: softmax(spec, results[spec.logits]!, rows) };
  };

  const dim = (await runBatch(new Uint8Array(3).fill(128), 1, 1)).features.length;
  const { file: _, ...settings } = { ...spec, sizePx };
  return {
    name,
    sha256: createHash("sha256")
      .update(network.sha256)
      .update(JSON.stringify({ ...settings, resize: RESIZE_RULE }))
      .digest("hex"),
    proxy: true,
    resize: `${sizePx} px, ${RESIZE_RULE}; ${showNormalization(spec)}`,
    dim,
    cite: `${basename(spec.file)}, tensor "${spec.output}", given by the user`,
    async features(images, count, size, onProgress) {
      const features = new Float32Array(count * dim);
      let probabilities: Float32Array | undefined;
      for (let start = 0; start < count; start += batch) {
        const rows = Math.min(batch, count - start);
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

function softmax(spec: OnnxNetworkSpec, { data, shape }: HostTensor, rows: number): Float32Array {
  if (shape.length !== 2) {
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
