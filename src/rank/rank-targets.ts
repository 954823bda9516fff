/**
 * @file Which targets have spatial structure: the spatial metrics of every target on the same images, before and after spatial
 * normalization. Computes and returns; tables, figures and files are made of the result elsewhere in this room.
 */
import { UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { PIXELS_PER_TOKEN } from "../../features/cache.js";
import { centreDisc } from "../../features/centre-disc.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import type { Descriptor, DownloadListener } from "../../features/descriptor.js";
import { fitDescriptor } from "../../features/fit-descriptor.js";
import { loadDescriptor } from "../../features/load-descriptor.js";
import { openNormalizer } from "../../features/open-normalizer.js";
import { spatialMetrics } from "../../features/spatial-metrics.js";
import { parseTargets } from "../../features/targets.js";
import type { Device } from "../compile/compile.js";
import { bootstrapMean, type Estimate } from "./bootstrap-mean.js";
import { type MetricKey, RANK_METRICS } from "./metrics.js";

/** Images that are described at a time. */
const BATCH = 16;
const RESAMPLES = 2000;

export interface RankOptions {
  readonly source: ImageSource;
  readonly targets: readonly string[];
  /** G: tokens a side; images are seen at 16·G pixels. */
  readonly grid: number;
  /** Of the spatial normalization. */
  readonly alpha: number;
  /** The metric that the order follows. */
  readonly by: MetricKey;
  /** Of the bootstrap. */
  readonly seed: number;
  /** Folder of masks and the masks; without them SRSS takes the disc at the centre for the foreground. */
  readonly masks?: { readonly folder: string; load(index: number): Promise<Uint8Array | null> };
  /** After every batch: images done of images of all targets, and the target. */
  onProgress?(done: number, total: number, target: string): void;
  readonly signal?: AbortSignal;
  /** @default "cpu" */
  readonly device?: Device;
  /** Told of files that targets need and do not have. */
  readonly onDownload?: DownloadListener;
}

export interface RankRow {
  /** 1 is the most structured, among the rows of the same normalization. */
  readonly rank: number;
  readonly target: string;
  readonly dim: number;
  /** Alpha; null: as the target is. */
  readonly spatialNorm: number | null;
  readonly metrics: Readonly<Record<MetricKey, Estimate>>;
}

/** What a ranking found, with everything that it depends on. */
export interface Ranking {
  readonly format: "descry-rank-1";
  readonly source: string;
  readonly fingerprint: string;
  readonly images: number;
  readonly grid: number;
  readonly sizePx: number;
  readonly alpha: number;
  readonly by: MetricKey;
  /** What stands for the foreground in SRSS. */
  readonly foreground: string;
  readonly bootstrap: { readonly seed: number; readonly resamples: number; readonly interval: string };
  /** The variant of each metric, in words. */
  readonly variants: Readonly<Record<MetricKey, string>>;
  /** First the targets as they are, then normalized; each by rank. */
  readonly rows: readonly RankRow[];
}

/**
 * Measure and order targets.
 *
 * @throws {UsageError} an unknown target, one given twice, a grid below 2, an alpha outside 0..1.
 * @throws {DataError} an image or a mask that cannot be read. @throws the signal's reason when it is aborted.
 */
export async function rankTargets(options: RankOptions): Promise<Ranking> {
  const { source, grid, alpha, by, seed, masks } = options;
  const parsed = parseTargets(options.targets, "rank");
  if (!Number.isInteger(grid) || grid < 2) throw new UsageError(`rank: wanted a grid of 2 or more, got ${grid}`);
  if (!(alpha >= 0 && alpha <= 1)) throw new UsageError(`rank: wanted an alpha between 0 and 1, got ${alpha}`);
  const descriptors: Descriptor[] = [];
  for (const descriptor of parsed) descriptors.push(await loadDescriptor(descriptor, { source }, options.onDownload));
  const foregrounds = await foregroundsOf(options);

  const rows: Omit<RankRow, "rank">[] = [];
  for (const [i, descriptor] of descriptors.entries()) {
    const values = await measure(descriptor, foregrounds, options, i * source.length);
    for (const [spatialNorm, byMetric] of [
      [null, values.plain],
      [alpha, values.normalized],
    ] as const) {
      const metrics = Object.fromEntries(
        RANK_METRICS.map(({ key }) => [key, bootstrapMean(byMetric[key], { seed, resamples: RESAMPLES })]),
      ) as Record<MetricKey, Estimate>;
      rows.push({ target: descriptor.name, dim: descriptor.dim, spatialNorm, metrics });
    }
  }
  const left = foregrounds.filter((foreground) => foreground === null).length;
  return {
    format: "descry-rank-1",
    source: source.name,
    fingerprint: source.fingerprint,
    images: source.length,
    grid,
    sizePx: grid * PIXELS_PER_TOKEN,
    alpha,
    by,
    foreground:
      masks === undefined
        ? "no masks: tokens within 3/8 of the grid's side of its centre"
        : `masks of ${masks.folder}; ${left} images left out, whose foreground or background has less than a quarter of the tokens`,
    bootstrap: { seed, resamples: RESAMPLES, interval: "95 %, percentiles, over images" },
    variants: Object.fromEntries(RANK_METRICS.map(({ key, variant }) => [key, variant])) as Ranking["variants"],
    rows: [null, alpha].flatMap((norm) =>
      ordered(
        rows.filter(({ spatialNorm }) => spatialNorm === norm),
        by,
      ),
    ),
  };
}

async function foregroundsOf({ source, grid, masks }: RankOptions): Promise<(Uint8Array | null)[]> {
  if (masks === undefined) return new Array(source.length).fill(centreDisc([grid, grid]));
  const foregrounds: (Uint8Array | null)[] = [];
  for (let i = 0; i < source.length; i++) foregrounds.push(await masks.load(i));
  return foregrounds;
}

/** One number an image, by metric. */
type Values = Record<MetricKey, number[]>;

/** The metrics of one target on all images. */
async function measure(
  descriptor: Descriptor,
  foregrounds: readonly (Uint8Array | null)[],
  { source, targets, grid, alpha, device = "cpu", onProgress, signal }: RankOptions,
  doneBefore: number,
): Promise<{ plain: Values; normalized: Values }> {
  const sizePx = grid * PIXELS_PER_TOKEN;
  const computing = { imageSizePx: sizePx, grid, batch: BATCH, device };
  const { dim } = descriptor;
  const computer = await openFeatureComputer(await fitDescriptor(descriptor, source, computing), computing);
  try {
    const normalizer = await openNormalizer({ tokens: grid ** 2, dim, batch: BATCH, alpha });
    try {
      const [plain, normalized] = [noValues(), noValues()];
      for (let first = 0; first < source.length; first += BATCH) {
        signal?.throwIfAborted();
        const count = Math.min(BATCH, source.length - first);
        const images = await loadImages(source, first, count, sizePx);
        const tokens = await computer.compute(
          images,
          count,
          Array.from({ length: count }, (_, i) => first + i),
        );
        const after = await normalizer.normalize(tokens, count);
        for (let i = 0; i < count; i++) {
          const own = (all: Float32Array) => all.subarray(i * grid ** 2 * dim, (i + 1) * grid ** 2 * dim);
          const foreground = foregrounds[first + i] ?? undefined;
          addValues(plain, spatialMetrics(own(tokens), [grid, grid], foreground));
          addValues(normalized, spatialMetrics(own(after), [grid, grid], foreground));
        }
        onProgress?.(doneBefore + first + count, targets.length * source.length, descriptor.name);
      }
      return { plain, normalized };
    } finally {
      await normalizer.dispose();
    }
  } finally {
    await computer.dispose();
  }
}

const noValues = (): Values => ({ lds: [], ldsPaper: [], cds: [], srss: [], rmsc: [] });

function addValues(values: Values, metrics: Readonly<Record<MetricKey, number>>): void {
  for (const { key } of RANK_METRICS) values[key].push(metrics[key]);
}

async function loadImages(source: ImageSource, first: number, count: number, sizePx: number): Promise<Uint8Array> {
  const images = new Uint8Array(count * sizePx ** 2 * 3);
  const load = async (i: number) => images.set(await source.load(first + i, sizePx), i * sizePx ** 2 * 3);
  await Promise.all(Array.from({ length: count }, (_, i) => load(i)));
  return images;
}

/** By falling mean of a metric; without a value last, equal ones in the order of the command line. */
function ordered(rows: readonly Omit<RankRow, "rank">[], by: MetricKey): RankRow[] {
  const scoreOf = ({ metrics }: Omit<RankRow, "rank">) => metrics[by].mean ?? Number.NEGATIVE_INFINITY;
  const falling = [...rows].sort((a, b) => (scoreOf(a) === scoreOf(b) ? 0 : scoreOf(b) - scoreOf(a)));
  return falling.map((row, i) => ({ rank: i + 1, ...row }));
}
