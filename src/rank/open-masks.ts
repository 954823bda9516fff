import { readFile } from "node:fs/promises";
import path from "node:path";
import { admCrop } from "../../data/adm-crop.js";
import { fileError } from "../../data/atomic.js";
import { decodeImage } from "../../data/decode-image.js";
import { UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";

/** Pixels of a mask along one token. */
const TOKEN_PX = 16;
/** Share of the tokens that foreground and background must have each: iREPA keeps images with 64 of 256. */
const LEAST_SHARE = 1 / 4;

/**
 * The foreground masks of a data set: `FOLDER/CLASS/name.png` for `CLASS/name.jpg`, anything above 0 is foreground. They are
 * cropped and resized as their images are, and a token is foreground if any of its 16×16 pixels is.
 *
 * @returns by place of the image in the source: [G²], 1 in the foreground; null where foreground or background have less than a
 *   quarter of the tokens, which iREPA leaves out.
 * @throws {UsageError} a source whose images have no file names. @throws {DataError} a mask that is missing or damaged.
 */
export function openMasks(
  folder: string,
  source: ImageSource,
  grid: number,
): (index: number) => Promise<Uint8Array | null> {
  const root = /^imagefolder:(.*)$/s.exec(source.name)?.[1];
  if (root === undefined) {
    throw new UsageError(`masks belong to the files of an imagefolder:DIR, the images are ${source.name}`);
  }
  return async (index) => {
    const file = path.join(folder, path.relative(root, source.id(index)).replace(/\.[^.]*$/, ".png"));
    let bytes: Uint8Array;
    try {
      bytes = await readFile(file);
    } catch (error) {
      throw fileError(error, "cannot read the mask", file);
    }
    const sizePx = grid * TOKEN_PX;
    const pixels = admCrop(await decodeImage(bytes, file), sizePx);
    const mask = new Uint8Array(grid * grid);
    for (let i = 0; i < pixels.length; i++) {
      if (pixels[i] === 0) continue;
      const pixel = Math.floor(i / 3);
      mask[Math.floor(pixel / sizePx / TOKEN_PX) * grid + Math.floor((pixel % sizePx) / TOKEN_PX)] = 1;
    }
    const inside = mask.reduce((a, b) => a + b, 0);
    return Math.min(inside, mask.length - inside) < LEAST_SHARE * mask.length ? null : mask;
  };
}
