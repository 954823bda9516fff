/** @file The real images of an evaluation: those that samples are compared with, and others that take the place of samples. */
import { DataError, ShapeError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { randomStream } from "../../data/random.js";
import type { FeatureNetwork } from "./feature-network.js";
import { type ImageBatch, type ImageSet, imagesInMemory, imagesOfSource } from "./image-set.js";
import { openReferenceFile, type ReferenceStatistics } from "./reference-file.js";

/**
 * The real images: given, or drawn without replacement from a source (all of it where `count` is absent), or a reference file of the ADM
 * evaluation suite. A `floor` set, or what the source has left, is measured as if it were samples: what a perfect model would score.
 */
export type Reference =
  | (ImageBatch & { readonly floor?: ImageBatch })
  | { readonly source: ImageSource; readonly sizePx: number; readonly count?: number }
  | { readonly file: string };

/** Where the real images come from. */
export interface ReferencePool {
  readonly name: string | null;
  /** Of a reference file. */
  readonly fileSha256?: string;
  /** What samples have to be; null: a file of statistics does not say. */
  readonly sizePx: number | null;
  /** How many real images there are besides the reference. */
  readonly spare: number;
  /** Absent: there are statistics alone. */
  readonly reference?: ImageSet;
  /** Instead of those of the reference's images. @throws {DataError} a file with nothing for this network. */
  statisticsFor(network: FeatureNetwork): Promise<ReferenceStatistics | undefined>;
  /** Images that are not in the reference; `count` ≤ `spare`. */
  others(count: number): ImageSet;
}

/** @throws {ShapeError} images that do not fit their count and size. @throws {DataError} a source with too few images; a bad file. */
export async function openReference(reference: Reference, seed: number): Promise<ReferencePool> {
  if ("source" in reference) return sourcePool(reference, seed);
  if ("file" in reference) return filePool(reference.file);
  const { floor } = reference;
  checkBatch("reference", reference);
  if (floor !== undefined) {
    checkBatch("floor", floor);
    if (floor.size !== reference.size) {
      throw new ShapeError(`floor: images are ${floor.size} px, the reference is ${reference.size} px`);
    }
  }
  return {
    name: null,
    sizePx: reference.size,
    spare: floor?.count ?? 0,
    reference: imagesInMemory(reference),
    statisticsFor: async () => undefined,
    others: (count) => imagesInMemory({ ...floor!, count }),
  };
}

/** The images of a source in the order in which they are taken: first the reference, then those that are measured like samples. */
export const referenceOrder = (length: number, seed: number): Uint32Array =>
  randomStream(seed, "evaluate/reference", 0).permutation(length);

function sourcePool(
  { source, sizePx, count = source.length }: Extract<Reference, { source: unknown }>,
  seed: number,
): ReferencePool {
  if (count < 2 || count > source.length) {
    throw new DataError(`reference: wants ${count} images, ${source.name} has ${source.length}`, {
      hint: count < 2 ? "a reference needs at least 2" : "lower evaluate.referenceCount",
    });
  }
  const order = referenceOrder(source.length, seed);
  return {
    name: source.name,
    sizePx,
    spare: source.length - count,
    reference: imagesOfSource(source, order.subarray(0, count), sizePx),
    statisticsFor: async () => undefined,
    others: (wanted) => imagesOfSource(source, order.subarray(count, count + wanted), sizePx),
  };
}

async function filePool(path: string): Promise<ReferencePool> {
  const { sha256, images, statisticsFor } = await openReferenceFile(path);
  return {
    name: path,
    fileSha256: sha256,
    sizePx: images?.sizePx ?? null,
    spare: 0,
    ...(images === undefined ? {} : { reference: images }),
    statisticsFor,
    others: () => {
      throw new Error("a reference file has no other images");
    },
  };
}

function checkBatch(what: string, { images, count, size }: ImageBatch): void {
  if (images.length !== count * size * size * 3 || count < 1) {
    throw new ShapeError(`${what}: want ${count}×${size}×${size}×3 bytes, got ${images.length}`);
  }
}
