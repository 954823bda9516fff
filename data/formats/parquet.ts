import { ByteLru } from "../byte-lru.js";
import { decodeImage } from "../decode-image.js";
import { DataError } from "../errors.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { globFiles } from "./glob-files.js";
import { hashFiles } from "./hash-files.js";
import { MAX_LABEL, openImageList } from "./image-list.js";
import { openParquetFile, type ParquetFile } from "./parquet-file.js";
import { ShuffledCopy } from "./shuffled-copy.js";
import { parseSourcePlace } from "./source-options.js";
import { UnpackedFiles } from "./unpack.js";

/** Decoded pages that are kept: the images around one that was read come with it, and a small data set is kept whole. */
const KEPT_BYTES = 64 * 2 ** 20;

const NO_BYTES = new Uint8Array();

/** `?label=none`: all images are of one class. */
const NO_LABEL = "none";

/**
 * Parquet files as Hugging Face's `datasets` writes them: column `image` (struct {bytes, path}, or binary) and column `label`
 * (ClassLabel, whole numbers or texts); other columns by `?image=NAME&label=NAME`, no labels by `?label=none`. Classes have the
 * names in the files' metadata, else their numbers or texts. Any codec but LZO.
 *
 * Writers put a hundred images or a thousand into one page, so a page is unpacked once: images that are wanted in another order than
 * the files' are copied into the system's temporary folder, until the source is closed.
 *
 * @throws {DataError} no file, a damaged one, missing columns, labels that are missing or no classes.
 */
export async function openParquet(rest: string, options: OpenOptions): Promise<ImageSource> {
  const { place: glob, options: given } = parseSourcePlace("parquet", rest, ["image", "label"]);
  const names = { image: given["image"] ?? "image", label: labelName(given["label"]) };
  const paths = await globFiles(glob, /\.parquet$/, ".parquet file");
  const files: ParquetFile[] = [];
  const unpacked = new UnpackedFiles();
  let copy: ShuffledCopy | undefined;
  const close = async () => {
    await copy?.close();
    await unpacked.remove();
    await Promise.all(files.map(({ handle }) => handle.close()));
  };
  try {
    for (const path of paths) files.push(await openParquetFile(path, names));
    const firsts = firstRows(files);
    const length = firsts.pop()!;
    if (length === 0) throw new DataError(`parquet:${glob} has no rows`);
    const { classes, labels } = await readLabels(files);
    const fileOf = (position: number): number => {
      let file = files.length - 1;
      while (firsts[file]! > position) file--;
      return file;
    };
    const id = (position: number): string => {
      const file = fileOf(position);
      return `${files[file]!.path}:row ${position - firsts[file]!}`;
    };
    const pages = new ByteLru<ArrayLike<unknown>>(KEPT_BYTES);
    const readRow = async (position: number): Promise<unknown> => {
      const file = fileOf(position);
      const { image } = files[file]!;
      const { group, page, row } = await image.placeOf(position - firsts[file]!);
      const values = await pages.get(`${file} ${group} ${page}`, async () => {
        const { values: value, sizeBytes } = await image.readPage({ group, page });
        return { value, sizeBytes };
      });
      return values[row];
    };
    return await openImageList(
      {
        name: `parquet:${rest}`,
        classes,
        length,
        id,
        label: (position) => labels?.[position] ?? 0,
        willRead(positions) {
          if (positions.every((position, i) => i === 0 || positions[i - 1]! < position)) return;
          const bytesOf = async (position: number) => ((await readRow(position)) as Uint8Array | null) ?? NO_BYTES;
          copy = new ShuffledCopy(positions, bytesOf, unpacked, `parquet:${glob}`);
        },
        async decode(position) {
          const bytes = await (copy === undefined ? readRow(position) : copy.read(position));
          if (!(bytes instanceof Uint8Array) || bytes.length === 0) {
            throw new DataError(`${id(position)} has no image bytes in column "${names.image}"`, {
              hint: "the images themselves must be in the file: save it with datasets' push_to_hub or embed_table_storage",
            });
          }
          return decodeImage(bytes, id(position));
        },
        async addContents(hash, positions, onHashed) {
          hash.update(`parquet-1\0${names.image}\0${names.label ?? ""}\n`);
          await hashFiles(hash, files, positions, onHashed);
        },
        close,
      },
      options,
    );
  } catch (error) {
    await close();
    throw error;
  }
}

const labelName = (given: string | undefined): string | undefined =>
  given === NO_LABEL ? undefined : (given ?? "label");

/** First position of each file, and the number of all rows. */
function firstRows(files: readonly ParquetFile[]): number[] {
  const firsts = [0];
  for (const { rows } of files) firsts.push(firsts.at(-1)! + rows);
  return firsts;
}

interface Labels {
  readonly classes: readonly string[];
  /** Class of each position; absent: all are of class 0. */
  readonly labels?: number[];
}

async function readLabels(files: readonly ParquetFile[]): Promise<Labels> {
  const [first] = files;
  if (first?.label === undefined) return { classes: ["images"] };
  const names = first.classNames;
  const other = files.find(({ classNames }) => classNames?.join("\0") !== names?.join("\0"));
  if (other !== undefined) throw new DataError(`${other.path}: its class names are not those of ${first.path}`);
  const labels: number[] = [];
  /** Texts as they come, with their numbers. */
  const texts = new Map<string, number>();
  let largest = -1;
  for (const { path, label } of files) {
    const before = labels.length;
    for (let group = 0; group < label!.groups; group++) {
      const values = await label!.readGroup(group);
      for (let i = 0; i < values.length; i++) {
        const value = values[i];
        if (typeof value === "string") {
          if (!texts.has(value)) texts.set(value, texts.size);
          labels.push(texts.get(value)!);
          continue;
        }
        const number = checkNumber(value, names, `${path}:row ${labels.length - before}`);
        largest = Math.max(largest, number);
        labels.push(number);
      }
    }
  }
  if (texts.size === 0) {
    return { classes: names ?? Array.from({ length: largest + 1 }, (_, i) => String(i)), labels };
  }
  if (largest >= 0) throw new DataError(`${first.path}: its labels are texts, those of other files numbers`);
  const classes = [...texts.keys()].sort();
  const classOf = new Uint32Array(classes.length);
  for (const [place, text] of classes.entries()) classOf[texts.get(text)!] = place;
  for (let i = 0; i < labels.length; i++) labels[i] = classOf[labels[i]!]!;
  return { classes, labels };
}

/** A label that is a number. @throws {DataError} no label, or one that is no class. */
function checkNumber(value: unknown, names: readonly string[] | undefined, row: string): number {
  if (value === null) throw new DataError(`${row} has no label`);
  const label = Number(value);
  const classes = names?.length ?? MAX_LABEL + 1;
  if (Number.isInteger(label) && label >= 0 && label < classes) return label;
  const there = names === undefined ? "" : `; there are ${classes} classes`;
  const hint = label < 0 ? { hint: "a split without labels? then ?label=none" } : {};
  throw new DataError(`${row} has the label ${String(value)}, which is no class${there}`, hint);
}
