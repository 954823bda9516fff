/** @file What folders and shards share: a list of encoded files, decoded and centre-cropped on demand. */
import { createHash } from "node:crypto";
import { admCrop } from "../adm-crop.js";
import { decodeImage } from "../decode-image.js";
import { DataError } from "../errors.js";
import { flipHorizontally } from "../flip.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { randomStream } from "../random.js";

export interface EncodedImage {
  /** Unique in its data set; shown in errors. */
  readonly id: string;
  readonly label: number;
  /** SHA-256 (hex) of the file. */
  readonly sha256: string;
  read(): Promise<Uint8Array>;
}

export interface EncodedSet {
  readonly name: string;
  readonly classes: readonly string[];
  readonly images: readonly EncodedImage[];
  close(): Promise<void>;
}

/** Endings of the files that are taken for images. */
export const IMAGE_ENDING = /\.(jpe?g|png|webp)$/i;

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * An image source over encoded files, made square by the ADM centre crop.
 *
 * @throws {DataError} a `count` of more images than there are, or none left.
 */
export async function openEncodedSet(
  set: EncodedSet,
  { count, seed = 0, skipBad = false }: OpenOptions,
): Promise<ImageSource> {
  let images = set.images;
  const skipped: string[] = [];
  if (skipBad) {
    const good: EncodedImage[] = [];
    for (const image of images) {
      try {
        await decodeImage(await image.read(), image.id);
        good.push(image);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        skipped.push(image.id);
      }
    }
    images = good;
  }
  if (count !== undefined) {
    if (count > images.length) {
      throw new DataError(`${set.name} has ${images.length} images, ${count} are asked for`, {
        hint: "lower data.count; null takes all",
      });
    }
    const all = images;
    images = Array.from(randomStream(seed, "data/subset", 0).permutation(all.length).slice(0, count), (i) => all[i]!);
  }
  if (images.length === 0) throw new DataError(`${set.name} has no image that can be decoded`);
  const hash = createHash("sha256").update(`adm-crop-1\n${set.classes.join("\n")}\n`);
  for (const { id, label, sha256 } of images) hash.update(`${id}\0${label}\0${sha256}\n`);
  const at = (index: number): EncodedImage => {
    const image = images[index];
    if (image === undefined) throw new DataError(`${set.name}: there is no image ${index}; there are ${images.length}`);
    return image;
  };
  return {
    name: set.name,
    classes: set.classes,
    length: images.length,
    fingerprint: hash.digest("hex"),
    skipped,
    id: (index) => at(index).id,
    label: (index) => at(index).label,
    async load(index, sizePx, { flip = false } = {}) {
      const image = at(index);
      const pixels = admCrop(await decodeImage(await image.read(), image.id), sizePx);
      return flip ? flipHorizontally(pixels, sizePx) : pixels;
    },
    close: () => set.close(),
  };
}
