import type { ImageSource } from "../data/image-source.js";
import type { Descriptor, FeatureComputerOptions } from "./descriptor.js";
import { loadDescriptor } from "./load-descriptor.js";

/** Part of the cache keys of fitted descriptors: raised when other images are chosen. */
export const FIT_VERSION = 1;

/** Images that a descriptor is fitted to: 16,384 tokens on a grid of 16×16. */
const FIT_IMAGES = 64;

/** What descriptors are fitted to. */
export interface FitSample {
  /** [count,H,W,3] RGB, uint8, in shared memory. */
  readonly images: Uint8Array;
  readonly count: number;
  /** Which images of the data set. */
  readonly rows: readonly number[];
}

/** 64 images of a data set, evenly spaced and not mirrored. @throws {DataError} an image that cannot be read. */
export async function loadFitSample(source: ImageSource, sizePx: number): Promise<FitSample> {
  const count = Math.min(FIT_IMAGES, source.length);
  const images = new Uint8Array(new SharedArrayBuffer(count * sizePx ** 2 * 3));
  const rows = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * source.length) / count));
  for (const [i, row] of rows.entries()) images.set(await source.load(row, sizePx), i * sizePx ** 2 * 3);
  return { images, count, rows };
}

/** A loaded descriptor, fitted where it has to see images first (`pca64(sift)`). */
export async function fitToSample(
  descriptor: Descriptor,
  sample: FitSample | undefined,
  options: FeatureComputerOptions,
): Promise<Descriptor> {
  if (descriptor.fit === undefined || sample === undefined) return descriptor;
  return descriptor.fit(sample.images, sample.count, options, sample.rows);
}

/**
 * A descriptor that can be computed: loaded where it is in a file, and fitted where it has to be. So it depends on nothing but
 * descriptor, data set, size and grid.
 *
 * @throws {DataError} an image or a file that cannot be read.
 */
export async function fitDescriptor(
  parsed: Descriptor,
  source: ImageSource,
  options: FeatureComputerOptions & { readonly imageSizePx: number },
): Promise<Descriptor> {
  const descriptor = await loadDescriptor(parsed, { source });
  if (descriptor.fit === undefined) return descriptor;
  return fitToSample(descriptor, await loadFitSample(source, options.imageSizePx), options);
}
