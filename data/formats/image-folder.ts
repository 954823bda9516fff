import { createHash } from "node:crypto";
import { opendir, readFile, realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DataError } from "../errors.js";
import { FileDigests } from "../file-digests.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { PackedTexts } from "../packed-texts.js";
import { encodedImageList, IMAGE_ENDING, openImageList } from "./image-list.js";

/** Entries of a folder fetched at once. */
const ENTRIES = 1024;

/**
 * Images in folders, one class a folder (`DIR/class/**\/name.jpg`), or all in DIR itself as one class named after nothing.
 * Classes and files are in the order of their UTF-16 code units; links to folders are followed.
 *
 * @throws {DataError} a folder that is missing, unreadable or without images; images both in DIR and in folders of it.
 */
export async function openImageFolder(folder: string, options: OpenOptions): Promise<ImageSource> {
  const files = new PackedTexts();
  await listImages(folder, "", files, []);
  if (files.length === 0) {
    throw new DataError(`${folder} has no .jpg, .png or .webp file`, { hint: "images belong into DIR/CLASS/" });
  }
  const { classes, labels } = classesOf(folder, files);
  const digests = options.digests === undefined ? undefined : await openDigests(options.digests, folder);
  const pathOf = (position: number) => join(folder, files.at(position));
  const images = encodedImageList({
    name: `imagefolder:${folder}`,
    classes,
    length: files.length,
    id: pathOf,
    label: (position) => labels[position]!,
    read: (position) => readImage(pathOf(position)),
    ...(digests && {
      digest: (position) => digests.digestOf(pathOf(position), () => readImage(pathOf(position))),
      digested: () => digests.save(),
    }),
    close: async () => {},
  });
  return openImageList(images, options);
}

/** Each data set has a file of its own. */
function openDigests(memory: string, folder: string): Promise<FileDigests> {
  const name = createHash("sha256").update(resolve(folder)).digest("hex").slice(0, 16);
  return FileDigests.open(join(memory, `${name}.digests`));
}

/**
 * Adds the images of a folder, and of those in it, in the order of their whole paths.
 *
 * @param prefix  path of the folder in the data set, with a slash at its end.
 * @param parents real paths of the folders above: a link back to one of them would never end.
 */
async function listImages(root: string, prefix: string, files: PackedTexts, parents: readonly string[]): Promise<void> {
  const folder = join(root, prefix);
  // A folder has a slash at the end, so that it is sorted as the paths in it are.
  const names: string[] = [];
  try {
    for await (const entry of await opendir(folder, { bufferSize: ENTRIES })) {
      const { name } = entry;
      const isLink = entry.isSymbolicLink();
      if (isLink ? await isFolder(join(folder, name)) : entry.isDirectory()) names.push(`${name}/`);
      else if (IMAGE_ENDING.test(name) && !name.startsWith(".")) names.push(name);
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    const reason =
      code === "ENOENT" ? "does not exist" : code === "ENOTDIR" ? "is not a folder" : `cannot be read (${code})`;
    throw new DataError(`${folder} ${reason}`, { hint: "check data.source", cause });
  }
  names.sort();
  const above = names.some((name) => name.endsWith("/")) ? [...parents, await realpath(folder)] : parents;
  for (const name of names) {
    if (!name.endsWith("/")) files.push(prefix + name);
    else if (above.includes(await realpath(join(folder, name)))) {
      throw new DataError(`${join(folder, name)} is a link to a folder that it lies in`, { hint: "remove it" });
    } else await listImages(root, prefix + name, files, above);
  }
}

async function isFolder(link: string): Promise<boolean> {
  try {
    return (await stat(link)).isDirectory();
  } catch (error) {
    // A link to nothing: where it is called like an image, reading it says so.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

function classesOf(folder: string, files: PackedTexts): { classes: string[]; labels: number[] } {
  /** Classes as they come, which is not quite their own order: "a-b/" stands before "a/". */
  const met = new Map<string, number>();
  const labels: number[] = [];
  for (let i = 0; i < files.length; i++) {
    const file = files.at(i);
    const slash = file.indexOf("/");
    const name = slash === -1 ? "" : file.slice(0, slash);
    let label = met.get(name);
    if (label === undefined) {
      label = met.size;
      met.set(name, label);
    }
    if (met.size > 1 && met.has("")) {
      const stray = slash === -1 ? file : files.at(labels.indexOf(met.get("")!));
      throw new DataError(`${folder} has images outside its class folders, such as ${stray}`, {
        hint: "move them into a class folder",
      });
    }
    labels.push(label);
  }
  const names = [...met.keys()].sort();
  const sorted = names.map((name) => met.get(name)!);
  const labelOf = Array.from(sorted, (_, met) => sorted.indexOf(met));
  for (let i = 0; i < labels.length; i++) labels[i] = labelOf[labels[i]!]!;
  return { classes: names[0] === "" ? ["images"] : names, labels };
}

async function readImage(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new DataError(`${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}
