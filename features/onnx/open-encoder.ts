import { ShapeError } from "../../data/errors.js";
import type { FeatureComputer, FeatureComputerOptions } from "../descriptor.js";
import { pair } from "../pair.js";
import { splitImages } from "../split-images.js";
import { openEncoderThread } from "./encoder-thread.js";
import type { EncoderFacts, EncoderJob } from "./image-encoder.js";

/**
 * An encoder ready for images of one size, in a thread of its own. Images are resized to the encoder's size and tokens resampled to
 * the wanted grid where they differ; the note says so.
 *
 * @param name  of the target.
 * @param check refuses what the file turns out to hold.
 * @throws {ShapeError} images that are not square. @throws as `openImageEncoder`.
 */
export async function openEncoder(
  name: string,
  job: EncoderJob,
  options: FeatureComputerOptions,
  check: (facts: EncoderFacts) => void = () => {},
): Promise<FeatureComputer> {
  const [sidePx, width] = pair(options.imageSizePx);
  const grid = pair(options.grid);
  if (sidePx !== width) throw new ShapeError(`target "${name}": wants square images, got ${sidePx} × ${width} px`);
  const encoder = await openEncoderThread(job);
  try {
    check(encoder.facts);
  } catch (error) {
    await encoder.dispose();
    throw error;
  }
  const { layout, sizePx } = encoder.facts;
  const note = [
    ...(sidePx === sizePx ? [] : [`images of ${sidePx} px resized to ${sizePx} px (${job.settings.interpolation})`]),
    ...(grid.join() === layout.grid.join()
      ? []
      : [`${layout.grid.join("×")} tokens resampled to ${grid.join("×")} (bilinear)`]),
  ].join(", ");
  return {
    ...(note === "" ? {} : { note }),
    async compute(images, count) {
      splitImages(images, count, options, name); // refuses other lengths
      return encoder.encode({ images, count, sidePx, grid });
    },
    dispose: () => encoder.dispose(),
  };
}
