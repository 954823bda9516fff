/**
 * @file VGG16 at half width with random weights that never change: features without a file and without anybody's training data.
 *
 * Random convolutional features tell textures, edges and colours apart at all scales. They know no objects, which makes them blind
 * to some failures and free of ImageNet's bias. Naeem et al. take the second fully connected layer of VGG16, 4096 features of 224 px
 * images. Here it is the last pooling of VGG16's 13 convolutions at half of their widths, on 32 px images: 256 features, so that a few
 * hundred images already give a covariance of full rank, and 0.16 GFLOP an image, a few milliseconds on two cores.
 *
 * Weights: He-normal, N(0, 2 / (9 · channels in)), one stream per layer; no biases. Input: (pixel / 127.5) − 1.
 *
 * @source Naeem, Oh, Uh, Choi & Yoo 2020, Reliable Fidelity and Diversity Metrics for Generative Models, arXiv 2002.09797;
 * Simonyan & Zisserman 2014, arXiv 1409.1556, configuration D; He et al. 2015, arXiv 1502.01852, equation 10.
 */
import { createHash } from "node:crypto";
import tf from "@tensorflow/tfjs";
import { randomStream } from "../../../data/random.js";
import type { HostTensors, Signature, Tensors } from "../../compile/compile.js";
import { compileStep } from "../../compile/compile-step.js";
import type { FeatureNetwork, NetworkOptions } from "../feature-network.js";
import { RANDOM_VGG } from "../network-name.js";
import { RESIZE_RULE, resizeBilinear } from "../resize.js";
import { gatherBatches } from "./gather-batches.js";

/** Output channels of the convolutions of each block; a block ends with 2×2 max pooling. */
const BLOCKS: readonly (readonly number[])[] = [
  [32, 32],
  [64, 64],
  [128, 128, 128],
  [256, 256, 256],
  [256, 256, 256],
];
const INPUT_PX = 32;
const DIM = 256;
/** Arbitrary; part of the definition. */
const SEED = 16;
/** Raise it with every change of the features. */
const VERSION = 1;
const BATCH = 32;

interface Layer {
  readonly name: string;
  readonly shape: readonly [height: number, width: number, inputs: number, outputs: number];
}

/** Per block, its convolutions in order. */
const LAYERS: readonly (readonly Layer[])[] = (() => {
  let inputs = 3;
  return BLOCKS.map((widths, block) =>
    widths.map((outputs, i) => {
      const layer: Layer = { name: `conv${block + 1}_${i + 1}`, shape: [3, 3, inputs, outputs] };
      inputs = outputs;
      return layer;
    }),
  );
})();

/** The network itself. @param images [B, 32, 32, 3] in −1…1. @returns [B, 256]. */
function randomVgg(weights: Tensors, images: tf.Tensor4D): tf.Tensor {
  let x = images;
  for (const block of LAYERS) {
    for (const { name } of block) x = tf.relu(tf.conv2d(x, weights[name] as tf.Tensor4D, 1, "same"));
    x = tf.maxPool(x, 2, 2, "valid");
  }
  return tf.reshape(x, [images.shape[0], DIM]);
}

function makeWeights(): HostTensors {
  const weights: HostTensors = {};
  for (const { name, shape } of LAYERS.flat()) {
    const [height, width, inputs, outputs] = shape;
    const std = Math.sqrt(2 / (height * width * inputs));
    const data = randomStream(SEED, `evaluate/${RANDOM_VGG}/${name}`, 0).normal(height * width * inputs * outputs);
    for (let i = 0; i < data.length; i++) data[i] = data[i]! * std;
    weights[name] = { data, shape };
  }
  return weights;
}

function hashOf(weights: HostTensors): string {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify({ name: RANDOM_VGG, version: VERSION, input: INPUT_PX, resize: RESIZE_RULE, layers: LAYERS }),
  );
  for (const { data } of Object.values(weights))
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

/** Open the network: draws 3.7 million weights (15 MB) and compiles it. */
export async function openRandomVgg(options: NetworkOptions = {}): Promise<FeatureNetwork> {
  const weights = makeWeights();
  const state: Signature = Object.fromEntries(LAYERS.flat().map(({ name, shape }) => [name, { shape }]));
  const shape = [BATCH, INPUT_PX, INPUT_PX, 3];
  const step = await compileStep(
    (given, { images }) => ({ state: given, outputs: { features: randomVgg(given, images as tf.Tensor4D) } }),
    { state, inputs: { images: { shape } } },
    { name: RANDOM_VGG, ...(options.threads === undefined ? {} : { threads: options.threads }) },
  );
  step.setState(weights);
  const batchLength = BATCH * INPUT_PX * INPUT_PX * 3;
  return {
    name: RANDOM_VGG,
    sha256: hashOf(weights),
    proxy: true,
    resize: `${INPUT_PX} px, ${RESIZE_RULE}`,
    dim: DIM,
    cite: "Naeem et al. 2020, arXiv 2002.09797 (randomly initialised VGG16; here at half width)",
    features: (images, count, size, onProgress) =>
      gatherBatches(
        images,
        { count, size, batch: BATCH },
        async (part, rows) => {
          const resized = resizeBilinear(part, rows, size, INPUT_PX);
          const batch = new Float32Array(batchLength); // the last batch is filled up with gray
          for (let i = 0; i < resized.length; i++) batch[i] = resized[i]! / 127.5 - 1;
          const result = await step.run({ images: { data: batch, shape } });
          return { features: (result["features"]!.data as Float32Array).subarray(0, rows * DIM) };
        },
        onProgress,
      ),
    dispose: () => step.dispose(),
  };
}
