/**
 * @file What all data sets of files share: a list of images, described by compact arrays and decoded one by one on demand, from
 * which the images of a run are selected. A million entries take tens of megabytes.
 */
import { createHash, type Hash } from "node:crypto";
import { admCrop } from "../adm-crop.js";
import { decodeImage, type RgbImage } from "../decode-image.js";
import { DataError } from "../errors.js";
import { flipHorizontally } from "../flip.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { inOrder } from "../in-order.js";
import { randomStream } from "../random.js";
import { randomCrop } from "../random-crop.js";

/** All the images of a data set, by their position in it. */
export interface ImageList {
  /** The specification that it was opened with. */
  readonly name: string;
  readonly classes: readonly string[];
  readonly length: number;
  /** Unique in its data set; shown in errors. */
  id(position: number): string;
  /** Position in `classes`. */
  label(position: number): number;
  /** @throws {DataError} it cannot be read or decoded, by its id. */
  decode(position: number): Promise<RgbImage>;
  /** Told once which images will be read, and in which order, before the first `addContents`. */
  willRead?(positions: Uint32Array): void;
  /**
   * Adds to a hash everything that the images at these positions are made of, labels included.
   *
   * @param onHashed called with the share of the work that is done, 0 to 1.
   */
  addContents(hash: Hash, positions: Uint32Array, onHashed: (share: number) => void): Promise<void>;
  close(): Promise<void>;
}

/** The part of a list whose images are files of their own. */
export interface EncodedImages extends Omit<ImageList, "decode" | "addContents"> {
  /** The file of an image, whole. */
  read(position: number): Promise<Uint8Array>;
  /** SHA-256 (hex) of that file, where it may be known without reading it. @default it is read */
  digest?(position: number): Promise<string>;
  /** Called when the digests of all images have been asked for. */
  digested?(): Promise<void>;
}

/** Endings of the files that are taken for images. */
export const IMAGE_ENDING = /\.(jpe?g|png|webp)$/i;

/** The largest class index that is taken for one: a table of more classes fits into no model, so it is damage. */
export const MAX_LABEL = 999_999;

/** Files read, or images decoded, at the same time. */
const PARALLEL = 16;

/** A list of encoded files, each hashed by itself. */
export function encodedImageList(images: EncodedImages): ImageList {
  const { id, label, read, digest = async (position) => sha256(await read(position)) } = images;
  return {
    ...images,
    decode: async (position) => decodeImage(await read(position), id(position)),
    async addContents(hash, positions, onHashed) {
      let done = 0;
      const digests = inOrder(positions.length, PARALLEL, (i) => digest(positions[i]!));
      for await (const hex of digests) {
        const position = positions[done++]!;
        hash.update(`${id(position)}\0${label(position)}\0${hex}\n`);
        onHashed(done / positions.length);
      }
      await images.digested?.();
    },
  };
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/**
 * The image source over the selected images of a list, made square by the ADM centre crop. Only what is selected is read, once for
 * the fingerprint. The list is the source's: it is closed with it, or here when this fails.
 *
 * @throws {DataError} a `count` of more images than there are, or none left.
 */
export async function openImageList(list: ImageList, options: OpenOptions): Promise<ImageSource> {
  try {
    return await openSelected(list, options);
  } catch (error) {
    await list.close();
    throw error;
  }
}

async function openSelected(list: ImageList, options: OpenOptions): Promise<ImageSource> {
  const { positions, skipped } = await selectImages(list, options);
  if (positions.length === 0) throw new DataError(`${list.name} has no image that can be decoded`);
  list.willRead?.(positions);
  const hash = createHash("sha256").update(`adm-crop-1\n${list.classes.join("\n")}\n`);
  const total = positions.length;
  await list.addContents(hash, positions, (share) => options.onOpening?.(Math.floor(share * total), total));
  const at = (index: number): number => {
    const position = positions[index];
    if (position === undefined) {
      throw new DataError(`${list.name}: there is no image ${index}; there are ${positions.length}`);
    }
    return position;
  };
  return {
    name: list.name,
    classes: list.classes,
    length: positions.length,
    fingerprint: hash.digest("hex"),
    skipped,
    id: (index) => list.id(at(index)),
    label: (index) => list.label(at(index)),
    async load(index, sizePx, { flip = false, crop } = {}) {
      const image = await list.decode(at(index));
      const pixels = crop === undefined ? admCrop(image, sizePx) : randomCrop(image, sizePx, crop);
      return flip ? flipHorizontally(pixels, sizePx) : pixels;
    },
    close: () => list.close(),
  };
}

interface Selection {
  readonly positions: Uint32Array;
  /** Ids of what was left out because it cannot be decoded. */
  readonly skipped: string[];
}

/** All images in their order, or the first `count` of a shuffled order; with `skipBad`, of those that can be decoded. */
async function selectImages(list: ImageList, { count, seed = 0, skipBad = false }: OpenOptions): Promise<Selection> {
  const { name, length } = list;
  const tooFew = (has: string) =>
    new DataError(`${name} has ${has}, ${count} are asked for`, { hint: "lower data.count; null takes all" });
  if (count !== undefined && count > length) throw tooFew(`${length} images`);
  const order =
    count === undefined
      ? Uint32Array.from({ length }, (_, i) => i)
      : randomStream(seed, "data/subset", 0).permutation(length);
  const wanted = count ?? length;
  if (!skipBad) return { positions: order.slice(0, wanted), skipped: [] };

  const positions = new Uint32Array(wanted);
  const skipped: string[] = [];
  let good = 0;
  let tried = 0;
  const attempts = inOrder(length, PARALLEL, (i) => isDecodable(list, order[i]!));
  for await (const isGood of attempts) {
    const position = order[tried++]!;
    if (isGood) positions[good++] = position;
    else skipped.push(list.id(position));
    if (good === wanted) break;
  }
  if (count !== undefined && good < count) throw tooFew(`${good} images that can be decoded`);
  return { positions: positions.slice(0, good), skipped };
}

async function isDecodable(list: ImageList, position: number): Promise<boolean> {
  try {
    await list.decode(position);
    return true;
  } catch (error) {
    if (error instanceof DataError) return false;
    throw error;
  }
}
