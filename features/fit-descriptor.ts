import type { ImageSource } from "../data/image-source.js";
import type { Descriptor, FeatureComputerOptions } from "./descriptor.js";
import { loadDescriptor } from "./load-descriptor.js";

/** Part of the cache keys of fitted descriptors: raised when other images are chosen. */
export const FIT_VERSION = 1;

/** Images that a descriptor is fitted to: 16,384 tokens on a grid of 16×16. */
const FIT_IMAGES = 64;

/**
 * A descriptor that can be computed: itself, loaded where it is in a file, or, where it has to see images first (`pca64(sift)`),
 * fitted to 64 images of the data set, evenly spaced and not mirrored. So it depends on nothing but descriptor, data set, size and
 * grid.
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
  const count = Math.min(FIT_IMAGES, source.length);
  const { imageSizePx: sizePx } = options;
  const images = new Uint8Array(count * sizePx ** 2 * 3);
  const rows = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * source.length) / count));
  for (const [i, row] of rows.entries()) images.set(await source.load(row, sizePx), i * sizePx ** 2 * 3);
  return descriptor.fit(images, count, options, rows);
}
