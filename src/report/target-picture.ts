/**
 * @file What a target looks like: per image the original, the first three principal components of its tokens as colours, and the
 * cosine similarity of all tokens to a marked one; and per target the spatial metrics over these images.
 *
 * @source the visualisation of iREPA (arXiv 2512.10794), scripts/viz_spatialnorm.py; there with four marked tokens in red stars.
 */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import { UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { centreDisc } from "../../features/centre-disc.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import { fitDescriptor } from "../../features/fit-descriptor.js";
import { openNormalizer } from "../../features/open-normalizer.js";
import { spatialMetrics } from "../../features/spatial-metrics.js";
import { parseTarget } from "../../features/targets.js";
import type { Device } from "../compile/compile.js";
import { colourValues, viridis } from "./colour-map.js";
import { colourComponents, principalComponents } from "./principal-components.js";
import type { TargetRecord, TargetsRecord } from "./records.js";
import { similarityMap, tokenAt } from "./similarity-map.js";
import { enlargeTokens, markToken, TOKEN_PX, writePng } from "./token-picture.js";

export interface TargetPictureOptions {
  readonly source: ImageSource;
  /** Target strings, such as `sift`. */
  readonly targets: readonly string[];
  /** Show each target also with spatial normalization of this alpha. @default without only */
  readonly spatialNorm?: number;
  /** G: tokens a side. Images are seen at 16·G pixels. */
  readonly grid: number;
  /** Which images of the source. */
  readonly imageIndices: readonly number[];
  /** Place of the marked token, y and x as shares of the image. @default [0.5, 0.5] */
  readonly place?: readonly [y: number, x: number];
  /** Made if absent; `targets` in a run folder, for the report to find it. Gets PNGs and, last, `targets.json`. */
  readonly outFolder: string;
  readonly device?: Device;
  readonly threads?: number;
}

/** Tokens of one target, with or without normalization. */
interface TokenSet {
  readonly target: string;
  readonly spatialNorm: number | null;
  readonly dim: number;
  /** Of the computer. */
  readonly note?: string;
  /** [images, G², D] */
  readonly tokens: Float32Array;
}

/**
 * Draw the targets and measure their spatial structure.
 *
 * @returns what `targets.json` holds.
 * @throws {UsageError} an unknown target, no image, a grid that the target does not fit.
 * @throws {DataError} an image that cannot be read, a file that cannot be written. @throws {NumericError} features not finite.
 */
export async function writeTargetPictures(options: TargetPictureOptions): Promise<TargetsRecord> {
  const { source, targets, grid, imageIndices, outFolder, place = [0.5, 0.5] } = options;
  checkOptions(options);
  try {
    await mkdir(outFolder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make", outFolder);
  }
  const sizePx = grid * TOKEN_PX;
  const imageBytes = sizePx * sizePx * 3;
  const images = new Uint8Array(imageIndices.length * imageBytes);
  for (const [i, index] of imageIndices.entries()) images.set(await source.load(index, sizePx), i * imageBytes);

  const marked = tokenAt(place, grid);
  const originals: TargetsRecord["originals"] = [];
  for (const [i, index] of imageIndices.entries()) {
    const picture = `original-${index}.png`;
    const pixels = images.slice(i * imageBytes, (i + 1) * imageBytes);
    await writePng(path.join(outFolder, picture), markToken(pixels, sizePx, marked), sizePx);
    originals.push({ index, id: source.id(index), picture });
  }

  const sets: TokenSet[] = [];
  for (const target of targets) sets.push(...(await tokenSets(target, images, options)));
  const maps = sets.map((set) =>
    imageIndices.map((_, i) =>
      similarityMap(imageTokens(set, i, grid), [grid * grid, set.dim], marked[0] * grid + marked[1]),
    ),
  );
  const similarityRange = rangeOf(maps.flat());
  const table = viridis();
  const records: TargetRecord[] = [];
  for (const [s, set] of sets.entries()) {
    const stem = `${s}-${set.target.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 60)}`;
    const pictures: TargetRecord["pictures"] = [];
    const explained: number[] = [];
    for (const [i, index] of imageIndices.entries()) {
      const components = principalComponents(imageTokens(set, i, grid), [grid * grid, set.dim]);
      explained.push(components.shares.reduce((sum, share) => sum + share, 0));
      const pca = `${stem}-pca-${index}.png`;
      const similarity = `${stem}-similarity-${index}.png`;
      await writePng(path.join(outFolder, pca), enlargeTokens(colourComponents(components.scores), grid), sizePx);
      const colours = enlargeTokens(colourValues(maps[s]![i]!, similarityRange, table), grid);
      await writePng(path.join(outFolder, similarity), markToken(colours, sizePx, marked), sizePx);
      pictures.push({ index, id: source.id(index), pca, similarity });
    }
    records.push({
      target: set.target,
      spatialNorm: set.spatialNorm,
      dim: set.dim,
      ...(set.note === undefined ? {} : { note: set.note }),
      explained: mean(explained),
      metrics: meanMetrics(set, imageIndices.length, grid),
      pictures,
    });
  }
  const record: TargetsRecord = {
    format: 1,
    source: source.name,
    grid,
    sizePx,
    marked,
    similarityRange,
    protocol: `means over ${imageIndices.length} images on ${grid}×${grid} tokens; LDS: 4 neighbours minus Manhattan distance ≥ 6; CDS: distances 1 to 8; SRSS: there are no masks, so tokens within 6/16 of the grid's side of its centre stand for the foreground`,
    originals,
    targets: records,
  };
  await writeFileAtomic(path.join(outFolder, "targets.json"), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

function checkOptions({ source, targets, grid, imageIndices, spatialNorm }: TargetPictureOptions): void {
  if (imageIndices.length === 0) throw new UsageError("target pictures need at least one image");
  if (targets.length === 0) throw new UsageError("target pictures need at least one target");
  if (!Number.isInteger(grid) || grid < 2)
    throw new UsageError(`target pictures: wanted a grid of 2 or more, got ${grid}`);
  const wrong = imageIndices.find((index) => !Number.isInteger(index) || index < 0 || index >= source.length);
  if (wrong !== undefined) {
    throw new UsageError(
      `target pictures: ${source.name} has images 0 to ${source.length - 1}, ${wrong} was asked for`,
    );
  }
  if (new Set(imageIndices).size < imageIndices.length)
    throw new UsageError("target pictures: an image is named twice");
  if (spatialNorm !== undefined && !(spatialNorm >= 0 && spatialNorm <= 1)) {
    throw new UsageError(`target pictures: wanted a spatialNorm between 0 and 1, got ${spatialNorm}`);
  }
}

/** The tokens of all images by one target: as they are, and normalized where that is asked for. */
async function tokenSets(target: string, images: Uint8Array, options: TargetPictureOptions): Promise<TokenSet[]> {
  const { grid, imageIndices, spatialNorm } = options;
  const engine = {
    ...(options.device === undefined ? {} : { device: options.device }),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  };
  const descriptor = parseTarget(target);
  const count = imageIndices.length;
  const computing = { imageSizePx: grid * TOKEN_PX, grid, batch: count, ...engine };
  const computer = await openFeatureComputer(await fitDescriptor(descriptor, options.source, computing), computing);
  let tokens: Float32Array;
  try {
    tokens = await computer.compute(images, count, imageIndices);
  } finally {
    await computer.dispose();
  }
  const dim = tokens.length / (count * grid * grid);
  const { note } = computer;
  const plain = { target: descriptor.name, spatialNorm: null, dim, ...(note === undefined ? {} : { note }), tokens };
  if (spatialNorm === undefined) return [plain];
  const normalizer = await openNormalizer({ tokens: grid * grid, dim, batch: count, alpha: spatialNorm, ...engine });
  try {
    return [plain, { ...plain, spatialNorm, tokens: await normalizer.normalize(tokens, count) }];
  } finally {
    await normalizer.dispose();
  }
}

function imageTokens({ tokens, dim }: TokenSet, image: number, grid: number): Float32Array {
  const size = grid * grid * dim;
  return tokens.subarray(image * size, (image + 1) * size);
}

function meanMetrics(set: TokenSet, count: number, grid: number): TargetRecord["metrics"] {
  const mask = centreDisc([grid, grid]);
  const all = Array.from({ length: count }, (_, i) => spatialMetrics(imageTokens(set, i, grid), [grid, grid], mask));
  const meanOf = (key: keyof (typeof all)[number]) => mean(all.map((one) => one[key]).filter(Number.isFinite));
  return { lds: meanOf("lds"), cds: meanOf("cds"), srss: meanOf("srss"), rmsc: meanOf("rmsc") };
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rangeOf(maps: readonly Float64Array[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const map of maps) {
    for (const value of map) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return [low, high];
}
