/**
 * @file The Inception of published FIDs, as the ADM evaluation suite uses it: TensorFlow 1's bilinear resizing to 299 pixels,
 * (pixel − 128) / 128, features before the classifier, and class scores without the classifier's bias.
 *
 * @source Heusel et al. 2017, arXiv 1706.08500; github.com/openai/guided-diffusion, evaluations/evaluator.py: `pool_3`, the first seven
 *   channels of `mixed_6/conv` (sFID: Nash et al. 2021, arXiv 2103.03841), and the matrix of `softmax/logits`.
 */
import { createHash } from "node:crypto";
import { readLegacyTorchFile } from "../../../data/legacy-torch-file.js";
import { type Preprocessing, toPlanes } from "../../../features/onnx/preprocessing.js";
import { resizeImages } from "../../../features/resize-images.js";
import { openModel } from "../../compile/session.js";
import type { FeatureNetwork, NetworkOptions } from "../feature-network.js";
import { INCEPTION } from "../network-name.js";
import { gatherBatches } from "./gather-batches.js";
import { INCEPTION_DIM, INCEPTION_PX, INCEPTION_SPATIAL_DIM, inceptionModel, type Weights } from "./inception-graph.js";
import { INCEPTION_WEIGHTS, locateInceptionWeights } from "./inception-weights.js";
import { softmax } from "./softmax.js";

/** Raise it with every change of the features. */
const VERSION = 1;
const BATCH = 16;
const INTERPOLATION = "bilinear-tf1";
const PREPROCESSING: Preprocessing = { scale: 1, mean: [128, 128, 128], std: [128, 128, 128] };

/**
 * Open it; its weights are found or downloaded.
 *
 * @throws {DataError} as {@link locateInceptionWeights}.
 */
export async function openInception(options: NetworkOptions = {}): Promise<FeatureNetwork> {
  const { onDownload } = options;
  const file = await locateInceptionWeights(onDownload === undefined ? {} : { onDownload });
  return inceptionOf(await readLegacyTorchFile(file), INCEPTION_WEIGHTS.sha256, options);
}

/** The network with any weights. @param weightsSha256 of their file. */
export async function inceptionOf(
  weights: Weights,
  weightsSha256: string,
  { threads }: NetworkOptions = {},
): Promise<FeatureNetwork> {
  const model = await openModel(inceptionModel(weights), threads === undefined ? {} : { threads });
  const run = async (images: Uint8Array, rows: number, sizePx: number) => {
    const resized = resizeImages(images, { count: rows, sizePx, targetPx: INCEPTION_PX, interpolation: INTERPOLATION });
    const data = toPlanes(resized, { rows, batch: rows, sizePx: INCEPTION_PX }, PREPROCESSING);
    const shape = [rows, 3, INCEPTION_PX, INCEPTION_PX];
    const { pool, spatial, logits } = await model.run({ image: { data, shape } });
    return {
      features: pool!.data as Float32Array,
      spatial: spatial!.data as Float32Array,
      probabilities: softmax(logits!.data, rows),
    };
  };
  const settings = { name: INCEPTION, version: VERSION, weights: weightsSha256, resize: INTERPOLATION };
  return {
    name: INCEPTION,
    sha256: createHash("sha256").update(JSON.stringify(settings)).digest("hex"),
    proxy: weightsSha256 !== INCEPTION_WEIGHTS.sha256,
    resize: `${INCEPTION_PX} px, bilinear as TensorFlow 1 (no half-pixel centres, no antialiasing); (x - 128) / 128`,
    dim: INCEPTION_DIM,
    spatialDim: INCEPTION_SPATIAL_DIM,
    cite: "Heusel et al. 2017, arXiv 1706.08500; weights inception-2015-12-05 (TensorFlow, converted by pytorch-fid)",
    features: (images, count, size, onProgress) =>
      gatherBatches(images, { count, size, batch: BATCH }, (part, rows) => run(part, rows, size), onProgress),
    dispose: () => model.dispose(),
  };
}
