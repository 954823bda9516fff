/**
 * @file The spatial metrics of the targets that runs were aligned to, from the features in their caches: what the arms saw, before
 * and after the normalization of their recipe.
 */
import { randomStream } from "../../data/random.js";
import { centreDisc } from "../../features/centre-disc.js";
import { openNormalizer } from "../../features/open-normalizer.js";
import { type SpatialMetrics, spatialMetrics } from "../../features/spatial-metrics.js";
import { RANK_METRICS } from "../rank/metrics.js";
import { type CachedStore, openCachedStore, readPlacedFeatures } from "../run/features-record.js";
import { openRun } from "../run/run-folder.js";

/** Images that are read at a time. */
const BATCH = 16;

/** Means over images; null where no image has a value. */
export type MeanMetrics = Readonly<Record<keyof SpatialMetrics, number | null>>;

export interface MeasuredTarget {
  readonly images: number;
  /** Tokens a side. */
  readonly grid: number;
  readonly plain: MeanMetrics;
  /** After normalization; null where the recipe has none. */
  readonly normalized: MeanMetrics | null;
}

export interface MeasureOptions {
  /** Images at most, drawn by the seed. */
  readonly count: number;
  readonly seed: number;
  /** Where relative caches are looked for when the run's own working folder is gone; absolute. */
  readonly cwd: string;
  /** After every batch; each target as it is and, apart from that, after each normalization. @param alpha null: as it is. */
  readonly onImages?: (done: number, total: number, target: string, alpha: number | null) => void;
  readonly signal?: AbortSignal;
}

/** Measures each target, and each of its normalizations, once, however many runs and arms share its features. */
export class TargetMeter {
  private readonly known = new Map<string, Promise<MeanMetrics>>();

  constructor(private readonly options: MeasureOptions) {}

  /**
   * @param runFolder absolute. @param alpha of the spatial normalization; null: none.
   * @throws {UsageError} the run has no cached features. @throws {CacheError} they are no longer in the cache, or damaged.
   */
  async measure(runFolder: string, target: string, alpha: number | null): Promise<MeasuredTarget> {
    const { record: run } = await openRun(runFolder, this.options.cwd);
    const { targets, source, grid } = await readPlacedFeatures(runFolder, run.workingFolder);
    const cached = targets[target];
    if (cached === undefined) throw new Error(`${runFolder}/features.json lacks ${target}`);
    const measured = (norm: number | null) => {
      const key = JSON.stringify([cached.key, norm]);
      const facts = { target, images: source.length, grid, alpha: norm };
      const means = this.known.get(key) ?? measureStore(cached, facts, this.options);
      this.known.set(key, means);
      return means;
    };
    return {
      images: Math.min(this.options.count, source.length),
      grid,
      plain: await measured(null),
      normalized: alpha === null ? null : await measured(alpha),
    };
  }
}

interface StoreFacts {
  readonly target: string;
  /** Rows that are images as they are. */
  readonly images: number;
  readonly grid: number;
  readonly alpha: number | null;
}

async function measureStore(
  cached: CachedStore,
  { target, images, grid, alpha }: StoreFacts,
  { count, seed, onImages, signal }: MeasureOptions,
): Promise<MeanMetrics> {
  const store = await openCachedStore(cached);
  try {
    const [tokens, dim] = store.header.columns["features"]!.shape as [number, number];
    const drawn = randomStream(seed, "analyze/images", 0).permutation(images).slice(0, count).sort();
    const normalizer = alpha === null ? undefined : await openNormalizer({ tokens, dim, batch: BATCH, alpha });
    try {
      const mask = centreDisc([grid, grid]);
      const all: SpatialMetrics[] = [];
      for (let first = 0; first < drawn.length; first += BATCH) {
        signal?.throwIfAborted();
        // Rows of variants come behind those of the images as they are.
        const rows = drawn.subarray(first, first + BATCH);
        const stored = (await store.read("features", rows)) as Float32Array;
        const values = normalizer === undefined ? stored : await normalizer.normalize(stored, rows.length);
        for (let i = 0; i < rows.length; i++) {
          all.push(spatialMetrics(values.subarray(i * tokens * dim, (i + 1) * tokens * dim), [grid, grid], mask));
        }
        onImages?.(all.length, drawn.length, target, alpha);
      }
      return means(all);
    } finally {
      await normalizer?.dispose();
    }
  } finally {
    await store.close();
  }
}

function means(all: readonly SpatialMetrics[]): MeanMetrics {
  const meanOf = (key: keyof SpatialMetrics) => {
    const finite = all.map((one) => one[key]).filter(Number.isFinite);
    return finite.length === 0 ? null : finite.reduce((a, b) => a + b, 0) / finite.length;
  };
  return Object.fromEntries(RANK_METRICS.map(({ key }) => [key, meanOf(key)])) as MeanMetrics;
}
