import { UsageError } from "./errors.js";
import { openPhotos } from "./formats/photos.js";
import type { ImageSource, OpenOptions } from "./image-source.js";
import { nearestName } from "./nearest.js";
import { SOURCE_FORMS, type SourceName } from "./source-forms.js";

type OpenForm = (rest: string, options: OpenOptions) => Promise<ImageSource>;

/** Who opens what follows the colon. Formats are loaded when they are asked for. */
const OPENERS: Readonly<Record<SourceName, () => Promise<OpenForm>>> = {
  imagefolder: async () => (await import("./formats/image-folder.js")).openImageFolder,
  webdataset: async () => (await import("./formats/webdataset.js")).openWebDataset,
  parquet: async () => (await import("./formats/parquet.js")).openParquet,
  cifar: async () => (await import("./formats/cifar.js")).openCifar,
  npz: async () => (await import("./formats/npz-images.js")).openNpzImages,
};

/**
 * Open a data set by its specification: `photos`, or one of `SOURCE_FORMS` with a path.
 *
 * @throws {UsageError} an unknown form, or a count that is no whole number. @throws {DataError} what is wrong with the files.
 */
export async function openImageSource(spec: string, options: OpenOptions = {}): Promise<ImageSource> {
  const { count } = options;
  if (count !== undefined && (!Number.isInteger(count) || count < 1)) {
    throw new UsageError(`the number of images must be a whole number from 1, got ${count}`);
  }
  if (spec === "photos") return openPhotos(options);
  const colon = spec.indexOf(":");
  const name = colon === -1 ? spec : spec.slice(0, colon);
  const rest = colon === -1 ? "" : spec.slice(colon + 1);
  if (isSourceName(name) && rest !== "") return (await OPENERS[name]())(rest, options);
  const near = nearestName(name, ["photos", ...Object.keys(OPENERS)]);
  throw new UsageError(`unknown data source "${spec}"; there are: ${SOURCE_FORMS.join(", ")}`, {
    ...(near === undefined || near === name ? {} : { hint: `did you mean ${near}?` }),
  });
}

const isSourceName = (name: string): name is SourceName => Object.hasOwn(OPENERS, name);
