/**
 * @file From a file of samples to `evaluation.json`: images through a feature network, features through the metrics. The
 * reference goes through the network once, for all arms that are compared with it.
 */
import { writeFileAtomic } from "../../data/atomic.js";
import { DataError, NumericError } from "../../data/errors.js";
import { readNpz } from "../../data/npz.js";
import type { FeatureMatrix } from "./feature-matrix.js";
import type { FeatureNetwork, NetworkOutput } from "./feature-network.js";
import { frechetDistance, type Gaussian, gaussianOf } from "./frechet-distance.js";
import { frechetInfluence } from "./frechet-influence.js";
import { inceptionScore } from "./inception-score.js";
import { type KernelDistance, KID_SUBSETS, kernelDistance, kidSubsetSize } from "./kid.js";
import { openFeatureNetwork } from "./open-feature-network.js";
import { precisionRecall } from "./precision-recall.js";
import { type ImageBatch, openReference, type Reference, type ReferencePool } from "./reference-pool.js";
import { type InfluenceRecord, writeInfluence } from "./write-influence.js";

export type { ImageBatch, Reference } from "./reference-pool.js";

/** What is being done, and how many of its images are. */
export type EvaluationProgress = (
  stage: "reference" | "floor" | "samples" | "metrics",
  done: number,
  total: number,
) => void;

export interface EvaluatorOptions {
  readonly reference: Reference;
  /** `random-vgg` or `onnx:…`. */
  readonly network: string;
  /** k of precision and recall. @default 3 */
  readonly neighbours?: number;
  /** @default 50 */
  readonly kidSubsets?: number;
  /** Absent or null: 100, or half of the smaller set where that is less. */
  readonly kidSubsetSize?: number | null;
  /** @default 10 */
  readonly inceptionSplits?: number;
  /** Of the draw of the reference and of KID's subsets; not of the samples. @default 0 */
  readonly seed?: number;
  readonly threads?: number;
  readonly onProgress?: EvaluationProgress;
}

export interface SamplesToEvaluate {
  /** An npz file with uint8 [n, size, size, 3] under `arr_0`. */
  readonly samplesPath: string;
  /** How they were drawn; goes into the record as `sampler`. */
  readonly sampleRecord: Readonly<Record<string, unknown>>;
  readonly arm: string;
  readonly step: number;
  /** Which weights drew them: `ema` or `model`. */
  readonly weights: string;
  /** Where the record is written, with the influences of the samples beside it; nothing is written when absent. */
  readonly outPath?: string;
  readonly onProgress?: EvaluationProgress;
}

/** A number that was measured, or null: the reason is in `not_measured`. */
type Measured = number | null;

export interface GenerationMetrics {
  readonly frechet_distance: Measured;
  readonly kid: Measured;
  readonly kid_std: Measured;
  readonly precision: Measured;
  readonly recall: Measured;
  readonly inception_score: Measured;
  readonly inception_score_std: Measured;
}

/** `evaluation.json`. */
export interface EvaluationRecord {
  readonly arm: string;
  readonly step: number;
  readonly weights: string;
  /** Images of each side. */
  readonly samples: number;
  readonly reference: number;
  readonly sampler: Readonly<Record<string, unknown>>;
  readonly network: Pick<FeatureNetwork, "name" | "sha256" | "proxy" | "resize" | "dim" | "cite">;
  readonly metrics: GenerationMetrics;
  /** The same metrics of as many other real images in the place of the samples, or null. */
  readonly floor: GenerationMetrics | null;
  /** How far each sample moves the metrics, for intervals; null where nothing was written or measured. */
  readonly influence: InfluenceRecord | null;
  /** Why a metric, or the floor, is null. */
  readonly not_measured: Readonly<Record<string, string>>;
  /** Everything else that the numbers depend on. */
  readonly protocol: {
    readonly source: string | null;
    readonly size_px: number;
    readonly neighbours: number;
    readonly kid_subsets: number;
    readonly kid_subset_size: number;
    readonly inception_splits: number;
    readonly seed: number;
  };
  /** What to keep in mind when reading the numbers. */
  readonly notes: readonly string[];
  readonly seconds: number;
}

/** Measures sets of samples against one reference, of which the features are kept. */
export interface Evaluator {
  readonly network: FeatureNetwork;
  /** @throws {DataError} samples that are no such file, or of another size than the reference. @throws {NumericError} features that are not finite. */
  evaluate(samples: SamplesToEvaluate): Promise<EvaluationRecord>;
  dispose(): Promise<void>;
}

interface Features {
  readonly features: FeatureMatrix;
  readonly probabilities?: FeatureMatrix;
}

/**
 * Open an evaluator: loads the reference and computes its features.
 *
 * @throws {UsageError} an unknown network. @throws {DataError} too few or unreadable reference images.
 */
export async function openEvaluator(options: EvaluatorOptions): Promise<Evaluator> {
  const network = await openFeatureNetwork(
    options.network,
    options.threads === undefined ? {} : { threads: options.threads },
  );
  try {
    const pool = openReference(options.reference, options.seed ?? 0);
    const images = await pool.reference();
    const features = await featuresOf(network, "reference", images, options.onProgress);
    return new ReferenceEvaluator(network, options, pool, features);
  } catch (error) {
    await network.dispose();
    throw error;
  }
}

/** One evaluation with an evaluator of its own: see {@link openEvaluator} for several. */
export async function evaluateSamples(options: EvaluatorOptions & SamplesToEvaluate): Promise<EvaluationRecord> {
  const evaluator = await openEvaluator(options);
  try {
    return await evaluator.evaluate(options);
  } finally {
    await evaluator.dispose();
  }
}

class ReferenceEvaluator implements Evaluator {
  private readonly gaussian: Gaussian | undefined;
  private readonly floors = new Map<number, GenerationMetrics | string>();

  constructor(
    readonly network: FeatureNetwork,
    private readonly options: EvaluatorOptions,
    private readonly pool: ReferencePool,
    private readonly reference: Features,
  ) {
    this.gaussian = reference.features.count >= 2 ? gaussianOf(reference.features, "reference") : undefined;
  }

  async evaluate(request: SamplesToEvaluate): Promise<EvaluationRecord> {
    const started = performance.now();
    const progress = request.onProgress ?? this.options.onProgress;
    const images = await readSamples(request.samplesPath, this.pool.sizePx);
    const samples = await featuresOf(this.network, "samples", images, progress);
    progress?.("metrics", 0, images.count);
    const { metrics, notMeasured, kid } = this.measure(samples);
    const { outPath } = request;
    const influence = outPath === undefined ? null : await this.writeInfluence(outPath, samples.features, kid);
    progress?.("metrics", images.count, images.count);
    const seconds = (performance.now() - started) / 1e3; // the floor is of the reference, not of this arm
    const floor = await this.floor(images.count, progress);
    const { name, sha256, proxy, resize, dim, cite } = this.network;
    const { features: reference } = this.reference;
    const record: EvaluationRecord = {
      arm: request.arm,
      step: request.step,
      weights: request.weights,
      samples: images.count,
      reference: reference.count,
      sampler: request.sampleRecord,
      network: { name, sha256, proxy, resize, dim, cite },
      metrics,
      floor: typeof floor === "string" ? null : floor,
      influence,
      not_measured: typeof floor === "string" ? { ...notMeasured, floor } : notMeasured,
      protocol: {
        source: this.pool.name,
        size_px: this.pool.sizePx,
        ...this.settings(images.count),
        seed: this.options.seed ?? 0,
      },
      notes: notesOf(this.network, reference.count, images.count),
      seconds: Math.round(seconds * 1e3) / 1e3,
    };
    if (outPath !== undefined) await writeFileAtomic(outPath, `${JSON.stringify(record, null, 2)}\n`);
    return record;
  }

  dispose(): Promise<void> {
    return this.network.dispose();
  }

  /** Of the metrics that were measured; null: of none. */
  private async writeInfluence(
    outPath: string,
    features: FeatureMatrix,
    kid: KernelDistance | null,
  ): Promise<InfluenceRecord | null> {
    const isMeasured = this.gaussian !== undefined && features.count >= 2;
    const influences = {
      ...(isMeasured && {
        frechet_distance: frechetInfluence(this.gaussian, gaussianOf(features, "samples"), features),
      }),
      ...(kid !== null && { kid: kid.influence }),
    };
    return Object.keys(influences).length === 0 ? null : writeInfluence(outPath, influences);
  }

  private settings(samples: number) {
    const { neighbours = 3, kidSubsets = KID_SUBSETS, inceptionSplits = 10 } = this.options;
    const size = this.options.kidSubsetSize ?? kidSubsetSize(this.reference.features.count, samples);
    return { neighbours, kid_subsets: kidSubsets, kid_subset_size: size, inception_splits: inceptionSplits };
  }

  private measure(samples: Features): {
    metrics: GenerationMetrics;
    notMeasured: Record<string, string>;
    kid: KernelDistance | null;
  } {
    const { features: reference } = this.reference;
    const { features } = samples;
    const settings = this.settings(features.count);
    const notMeasured: Record<string, string> = {};
    /** The metrics of `names` from `compute`, or nulls where there are fewer than `least` images on a side. */
    const either = <T>(names: readonly string[], least: number, compute: () => T): T | null => {
      const fewest = Math.min(reference.count, features.count);
      if (fewest >= least) return compute();
      for (const name of names) notMeasured[name] = `wants at least ${least} images on each side, got ${fewest}`;
      return null;
    };
    const distance = either(["frechet_distance"], 2, () =>
      frechetDistance(this.gaussian!, gaussianOf(features, "samples")),
    );
    const kid = either(["kid", "kid_std"], Math.max(4, settings.kid_subset_size), () =>
      kernelDistance(reference, features, {
        seed: this.options.seed ?? 0,
        subsets: settings.kid_subsets,
        subsetSize: settings.kid_subset_size,
      }),
    );
    const manifold = either(["precision", "recall"], settings.neighbours + 1, () =>
      precisionRecall(reference, features, settings.neighbours),
    );
    const score = this.score(samples, settings.inception_splits);
    if (typeof score === "string") {
      notMeasured["inception_score"] = score;
      notMeasured["inception_score_std"] = score;
    }
    const metrics = {
      frechet_distance: distance,
      kid: kid?.kid ?? null,
      kid_std: kid?.subsetStd ?? null,
      precision: manifold?.precision ?? null,
      recall: manifold?.recall ?? null,
      inception_score: typeof score === "string" ? null : score.mean,
      inception_score_std: typeof score === "string" ? null : score.std,
    };
    return { metrics, notMeasured, kid };
  }

  private score({ probabilities }: Features, splits: number) {
    if (probabilities === undefined) return `${this.network.name} gives no class probabilities`;
    if (probabilities.count < splits) return `wants at least ${splits} samples, got ${probabilities.count}`;
    return inceptionScore(probabilities, splits);
  }

  /** Metrics of `count` real images that are not in the reference, or why there are none. */
  private async floor(count: number, progress?: EvaluationProgress): Promise<GenerationMetrics | string> {
    const known = this.floors.get(count);
    if (known !== undefined) return known;
    const spare = this.pool.spare;
    let floor: GenerationMetrics | string;
    if (spare < count) {
      floor = `wants ${count} real images besides the reference, ${spare === 0 ? "there are none" : `there are ${spare}`}`;
    } else {
      const images = await this.pool.others(count);
      floor = this.measure(await featuresOf(this.network, "floor", images, progress)).metrics;
    }
    this.floors.set(count, floor);
    return floor;
  }
}

function notesOf(network: FeatureNetwork, reference: number, samples: number): string[] {
  const notes: string[] = [];
  if (network.proxy) {
    notes.push(`features of ${network.name}: compare arms with each other, not with published FIDs`);
  }
  const fewest = Math.min(reference, samples);
  if (fewest <= network.dim) {
    notes.push(
      `${fewest} images for ${network.dim} features: the covariance has not full rank, and the Fréchet distance is biased upwards; compare only at equal counts`,
    );
  }
  return notes;
}

async function readSamples(path: string, sizePx: number): Promise<ImageBatch> {
  const { arr_0: array } = await readNpz(path);
  if (array === undefined)
    throw new DataError(`${path}: has no array arr_0`, { hint: "write samples with numpy.savez(path, images)" });
  const [count, height, width, channels] = array.shape;
  if (
    !(array.data instanceof Uint8Array) ||
    array.shape.length !== 4 ||
    height !== width ||
    channels !== 3 ||
    count === 0
  ) {
    throw new DataError(
      `${path}: arr_0 should be uint8 [n, size, size, 3], it is ${array.dtype} [${array.shape.join(", ")}]`,
    );
  }
  if (height !== sizePx) {
    throw new DataError(`${path}: samples are ${height} px, the reference is ${sizePx} px`, {
      hint: "load the reference at the samples' size",
    });
  }
  return { images: array.data, count: count!, size: sizePx };
}

async function featuresOf(
  network: FeatureNetwork,
  stage: "reference" | "floor" | "samples",
  { images, count, size }: ImageBatch,
  progress?: EvaluationProgress,
): Promise<Features> {
  const output: NetworkOutput = await network.features(images, count, size, (done) => progress?.(stage, done, count));
  const features = { data: output.features, count, dim: network.dim };
  checkOutput(network, stage, output.features, network.dim);
  if (output.probabilities === undefined) return { features };
  const dim = output.probabilities.length / count;
  checkOutput(network, stage, output.probabilities, dim);
  return { features, probabilities: { data: output.probabilities, count, dim } };
}

function checkOutput(network: FeatureNetwork, stage: string, values: Float32Array, dim: number): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  const image = Math.floor(bad / dim);
  throw new NumericError(
    `${network.name}: image ${image} of the ${stage} gives ${values[bad]} in channel ${bad % dim}`,
  );
}
