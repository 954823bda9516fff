import { UsageError } from "./errors.js";
import { openImageFolder } from "./formats/image-folder.js";
import { openPhotos } from "./formats/photos.js";
import { openWebDataset } from "./formats/webdataset.js";
import type { ImageSource, OpenOptions } from "./image-source.js";
import { nearestName } from "./nearest.js";

/** What a data set can be called. */
export const SOURCE_FORMS = ["photos", "imagefolder:DIR", "webdataset:GLOB"] as const;

/**
 * Open a data set by its specification: `photos`, `imagefolder:DIR` or `webdataset:GLOB`.
 *
 * @throws {UsageError} an unknown form, or a count that is no whole number. @throws {DataError} what is wrong with the files.
 */
export async function openImageSource(spec: string, options: OpenOptions = {}): Promise<ImageSource> {
  const { count } = options;
  if (count !== undefined && (!Number.isInteger(count) || count < 1)) {
    throw new UsageError(`the number of images must be a whole number from 1, got ${count}`);
  }
  const colon = spec.indexOf(":");
  const form = colon === -1 ? spec : spec.slice(0, colon);
  const rest = colon === -1 ? "" : spec.slice(colon + 1);
  if (form === "photos" && colon === -1) return openPhotos(options);
  if (form === "imagefolder" && rest !== "") return openImageFolder(rest, options);
  if (form === "webdataset" && rest !== "") return openWebDataset(rest, options);
  const near = nearestName(form, ["photos", "imagefolder", "webdataset"]);
  throw new UsageError(`unknown data source "${spec}"; there are: ${SOURCE_FORMS.join(", ")}`, {
    ...(near === undefined || near === form ? {} : { hint: `did you mean ${near}?` }),
  });
}
