import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createInflateRaw } from "node:zlib";
import { fileError } from "../atomic.js";
import { DataError } from "../errors.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { listNpz, type NpyHeader, type NpzEntry, readNpyHeaderAt, readNpz } from "../npz.js";
import { MAX_LABEL, openImageList } from "./image-list.js";
import { type RecordFile, RecordFiles } from "./record-files.js";
import { parseSourcePlace } from "./source-options.js";
import { UnpackedFiles } from "./unpack.js";

/** Names that are taken where none is given: the ADM suite's, and what people call them. */
const IMAGES = ["arr_0", "images"];
const LABELS = ["arr_1", "labels"];
/** `?label=none`: the array of labels is left alone. */
const NO_LABEL = "none";

/**
 * Images in a NumPy `.npz` file: uint8 [N,H,W,3] or gray [N,H,W,1] under `arr_0` or `images`, and labels, whole numbers [N], under
 * `arr_1` or `labels`; others by `?image=NAME&label=NAME`. Without labels all images are of one class. An array that is compressed
 * (`savez_compressed`) is unpacked into the system's temporary folder until the source is closed.
 *
 * @throws {DataError} no such file or array, one of another type or shape, labels that are no classes.
 */
export async function openNpzImages(rest: string, options: OpenOptions): Promise<ImageSource> {
  const { place, options: given } = parseSourcePlace("npz", rest, ["image", "label"]);
  const entries = await listNpz(place);
  const entry = pick(place, entries, "image", given["image"], IMAGES);
  if (entry === undefined) throw missing(place, entries, "image", IMAGES.join(" or "));
  const labelEntry = given["label"] === NO_LABEL ? undefined : pick(place, entries, "label", given["label"], LABELS);
  const unpacked = new UnpackedFiles();
  let records: RecordFiles | undefined;
  const close = async () => {
    await records?.close();
    records = undefined;
    await unpacked.remove();
  };
  try {
    const { header, file } = await locate(place, entry, unpacked);
    const [length, height, width, channels] = imageShape(`${place}: ${entry.name}`, header);
    const opened = await RecordFiles.open([file], height * width * channels);
    records = opened;
    const labels = labelEntry === undefined ? undefined : await readLabels(place, labelEntry.name, length);
    const classCount = labels === undefined ? 0 : labels.reduce((a, b) => Math.max(a, b), 0) + 1;
    return await openImageList(
      {
        name: `npz:${rest}`,
        classes: labels === undefined ? ["images"] : Array.from({ length: classCount }, (_, i) => String(i)),
        length,
        id: (position) => `${place}:${position}`,
        label: (position) => labels?.[position] ?? 0,
        async decode(position) {
          const data = new Uint8Array(height * width * channels);
          await opened.read(position, data);
          return { data: channels === 3 ? data : repeated(data), width, height };
        },
        async addContents(hash, positions, onHashed) {
          hash.update(`npz-1\0${header.shape}\n`);
          if (labels !== undefined) hash.update(new Uint8Array(labels.buffer));
          await opened.addContents(hash, positions, onHashed);
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

function pick(
  place: string,
  entries: readonly NpzEntry[],
  option: string,
  given: string | undefined,
  usual: readonly string[],
): NpzEntry | undefined {
  const found = entries.find(({ name }) => (given === undefined ? usual.includes(name) : name === given));
  if (found === undefined && given !== undefined) throw missing(place, entries, option, given);
  return found;
}

function missing(place: string, entries: readonly NpzEntry[], option: string, wanted: string): DataError {
  const there = entries.map(({ name }) => name).join(", ") || "none";
  return new DataError(`${place}: there is no array ${wanted}; there are: ${there}`, {
    hint: `name it: ?${option}=ARRAY`,
  });
}

/** The array's header, and the bytes of its elements in a file. */
async function locate(
  place: string,
  { name, isDeflated, offset, storedBytes, sizeBytes }: NpzEntry,
  unpacked: UnpackedFiles,
): Promise<{ header: NpyHeader; file: RecordFile }> {
  const whole = `${place}: ${name}`;
  let path = place;
  let start = offset;
  if (isDeflated) {
    const packed = createReadStream(place, { start: offset, end: offset + storedBytes - 1 });
    path = await unpacked.unpack([packed, createInflateRaw()], whole);
    start = 0;
  }
  try {
    const handle = await open(path, "r");
    try {
      const size = isDeflated ? (await handle.stat()).size : sizeBytes;
      const header = await readNpyHeaderAt(handle, start, size, whole);
      return {
        header,
        file: { name: whole, path, offset: start + header.dataStart, sizeBytes: header.dataBytes },
      };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(error, "cannot read", path);
  }
}

function imageShape(name: string, { dtype, shape }: NpyHeader): [number, number, number, number] {
  const [length, height, width, channels] = shape;
  if (dtype !== "|u1" || shape.length !== 4 || (channels !== 3 && channels !== 1) || shape.includes(0)) {
    throw new DataError(`${name} is ${dtype} [${shape}], wanted images uint8 [N,H,W,3] or [N,H,W,1]`, {
      hint: "name another array: ?image=ARRAY, or save numpy.moveaxis(images, 1, -1).astype('u1')",
    });
  }
  return [length!, height!, width!, channels];
}

async function readLabels(place: string, name: string, length: number): Promise<Int32Array> {
  const array = (await readNpz(place, [name]))[name]!;
  const { dtype, shape, data } = array;
  const isFlat = shape[0] === length && shape.slice(1).every((side) => side === 1);
  if (!isFlat || !/^[|<][iu]/.test(dtype)) {
    throw new DataError(`${place}: ${name} is ${dtype} [${shape}], wanted labels: whole numbers [${length}]`, {
      hint: "name another array: ?label=ARRAY, or none",
    });
  }
  const labels = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const label = Number(data[i]);
    if (label < 0 || label > MAX_LABEL) throw new DataError(`${place}:${i} has the label ${label}, which is no class`);
    labels[i] = label;
  }
  return labels;
}

/** Gray values as RGB. */
function repeated(gray: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(3 * gray.length);
  for (let i = 0; i < rgb.length; i++) rgb[i] = gray[Math.floor(i / 3)]!;
  return rgb;
}
