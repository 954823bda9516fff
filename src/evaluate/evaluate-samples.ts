/**
 * @file From a file of samples to `evaluation.json`: images through a feature network, features through the metrics. The
 * reference goes through the network once, for all arms that are compared with it. Images are read batch by batch and never held whole.
 */
import { writeFileAtomic } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";
import type { DownloadListener } from "../../features/descriptor.js";
import { type CollectedFeatures, collectFeatures } from "./collect-features.js";
import type { FeatureNetwork } from "./feature-network.js";
import { type Gaussian, gaussianOf } from "./frechet-distance.js";
import { type ImageSet, imagesOfNpz } from "./image-set.js";
import { admGroups, equalGroups } from "./inception-score.js";
import { KID_SUBSETS, kidSubsetSize } from "./kid.js";
import { type GenerationMetrics, type MetricSettings, measureSamples, type ReferenceSide } from "./measure-samples.js";
import { openFeatureNetwork } from "./open-feature-network.js";
import { openReference, type Reference, type ReferencePool } from "./reference-pool.js";
import { type InfluenceRecord, writeInfluence } from "./write-influence.js";

/** What is being done, and how many of its images are. */
export type EvaluationProgress = (
  stage: "reference" | "floor" | "samples" | "metrics",
  done: number,
  total: number,
) => void;

export interface EvaluatorOptions {
  readonly reference: Reference;
  /** `random-vgg`, `inception-adm`, a published encoder or `onnx:…`. */
  readonly network: string;
  /** k of precision and recall. @default 3 */
  readonly neighbours?: number;
  /** @default 50 */
  readonly kidSubsets?: number;
  /** Absent or null: 100, or half of the smaller set where that is less. */
  readonly kidSubsetSize?: number | null;
  /** Groups of the inception score; `inception-adm` has those of the ADM evaluation suite, 5000 samples each. @default 10 */
  readonly inceptionSplits?: number;
  /** Of the draw of the reference and of KID's subsets; not of the samples. @default 0 */
  readonly seed?: number;
  readonly threads?: number;
  /** Told of the network's files that are downloaded. */
  readonly onDownload?: DownloadListener;
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
  /** Where the record is written; nothing is written when absent. */
  readonly outPath?: string;
  /** Also write the influences of the samples beside the record: more than a minute of work with 2048 features. @default false */
  readonly withInfluence?: boolean;
  readonly onProgress?: EvaluationProgress;
}

/** `evaluation.json`. */
export interface EvaluationRecord {
  readonly arm: string;
  readonly step: number;
  readonly weights: string;
  readonly samples: number;
  /** Real images; null: a reference file of statistics that does not say of how many. */
  readonly reference: number | null;
  readonly sampler: Readonly<Record<string, unknown>>;
  readonly network: Pick<FeatureNetwork, "name" | "sha256" | "proxy" | "resize" | "dim" | "cite">;
  readonly metrics: GenerationMetrics;
  /** The same metrics of as many other real images in the place of the samples, or null. */
  readonly floor: GenerationMetrics | null;
  /** How far each sample moves the metrics, for intervals; null where it was not asked for or nothing was measured. */
  readonly influence: InfluenceRecord | null;
  /** Why a metric, or the floor, is null. */
  readonly not_measured: Readonly<Record<string, string>>;
  /** Everything else that the numbers depend on. */
  readonly protocol: {
    readonly source: string | null;
    /** A reference file, and where its numbers are from. */
    readonly reference_file?: {
      readonly sha256: string;
      readonly distances_by: "statistics of the file" | "images of the file";
      readonly images: number;
    };
    readonly size_px: number | null;
    readonly neighbours: number;
    readonly kid_subsets: number;
    readonly kid_subset_size: number;
    /** Groups of that many samples in order, the last with what is left; or the number of equal groups. */
    readonly inception_splits: number | "5000 samples each";
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

/**
 * Open an evaluator: loads the reference and computes its features.
 *
 * @throws {UsageError} an unknown network. @throws {DataError} too few or unreadable reference images; a reference file that has nothing
 *   for this network.
 */
export async function openEvaluator(options: EvaluatorOptions): Promise<Evaluator> {
  const { threads, onDownload, onProgress, seed = 0 } = options;
  const network = await openFeatureNetwork(options.network, {
    ...(threads === undefined ? {} : { threads }),
    ...(onDownload === undefined ? {} : { onDownload }),
  });
  try {
    const pool = await openReference(options.reference, seed);
    return new ReferenceEvaluator(network, options, pool, await referenceSide(network, pool, onProgress));
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

/** What a reference file says of the distances goes before its images. */
async function referenceSide(
  network: FeatureNetwork,
  pool: ReferencePool,
  onProgress?: EvaluationProgress,
): Promise<ReferenceSide> {
  const statistics = await pool.statisticsFor(network);
  const images = pool.reference;
  const collected =
    images === undefined
      ? undefined
      : await collectFeatures(network, "reference", images, {
          withSpatial: statistics === undefined,
          onProgress: (done) => onProgress?.("reference", done, images.count),
        });
  const gaussian = statistics?.features ?? gaussianIfAny(collected);
  const spatial = (statistics ?? collected)?.spatial;
  return {
    ...(collected === undefined ? {} : { features: collected.features }),
    ...(gaussian === undefined ? {} : { gaussian }),
    ...(spatial === undefined ? {} : { spatial }),
    count:
      statistics === undefined ? collected!.features.count : (statistics.images ?? collected?.features.count ?? null),
    isFromStatistics: statistics !== undefined,
  };
}

const gaussianIfAny = (collected: CollectedFeatures | undefined): Gaussian | undefined =>
  collected === undefined || collected.features.count < 2 ? undefined : gaussianOf(collected.features, "reference");

class ReferenceEvaluator implements Evaluator {
  private readonly floors = new Map<number, GenerationMetrics | string>();

  constructor(
    readonly network: FeatureNetwork,
    private readonly options: EvaluatorOptions,
    private readonly pool: ReferencePool,
    private readonly reference: ReferenceSide,
  ) {}

  async evaluate(request: SamplesToEvaluate): Promise<EvaluationRecord> {
    const started = performance.now();
    const progress = request.onProgress ?? this.options.onProgress;
    const images = await openSamples(request.samplesPath, this.pool.sizePx);
    const { count } = images;
    const samples = await this.collect("samples", images, progress);
    progress?.("metrics", 0, count);
    const measured = measureSamples(this.network, this.reference, samples, this.settings(count));
    const { metrics, notMeasured } = measured;
    const { outPath, withInfluence = false } = request;
    const influences = outPath === undefined || !withInfluence ? {} : measured.influences();
    const influence = Object.keys(influences).length === 0 ? null : await writeInfluence(outPath!, influences);
    progress?.("metrics", count, count);
    const seconds = (performance.now() - started) / 1e3; // the floor is of the reference, not of this arm
    const floor = await this.floor(count, progress);
    const { name, sha256, proxy, resize, dim, cite } = this.network;
    const record: EvaluationRecord = {
      arm: request.arm,
      step: request.step,
      weights: request.weights,
      samples: count,
      reference: this.reference.count,
      sampler: request.sampleRecord,
      network: { name, sha256, proxy, resize, dim, cite },
      metrics,
      floor: typeof floor === "string" ? null : floor,
      influence,
      not_measured: typeof floor === "string" ? { ...notMeasured, floor } : notMeasured,
      protocol: this.protocol(count),
      notes: notesOf(this.network, this.reference, count),
      seconds: Math.round(seconds * 1e3) / 1e3,
    };
    if (outPath !== undefined) await writeFileAtomic(outPath, `${JSON.stringify(record, null, 2)}\n`);
    return record;
  }

  dispose(): Promise<void> {
    return this.network.dispose();
  }

  private settings(samples: number): MetricSettings {
    const { neighbours = 3, kidSubsets = KID_SUBSETS, seed = 0 } = this.options;
    const size = this.options.kidSubsetSize ?? kidSubsetSize(this.reference.features?.count ?? samples, samples);
    return { neighbours, kidSubsets, kidSubsetSize: size, inceptionSplits: this.splits, seed };
  }

  private get splits(): number {
    return this.options.inceptionSplits ?? 10;
  }

  private protocol(samples: number): EvaluationRecord["protocol"] {
    const { neighbours, kidSubsets, kidSubsetSize, seed } = this.settings(samples);
    const { name, fileSha256, sizePx } = this.pool;
    const { features, isFromStatistics } = this.reference;
    return {
      source: name,
      ...(fileSha256 === undefined
        ? {}
        : {
            reference_file: {
              sha256: fileSha256,
              distances_by: isFromStatistics ? "statistics of the file" : "images of the file",
              images: features?.count ?? 0,
            } as const,
          }),
      size_px: sizePx,
      neighbours,
      kid_subsets: kidSubsets,
      kid_subset_size: kidSubsetSize,
      inception_splits: this.network.proxy ? this.splits : "5000 samples each",
      seed,
    };
  }

  private collect(stage: "samples" | "floor", images: ImageSet, progress?: EvaluationProgress) {
    const { count } = images;
    const groups = this.network.proxy
      ? count < this.splits
        ? undefined
        : equalGroups(count, this.splits)
      : admGroups(count);
    return collectFeatures(this.network, stage, images, {
      ...(groups === undefined ? {} : { groups }),
      onProgress: (done) => progress?.(stage, done, count),
    });
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
      const others = await this.collect("floor", this.pool.others(count), progress);
      floor = measureSamples(this.network, this.reference, others, this.settings(count)).metrics;
    }
    this.floors.set(count, floor);
    return floor;
  }
}

function notesOf(
  network: FeatureNetwork,
  { count, isFromStatistics, features }: ReferenceSide,
  samples: number,
): string[] {
  const notes: string[] = [];
  if (network.proxy) {
    notes.push(`features of ${network.name}: compare arms with each other, not with published FIDs`);
  }
  const fewest = Math.min(count ?? samples, samples);
  if (fewest <= network.dim) {
    notes.push(
      `${fewest} images for ${network.dim} features: the covariance has not full rank, and the Fréchet distance is biased upwards; compare only at equal counts`,
    );
  }
  if (!network.proxy && samples !== PUBLISHED_SAMPLES) {
    notes.push(
      `${samples} samples, where published FIDs have ${PUBLISHED_SAMPLES}: with fewer, FID and sFID are biased upwards`,
    );
  }
  if (isFromStatistics && features !== undefined) {
    notes.push(
      `distances to the file's statistics; precision, recall and KID to its ${features.count} images, as the ADM suite does`,
    );
  }
  return notes;
}

const PUBLISHED_SAMPLES = 50_000;

async function openSamples(path: string, sizePx: number | null): Promise<ImageSet> {
  const images = await imagesOfNpz(path);
  if (images === undefined)
    throw new DataError(`${path}: has no array arr_0`, { hint: "write samples with numpy.savez(path, images)" });
  if (sizePx !== null && images.sizePx !== sizePx) {
    throw new DataError(`${path}: samples are ${images.sizePx} px, the reference is ${sizePx} px`, {
      hint: "load the reference at the samples' size",
    });
  }
  return images;
}
