import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { DataError } from "../errors.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { type EncodedImage, IMAGE_ENDING, openEncodedSet, sha256 } from "./encoded-images.js";

/** Files hashed at the same time. */
const PARALLEL = 16;

/**
 * Images in folders, one class a folder (`DIR/class/**\/name.jpg`), or all in DIR itself as one class named after nothing.
 * Classes and files are in the order of their UTF-16 code units. Every file is read once on opening, for the fingerprint.
 *
 * @throws {DataError} a folder that is missing, unreadable or without images; images both in DIR and in folders of it.
 */
export async function openImageFolder(folder: string, options: OpenOptions): Promise<ImageSource> {
  const name = `imagefolder:${folder}`;
  const files = await listImages(folder);
  if (files.length === 0) {
    throw new DataError(`${folder} has no .jpg, .png or .webp file`, { hint: "images belong into DIR/CLASS/" });
  }
  const classOf = (file: string): string => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");
  const classes = [...new Set(files.map(classOf))].sort();
  if (classes[0] === "" && classes.length > 1) {
    const stray = files.find((file) => classOf(file) === "")!;
    throw new DataError(`${folder} has images outside its class folders, such as ${stray}`, {
      hint: "move them into a class folder",
    });
  }
  const images: EncodedImage[] = new Array(files.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < files.length; i = next++) {
      const file = files[i]!;
      const path = join(folder, file);
      const read = () => readImage(path);
      images[i] = { id: path, label: classes.indexOf(classOf(file)), sha256: sha256(await read()), read };
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  const shown = classes.length === 1 && classes[0] === "" ? ["images"] : classes;
  return openEncodedSet({ name, classes: shown, images, close: async () => {} }, options);
}

async function listImages(folder: string): Promise<string[]> {
  let entries: import("node:fs").Dirent[];
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT" ? "does not exist" : code === "ENOTDIR" ? "is not a folder" : `cannot be read (${code})`;
    throw new DataError(`${folder} ${reason}`, { hint: "check data.source", cause });
  }
  return entries
    .filter((entry) => !entry.isDirectory() && IMAGE_ENDING.test(entry.name) && !entry.name.startsWith("."))
    .map((entry) =>
      relative(folder, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join("/"),
    )
    .sort();
}

async function readImage(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new DataError(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}
