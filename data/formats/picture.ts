import { readFile } from "node:fs/promises";
import { fileError } from "../atomic.js";
import type { ImageSource } from "../image-source.js";
import { encodedImageList, openImageList } from "./image-list.js";
import { readPhotograph } from "./photograph.js";

/** A photograph with an object, texture and a plain ground. */
const DEFAULT_PHOTOGRAPH = "allium-oreophilum";

/**
 * One picture as a data set of one image, made square by the ADM centre crop.
 *
 * @param file an image file. @default one of the photographs that come with the packages
 * @throws {DataError} a file that cannot be read or decoded.
 */
export async function openPicture(file?: string): Promise<ImageSource> {
  const name = file ?? DEFAULT_PHOTOGRAPH;
  const bytes = await readBytes(file);
  const images = {
    name,
    classes: ["picture"],
    length: 1,
    id: () => name,
    label: () => 0,
    read: async () => bytes,
    close: async () => {},
  };
  return openImageList(encodedImageList(images), {});
}

async function readBytes(file: string | undefined): Promise<Uint8Array> {
  if (file === undefined) return readPhotograph(DEFAULT_PHOTOGRAPH);
  try {
    return await readFile(file);
  } catch (error) {
    throw fileError(error, "cannot read", file);
  }
}
