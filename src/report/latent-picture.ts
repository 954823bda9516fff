/**
 * @file What an autoencoder keeps of images: some of them beside what is decoded from their cached latents, the error over more of
 * them, and everything that the latents depend on. It bounds what any sample can look like.
 */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import type { ImageSource } from "../../data/image-source.js";
import type { RowStore } from "../../data/row-store.js";
import type { AutoencoderSettings } from "../../features/autoencoder/autoencoder-name.js";
import type { LatentScaling } from "../../features/autoencoder/latent-scaling.js";
import { type LatentDecoder, openLatentDecoder } from "../../features/autoencoder/open-decoder.js";
import type { LatentsSummary } from "./records.js";
import { writePng } from "./token-picture.js";

/** Images that are decoded again, evenly spaced in the data set. */
const MOST_IMAGES = 64;
/** Of these, shown. */
const PICTURES = 4;

export interface LatentPictureOptions {
  readonly source: ImageSource;
  /** Column `latent` [C or 2C,h,w]; the first `source.length` rows are those of the centre crops. */
  readonly store: RowStore;
  readonly settings: AutoencoderSettings;
  readonly encoderSha256: string;
  readonly decoderSha256: string;
  readonly scaling: LatentScaling;
  /** Whether the scaling was measured on these latents. */
  readonly isMeasured: boolean;
  /** Side of the images. */
  readonly sizePx: number;
  /** Made if absent; `latents` in a run folder, for the report to find it. Gets PNGs and, last, `latents.json`. */
  readonly outFolder: string;
}

/**
 * Decode cached means and compare.
 *
 * @returns what `latents.json` holds. @throws {DataError} an image that cannot be read, a file that cannot be written.
 * @throws {NumericError} a picture that is not finite.
 */
export async function writeLatentPictures(options: LatentPictureOptions): Promise<LatentsSummary> {
  const { source, store, settings, scaling, isMeasured, sizePx, outFolder } = options;
  try {
    await mkdir(outFolder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make", outFolder);
  }
  const count = Math.min(MOST_IMAGES, source.length);
  const rows = Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * source.length) / count));
  const shown = rows.filter((_, i) => i % Math.ceil(count / PICTURES) === 0);
  const pictures: LatentsSummary["pictures"] = [];
  const errors: number[] = [];
  const decoder = await openLatentDecoder(settings, sizePx);
  try {
    for (const index of rows) {
      const original = await source.load(index, sizePx);
      const decoded = await decodeRow(store, index, settings, decoder);
      errors.push(original.reduce((sum, value, i) => sum + (value - decoded[i]!) ** 2, 0) / original.length);
      if (!shown.includes(index)) continue;
      const picture = { index, id: source.id(index), original: `image-${index}.png`, decoded: `decoded-${index}.png` };
      await writePng(path.join(outFolder, picture.original), original, sizePx);
      await writePng(path.join(outFolder, picture.decoded), decoded, sizePx);
      pictures.push(picture);
    }
  } finally {
    await decoder.dispose();
  }
  const { dtype, shape } = store.header.columns["latent"]!;
  const summary: LatentsSummary = {
    format: 1,
    autoencoder: settings.name,
    encoderSha256: options.encoderSha256,
    decoderSha256: options.decoderSha256,
    cached: shape[0] === settings.channels ? "means" : "moments",
    dtype,
    channels: settings.channels,
    sizePx: shape[1]!,
    imagePx: sizePx,
    variants: store.header.rows / source.length,
    scale: [...scaling.scale],
    bias: [...scaling.bias],
    isMeasured,
    reconstruction: { images: count, psnr: mean(errors.map(toDecibels)), mse: mean(errors) },
    pictures,
  };
  await writeFileAtomic(path.join(outFolder, "latents.json"), `${JSON.stringify(summary, null, 2)}\n`);
  return summary;
}

async function decodeRow(
  store: RowStore,
  row: number,
  { channels }: AutoencoderSettings,
  decoder: LatentDecoder,
): Promise<Uint8Array> {
  const [, height, width] = store.header.columns["latent"]!.shape as [number, number, number];
  const latent = (await store.read("latent", [row])) as Float32Array;
  const decoded = new Uint8Array(decoder.sizePx ** 2 * 3);
  await decoder.decode(latent.subarray(0, channels * height * width), 1, decoded, () => `the latent of image ${row}`);
  return decoded;
}

/** Peak signal-to-noise ratio of a mean squared error of 8-bit values; images that are the same have 99 dB. */
const toDecibels = (mse: number): number => Math.min(99, 10 * Math.log10(255 ** 2 / mse));

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
