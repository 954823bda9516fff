import type { RgbImage } from "../decode-image.js";
import { DataError, UsageError } from "../errors.js";
import type { ImageSource, OpenOptions } from "../image-source.js";
import { type CifarKind, findCifarFiles } from "./cifar-files.js";
import { openImageList } from "./image-list.js";
import { RecordFiles } from "./record-files.js";
import { parseSourcePlace } from "./source-options.js";
import { UnpackedFiles } from "./unpack.js";

const SIDE = 32;
const PLANE = SIDE * SIDE;

/** A record: labels, then the red plane of 32 × 32, the green one, the blue one. Of each label its byte and the file of its names. */
const RECORDS: Record<CifarKind, { labelBytes: number; labels: Partial<Record<LabelName, LabelPlace>> }> = {
  "CIFAR-10": { labelBytes: 1, labels: { fine: { byte: 0, names: "batches.meta.txt" } } },
  "CIFAR-100": {
    labelBytes: 2,
    labels: {
      fine: { byte: 1, names: "fine_label_names.txt" },
      coarse: { byte: 0, names: "coarse_label_names.txt" },
    },
  },
};
type LabelName = "fine" | "coarse";
interface LabelPlace {
  readonly byte: number;
  readonly names: string;
}

/**
 * CIFAR-10 or CIFAR-100 in the binary version: the published `.tar.gz` (unpacked into the system's temporary folder until the
 * source is closed), its folder, or one `.bin` file. `?split=test` instead of `train`, `?label=coarse` for the 20 superclasses of
 * CIFAR-100. Classes have the names in the text files beside, else their numbers.
 *
 * @throws {DataError} no such files, one that is no whole number of records, a label beyond the classes.
 */
export async function openCifar(rest: string, options: OpenOptions): Promise<ImageSource> {
  const { place, options: given } = parseSourcePlace("cifar", rest, ["split", "label"]);
  const split = choice(`cifar:${place}: split`, given["split"], ["train", "test"]);
  const labelName = choice(`cifar:${place}: label`, given["label"], ["fine", "coarse"]);
  const unpacked = new UnpackedFiles();
  let records: RecordFiles | undefined;
  const close = async () => {
    await records?.close();
    records = undefined;
    await unpacked.remove();
  };
  try {
    const { kind, files, readLines } = await findCifarFiles(place, split, unpacked);
    const { labelBytes, labels: places } = RECORDS[kind];
    const labelPlace = places[labelName];
    if (labelPlace === undefined) throw new UsageError(`cifar:${place}: ${kind} has no ${labelName} labels`);
    const opened = await RecordFiles.open(files, labelBytes + 3 * PLANE);
    records = opened;
    const id = (position: number): string => {
      const { name, record } = opened.placeOf(position);
      return `${name}:${record}`;
    };
    const labels = await readLabels(opened, labelPlace.byte, labelBytes + 3 * PLANE);
    const classes = (await readLines(labelPlace.names)) ?? numbered(labels);
    const wrong = labels.findIndex((label) => label >= classes.length);
    if (wrong !== -1) {
      throw new DataError(
        `${id(wrong)} has the label ${labels[wrong]}, but ${kind} has ${classes.length} classes here`,
        {
          hint: "the file is damaged, or not of the binary version",
        },
      );
    }
    return await openImageList(
      {
        name: `cifar:${rest}`,
        classes,
        length: opened.length,
        id,
        label: (position) => labels[position]!,
        async decode(position) {
          const planes = new Uint8Array(3 * PLANE);
          await opened.read(position, planes, labelBytes);
          return interleave(planes);
        },
        async addContents(hash, positions, onHashed) {
          hash.update(`cifar-1\0${split}\0${labelName}\n`);
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

function choice<const Value extends string>(
  what: string,
  given: string | undefined,
  values: readonly [Value, ...Value[]],
): Value {
  const found = given === undefined ? values[0] : values.find((value) => value === given);
  if (found === undefined) throw new UsageError(`${what} must be ${values.join(" or ")}, is "${given}"`);
  return found;
}

async function readLabels(records: RecordFiles, byte: number, recordBytes: number): Promise<Uint8Array> {
  const labels = new Uint8Array(records.length);
  let position = 0;
  for await (const block of records.scan()) {
    for (let at = byte; at < block.length; at += recordBytes) labels[position++] = block[at]!;
  }
  return labels;
}

const numbered = (labels: Uint8Array): string[] =>
  Array.from({ length: labels.reduce((a, b) => Math.max(a, b), 0) + 1 }, (_, i) => String(i));

/** [3,32,32] → [32,32,3] */
function interleave(planes: Uint8Array): RgbImage {
  const data = new Uint8Array(3 * PLANE);
  for (let i = 0; i < 3 * PLANE; i++) data[i] = planes[(i % 3) * PLANE + Math.floor(i / 3)]!;
  return { data, width: SIDE, height: SIDE };
}
