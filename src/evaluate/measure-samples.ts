/** @file The metrics of one set of samples against a reference: those that can be measured, and why the others cannot. */
import type { CollectedFeatures } from "./collect-features.js";
import type { FeatureMatrix } from "./feature-matrix.js";
import type { FeatureNetwork } from "./feature-network.js";
import { frechetDistance, type Gaussian, gaussianOf } from "./frechet-distance.js";
import { frechetInfluence } from "./frechet-influence.js";
import { gaussianMmd } from "./gaussian-mmd.js";
import { kernelDistance } from "./kid.js";
import { precisionRecall } from "./precision-recall.js";

/** A number that was measured, or null: the reason is in `not_measured`. */
type Measured = number | null;

export interface GenerationMetrics {
  /** FID, where the network is that of published FIDs. */
  readonly frechet_distance: Measured;
  /** sFID there; absent for networks without spatial features. */
  readonly spatial_frechet_distance?: Measured;
  readonly kid: Measured;
  readonly kid_std: Measured;
  /** On CLIP; {@link gaussianMmd} on other encoders is `gaussian_mmd`. Both absent for other networks. */
  readonly cmmd?: Measured;
  readonly gaussian_mmd?: Measured;
  readonly precision: Measured;
  readonly recall: Measured;
  readonly inception_score: Measured;
  readonly inception_score_std: Measured;
}

/** The real images' side. */
export interface ReferenceSide {
  /** Absent: there are statistics alone. */
  readonly features?: FeatureMatrix;
  /** Absent where there are too few images. */
  readonly gaussian?: Gaussian;
  readonly spatial?: Gaussian;
  /** Images that the Gaussian is of; null: not known. */
  readonly count: number | null;
  /** The Gaussians are a file's, and not those of `features`. */
  readonly isFromStatistics: boolean;
}

export interface MetricSettings {
  readonly neighbours: number;
  readonly kidSubsets: number;
  readonly kidSubsetSize: number;
  readonly inceptionSplits: number;
  /** Of KID's subsets. */
  readonly seed: number;
}

export interface MeasuredSamples {
  readonly metrics: GenerationMetrics;
  /** Why a metric is null. */
  readonly notMeasured: Readonly<Record<string, string>>;
  /** How far each sample moves the metrics that were measured, [n] by metric; computed when it is asked for. */
  influences(): Readonly<Record<string, Float32Array>>;
}

/** @throws {NumericError} features that are not finite. */
export function measureSamples(
  network: FeatureNetwork,
  reference: ReferenceSide,
  samples: CollectedFeatures,
  settings: MetricSettings,
): MeasuredSamples {
  const { features } = samples;
  const notMeasured: Record<string, string> = {};
  const without = (names: readonly string[], reason: string): null => {
    for (const name of names) notMeasured[name] = reason;
    return null;
  };
  /** The metrics of `names` from images on both sides, or null where there are fewer than `least` on one. */
  const ofImages = <T>(names: readonly string[], least: number, compute: (reference: FeatureMatrix) => T): T | null => {
    if (reference.features === undefined) {
      return without(names, "the reference file has no images, only statistics");
    }
    const fewest = Math.min(reference.features.count, features.count);
    if (fewest >= least) return compute(reference.features);
    return without(names, `wants at least ${least} images on each side, got ${fewest}`);
  };
  const distance = (name: string, real: Gaussian | undefined, drawn: Gaussian | undefined): Measured => {
    if (reference.isFromStatistics && real === undefined)
      return without([name], "the reference file has no mu_s and sigma_s");
    const fewest = Math.min(reference.count ?? features.count, features.count);
    if (fewest < 2) return without([name], `wants at least 2 images on each side, got ${fewest}`);
    return frechetDistance(real!, drawn!);
  };

  const kid = ofImages(["kid", "kid_std"], Math.max(4, settings.kidSubsetSize), (real) =>
    kernelDistance(real, features, {
      seed: settings.seed,
      subsets: settings.kidSubsets,
      subsetSize: settings.kidSubsetSize,
    }),
  );
  const manifold = ofImages(["precision", "recall"], settings.neighbours + 1, (real) =>
    precisionRecall(real, features, settings.neighbours),
  );
  const drawn = features.count < 2 ? undefined : gaussianOf(features, "samples");
  const { gaussianMmd: mmd, spatialDim } = network;
  const score =
    samples.score ?? without(["inception_score", "inception_score_std"], noScore(network, samples, settings));
  const metrics: GenerationMetrics = {
    frechet_distance: distance("frechet_distance", reference.gaussian, drawn),
    ...(spatialDim === undefined
      ? {}
      : { spatial_frechet_distance: distance("spatial_frechet_distance", reference.spatial, samples.spatial) }),
    kid: kid?.kid ?? null,
    kid_std: kid?.subsetStd ?? null,
    ...(mmd === undefined ? {} : { [mmd]: ofImages([mmd], 1, (real) => gaussianMmd(real, features)) }),
    precision: manifold?.precision ?? null,
    recall: manifold?.recall ?? null,
    inception_score: score?.mean ?? null,
    inception_score_std: score?.std ?? null,
  };
  return {
    metrics,
    notMeasured,
    influences: () => ({
      ...(metrics.frechet_distance !== null && {
        frechet_distance: frechetInfluence(reference.gaussian!, drawn!, features),
      }),
      ...(kid !== null && { kid: kid.influence }),
    }),
  };
}

function noScore(
  { name }: FeatureNetwork,
  { hasClasses, features }: CollectedFeatures,
  { inceptionSplits }: MetricSettings,
): string {
  return hasClasses
    ? `wants at least ${inceptionSplits} samples, got ${features.count}`
    : `${name} gives no class probabilities`;
}
