/** @file Images through a network, batch by batch; what is kept of them is what the metrics need, and no pixels. */
import { NumericError, ShapeError } from "../../data/errors.js";
import { CovarianceSum } from "./covariance-sum.js";
import type { FeatureMatrix } from "./feature-matrix.js";
import type { FeatureNetwork } from "./feature-network.js";
import { type Gaussian, gaussianFrom } from "./frechet-distance.js";
import type { ImageSet } from "./image-set.js";
import { type InceptionScore, InceptionScoreSum } from "./inception-score.js";

/** What a set of images comes to. */
export interface CollectedFeatures {
  /** float32: 50,000 of 2048 are 410 MB. */
  readonly features: FeatureMatrix;
  /** Of the spatial features, which are not kept; absent where they are not wanted, the network gives none, or for a single image. */
  readonly spatial?: Gaussian;
  /** The network gives class probabilities. */
  readonly hasClasses: boolean;
  /** Absent where it was not asked for, or there are no classes. */
  readonly score?: InceptionScore;
}

export interface CollectOptions {
  /** Also the Gaussian of the spatial features, where the network gives them. @default true */
  readonly withSpatial?: boolean;
  /** Ends of the groups of the inception score; absent: not wanted. */
  readonly groups?: readonly number[];
  readonly onProgress?: (done: number) => void;
}

/**
 * @param stage whose images they are, for messages.
 * @throws {NumericError} features that are not finite, by image and channel. @throws what reading the images throws.
 */
export async function collectFeatures(
  network: FeatureNetwork,
  stage: string,
  images: ImageSet,
  { withSpatial = true, groups, onProgress }: CollectOptions = {},
): Promise<CollectedFeatures> {
  const { dim, spatialDim } = network;
  const data = new Float32Array(images.count * dim);
  const covariance = spatialDim === undefined || !withSpatial ? undefined : new CovarianceSum(spatialDim);
  const scores = groups === undefined ? undefined : new InceptionScoreSum(groups);
  let hasClasses = false;
  let done = 0;
  for await (const batch of images.batches()) {
    const before = done;
    const output = await network.features(batch.images, batch.count, batch.size, (part) => onProgress?.(before + part));
    const check = (values: Float32Array, width: number) => checkFinite(network, stage, values, width, before);
    check(output.features, dim);
    data.set(output.features, before * dim);
    if (output.spatial !== undefined) {
      check(output.spatial, spatialDim!);
      covariance?.add(output.spatial);
    }
    if (output.probabilities !== undefined) {
      const classes = output.probabilities.length / batch.count;
      check(output.probabilities, classes);
      scores?.add({ data: output.probabilities, count: batch.count, dim: classes });
      hasClasses = true;
    }
    done += batch.count;
  }
  if (done !== images.count) throw new ShapeError(`${stage}: want ${images.count} images, got ${done}`);
  return {
    features: { data, count: done, dim },
    ...(covariance === undefined || done < 2 ? {} : { spatial: spatialOf(covariance) }),
    hasClasses,
    ...(scores === undefined || !hasClasses ? {} : { score: scores.result() }),
  };
}

function spatialOf(sum: CovarianceSum): Gaussian {
  const { mean, covariance } = sum.result();
  return gaussianFrom(mean, covariance, sum.count - 1);
}

function checkFinite(network: FeatureNetwork, stage: string, values: Float32Array, dim: number, first: number): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const image = first + Math.floor(bad / dim);
  throw new NumericError(
    `${network.name}: image ${image} of the ${stage} gives ${values[bad]} in channel ${bad % dim}`,
  );
}
