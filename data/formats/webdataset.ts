import { type FileHandle, open } from "node:fs/promises";
import { fileError } from "../atomic.js";
import { DataError } from "../errors.js";
import { FileWindow } from "../file-window.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { PackedTexts } from "../packed-texts.js";
import { readFully } from "../safetensors.js";
import { TextIndex } from "../text-index.js";
import { globFiles } from "./glob-files.js";
import { encodedImageList, IMAGE_ENDING, openImageList } from "./image-list.js";
import { type TarMember, tarMembers } from "./tar-index.js";
import { UnpackedFiles } from "./unpack.js";

/**
 * WebDataset shards: `.tar` or `.tar.gz`, samples of `KEY.jpg|png|webp` with `KEY.cls` (a class index in digits). A key is a
 * path up to the first dot of its last part. Compressed shards are unpacked into the system's temporary folder until the source
 * is closed. Classes are named by their index.
 *
 * @throws {DataError} no shard, a truncated archive, a sample without class or image, a key that comes twice.
 */
export async function openWebDataset(glob: string, options: OpenOptions): Promise<ImageSource> {
  const shards = await globFiles(glob, /\.(tar|tar\.gz|tgz)$/, ".tar or .tar.gz shard");
  const handles: FileHandle[] = [];
  const unpacked = new UnpackedFiles();
  const close = async () => {
    await Promise.all(handles.splice(0).map((handle) => handle.close()));
    await unpacked.remove();
  };
  const samples = new SampleTable();
  try {
    for (const shard of shards) {
      const path = /\.t?gz$/.test(shard) ? await unpacked.gunzip(shard) : shard;
      const handle = await open(path, "r").catch((error) => {
        throw fileError(error, "cannot read", path);
      });
      handles.push(handle);
      const { size } = await handle.stat();
      await samples.addShard(shard, new FileWindow(handle, shard, size));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const images = encodedImageList({
    name: `webdataset:${glob}`,
    classes: Array.from({ length: samples.classCount }, (_, i) => String(i)),
    length: samples.length,
    id: (sample) => `${shards[samples.shardOf(sample)]!}:${samples.imagePath(sample)}`,
    label: (sample) => samples.label(sample),
    async read(sample) {
      const shard = samples.shardOf(sample);
      const { offset, size } = samples.image(sample);
      const bytes = new Uint8Array(size);
      await readFully(handles[shard]!, bytes, offset, shards[shard]!);
      return bytes;
    },
    close,
  });
  return openImageList(images, options);
}

/** Where the image of each sample lies and what its class is, as arrays: samples are counted in millions. */
class SampleTable {
  readonly #keys = new TextIndex();
  /** What follows the key and its dot, by its number in `#endings`. */
  readonly #ending: number[] = [];
  readonly #endings: string[] = [];
  /** Of the image's bytes in its shard; −1 while no image was met. */
  readonly #offset: number[] = [];
  readonly #size: number[] = [];
  /** −1 while no class was met. */
  readonly #label: number[] = [];
  /** First sample of each shard. */
  readonly #firsts: number[] = [];
  readonly #names = new PackedTexts();
  classCount = 0;

  get length(): number {
    return this.#keys.length;
  }

  /** @throws {DataError} as `openWebDataset`. */
  async addShard(shard: string, window: FileWindow): Promise<void> {
    const first = this.length;
    this.#firsts.push(first);
    this.#names.push(shard);
    for await (const member of tarMembers(window)) {
      const [, key, ending] = /^((?:.*\/)?[^/.]+)\.(.*)$/.exec(member.path) ?? [];
      if (key === undefined || ending === undefined) continue;
      if (IMAGE_ENDING.test(`.${ending}`)) this.#addImage(shard, this.#sampleOf(shard, key), ending, member);
      else if (ending === "cls") {
        const sample = this.#sampleOf(shard, key);
        if (this.#label[sample] !== -1) throw new DataError(`${shard}: the sample ${key} has two labels`);
        this.#label[sample] = readLabel(shard, key, await window.read(member.offset, Math.min(member.size, 64)));
        this.classCount = Math.max(this.classCount, this.#label[sample]! + 1);
      }
    }
    if (this.length === first) throw new DataError(`${shard} has no sample of an image and a .cls`);
    for (let sample = first; sample < this.length; sample++) {
      const lacks = this.#offset[sample] === -1 ? ".jpg, .png or .webp" : this.#label[sample] === -1 ? ".cls" : "";
      if (lacks !== "") throw new DataError(`${shard}: the sample ${this.#keys.at(sample)} has no ${lacks}`);
    }
  }

  #addImage(shard: string, sample: number, ending: string, { offset, size }: TarMember): void {
    if (this.#offset[sample] !== -1)
      throw new DataError(`${shard}: the sample ${this.#keys.at(sample)} has two images`);
    let number = this.#endings.indexOf(ending);
    if (number === -1) number = this.#endings.push(ending) - 1;
    this.#ending[sample] = number;
    this.#offset[sample] = offset;
    this.#size[sample] = size;
  }

  /** The sample of a key, added where the key is new. Members of a sample stand in one shard, not always side by side. */
  #sampleOf(shard: string, key: string): number {
    const sample = this.#keys.add(key);
    if (sample === this.#offset.length) {
      this.#ending.push(0);
      this.#offset.push(-1);
      this.#size.push(0);
      this.#label.push(-1);
    } else if (sample < this.#firsts.at(-1)!) {
      throw new DataError(`${shard}: the key ${key} is also in ${this.#names.at(this.shardOf(sample))}`);
    }
    return sample;
  }

  /** By halving: the last shard whose first sample is not after this one. */
  shardOf(sample: number): number {
    let [low, high] = [0, this.#firsts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#firsts[middle]! <= sample) low = middle;
      else high = middle;
    }
    return low;
  }

  imagePath(sample: number): string {
    return `${this.#keys.at(sample)}.${this.#endings[this.#ending[sample]!]!}`;
  }

  image(sample: number): { offset: number; size: number } {
    return { offset: this.#offset[sample]!, size: this.#size[sample]! };
  }

  label(sample: number): number {
    return this.#label[sample]!;
  }
}

function readLabel(shard: string, key: string, bytes: Buffer): number {
  const digits = bytes.toString("utf8").trim();
  if (/^\d{1,6}$/.test(digits)) return Number(digits);
  throw new DataError(`${shard}: ${key}.cls must be a class index, is "${digits.slice(0, 20)}"`);
}
