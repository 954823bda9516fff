import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { fileError } from "../atomic.js";
import { DataError } from "../errors.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { type EncodedImage, IMAGE_ENDING, openEncodedSet, sha256 } from "./encoded-images.js";
import { indexTar, type TarMember } from "./tar-index.js";

/** `*`, `?`, `{000..009}` and `{train,test}` in the last part of a path, as a pattern. */
export function globPattern(glob: string): RegExp {
  const literally = (part: string) => part.replaceAll(/[.+^$()|[\]\\]/g, String.raw`\$&`);
  const body = glob.replaceAll(/\{([^{}]*)\}|\*|\?|[^*?{}]+|[{}]/g, (part, braces: string | undefined) => {
    if (part === "*") return ".*";
    if (part === "?") return ".";
    if (braces === undefined) return literally(part);
    const range = /^(\d+)\.\.(\d+)$/.exec(braces);
    if (range === null) return `(?:${braces.split(",").map(literally).join("|")})`;
    const [from, to] = [range[1]!, range[2]!];
    const numbers = Array.from({ length: Math.max(0, Number(to) - Number(from) + 1) }, (_, i) =>
      String(Number(from) + i).padStart(from.length, "0"),
    );
    return `(?:${numbers.join("|")})`;
  });
  return new RegExp(`^${body}$`);
}

/**
 * WebDataset shards: `.tar` or `.tar.gz`, samples of `KEY.jpg|png|webp` with `KEY.cls` (a class index in digits). A key is a
 * path up to the first dot of its last part. Compressed shards are unpacked into the system's temporary folder until the source
 * is closed. Classes are named by their index.
 *
 * @throws {DataError} no shard, a truncated archive, a sample without class or image, a key that comes twice.
 */
export async function openWebDataset(glob: string, options: OpenOptions): Promise<ImageSource> {
  const shards = await listShards(glob);
  const handles: FileHandle[] = [];
  let unpacked: string | undefined;
  const close = async () => {
    await Promise.all(handles.splice(0).map((handle) => handle.close()));
    if (unpacked !== undefined) await rm(unpacked, { recursive: true, force: true });
  };
  try {
    const images: EncodedImage[] = [];
    const seen = new Map<string, string>();
    for (const [i, shard] of shards.entries()) {
      await checkShard(shard);
      let path = shard;
      if (shard.endsWith(".gz")) {
        unpacked ??= await mkdtemp(join(tmpdir(), "descry-webdataset-"));
        path = join(unpacked, `${i}.tar`);
        await unpack(shard, path);
      }
      const handle = await open(path, "r");
      handles.push(handle);
      for (const image of await readShard(handle, shard)) {
        const other = seen.get(image.key);
        if (other !== undefined) throw new DataError(`${shard}: the key ${image.key} is also in ${other}`);
        seen.set(image.key, shard);
        images.push(image);
      }
    }
    const count = Math.max(...images.map(({ label }) => label)) + 1;
    const classes = Array.from({ length: count }, (_, i) => String(i));
    return await openEncodedSet({ name: `webdataset:${glob}`, classes, images, close }, options);
  } catch (error) {
    await close();
    throw error;
  }
}

async function listShards(glob: string): Promise<string[]> {
  const folder = dirname(glob);
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    throw new DataError(`the folder ${folder} of the shards cannot be read`, { hint: "check data.source", cause });
  }
  const pattern = globPattern(basename(glob));
  const shards = names.filter((name) => pattern.test(name)).sort();
  const foreign = shards.find((name) => !/\.(tar|tar\.gz|tgz)$/.test(name));
  if (foreign !== undefined) throw new DataError(`${join(folder, foreign)} is no .tar or .tar.gz shard`);
  if (shards.length === 0) throw new DataError(`no shard matches ${glob}`, { hint: "quote the pattern for the shell" });
  return shards.map((name) => join(folder, name));
}

async function checkShard(shard: string): Promise<void> {
  try {
    if ((await stat(shard)).isFile()) return;
  } catch (error) {
    throw fileError(error, "cannot read", shard);
  }
  throw new DataError(`${shard} is not a file`, { hint: "a pattern that matches shards only" });
}

async function unpack(shard: string, path: string): Promise<void> {
  try {
    await pipeline(createReadStream(shard), createGunzip(), createWriteStream(path));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "Z_BUF_ERROR" ? "it is truncated" : message;
    throw new DataError(`${shard} cannot be unpacked: ${reason}`, { cause });
  }
}

async function readShard(handle: FileHandle, shard: string): Promise<(EncodedImage & { key: string })[]> {
  const samples = new Map<string, { image?: TarMember; label?: TarMember }>();
  for (const member of await indexTar(handle, shard)) {
    const [, key, ending] = /^((?:.*\/)?[^/.]+)\.(.*)$/.exec(member.path) ?? [];
    if (key === undefined || ending === undefined) continue;
    const kind = IMAGE_ENDING.test(`.${ending}`) ? "image" : ending === "cls" ? "label" : undefined;
    if (kind === undefined) continue;
    const sample = samples.get(key) ?? {};
    if (sample[kind] !== undefined) throw new DataError(`${shard}: the sample ${key} has two ${kind}s`);
    sample[kind] = member;
    samples.set(key, sample);
  }
  const read = async ({ offset, size }: TarMember): Promise<Uint8Array> => {
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await handle.read(bytes, 0, size, offset);
    if (bytesRead < size) throw new DataError(`${shard} changed while it was read`);
    return bytes;
  };
  const images: (EncodedImage & { key: string })[] = [];
  for (const [key, { image, label }] of samples) {
    if (image === undefined) throw new DataError(`${shard}: the sample ${key} has no .jpg, .png or .webp`);
    if (label === undefined) throw new DataError(`${shard}: the sample ${key} has no .cls`);
    const digits = Buffer.from(await read(label))
      .toString("utf8")
      .trim();
    if (!/^\d{1,6}$/.test(digits)) {
      throw new DataError(`${shard}: ${key}.cls must be a class index, is "${digits.slice(0, 20)}"`);
    }
    images.push({
      key,
      id: `${shard}:${image.path}`,
      label: Number(digits),
      sha256: sha256(await read(image)),
      read: () => read(image),
    });
  }
  if (images.length === 0) throw new DataError(`${shard} has no sample of an image and a .cls`);
  return images;
}
