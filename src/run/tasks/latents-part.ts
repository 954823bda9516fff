/** @file The part of the features step that is for latent space: the autoencoder checked, its latents measured and shown beside their images. */
import path from "node:path";
import type { ImageSource } from "../../../data/image-source.js";
import { openRowStore, type RowStore } from "../../../data/row-store.js";
import type { AutoencoderSettings } from "../../../features/autoencoder/autoencoder-name.js";
import { type LatentScaling, perChannel } from "../../../features/autoencoder/latent-scaling.js";
import { measureScaling } from "../../../features/autoencoder/latent-statistics.js";
import { openLatentDecoder } from "../../../features/autoencoder/open-decoder.js";
import { openLatentEncoder } from "../../../features/autoencoder/open-encoder.js";
import { parseAutoencoder } from "../../../features/autoencoder/parse-autoencoder.js";
import { checkExported } from "../../../features/autoencoder/published.js";
import { writeLatentPictures } from "../../report/latent-picture.js";
import type { LatentsRecord } from "../features-record.js";
import type { ProgressSink } from "../progress.js";
import type { Experiment, LatentsConfig } from "../schema.js";
import { taskLabel } from "../steps/step.js";
import type { CacheReport } from "./cache-with-progress.js";

/** What the files of an autoencoder are. */
export interface AutoencoderFiles {
  readonly settings: AutoencoderSettings;
  readonly encoderSha256: string;
  readonly decoderSha256: string;
}

/** Open both networks at the size of the images, to see that they are what their name says; before hours of encoding. */
export async function checkAutoencoder({ autoencoder }: LatentsConfig, sizePx: number): Promise<AutoencoderFiles> {
  const settings = parseAutoencoder(autoencoder);
  checkExported(settings);
  const encoder = await openLatentEncoder(settings, sizePx);
  await encoder.dispose();
  const decoder = await openLatentDecoder(settings, sizePx);
  await decoder.dispose();
  return { settings, encoderSha256: encoder.sha256, decoderSha256: decoder.sha256 };
}

/**
 * Find how the model will see the cached latents, and what of an image they keep.
 *
 * @returns what `features.json` says of them; writes `latents/` in the run's folder for the report.
 */
export async function describeLatents(
  { data }: Experiment,
  config: LatentsConfig,
  { settings, ...hashes }: AutoencoderFiles,
  { source, cached, runFolder }: { source: ImageSource; cached: CacheReport; runFolder: string },
  progress: ProgressSink,
): Promise<LatentsRecord> {
  const task = progress.task(taskLabel("features", "reconstructions"), 0, "");
  const { folder, key } = cached;
  const store = await openRowStore(folder, key);
  try {
    const scaling = await scalingOf(config, settings.channels, store);
    const { reconstruction } = await writeLatentPictures({
      source,
      store,
      settings,
      ...hashes,
      scaling,
      isMeasured: config.scale === "data",
      sizePx: data.sizePx,
      outFolder: path.join(runFolder, "latents"),
    });
    const { images, psnr } = reconstruction;
    task.finish(`${psnr.toFixed(1)} dB on ${images} images, decoded from the cached means`);
    return { folder, key, autoencoder: settings.name, ...hashes, ...scaling };
  } finally {
    await store.close();
  }
}

async function scalingOf({ scale, bias }: LatentsConfig, channels: number, store: RowStore): Promise<LatentScaling> {
  if (scale === "data") return measureScaling(store, channels);
  const list = (value: number | readonly number[]) => perChannel(typeof value === "number" ? [value] : value, channels);
  return { scale: list(scale), bias: list(bias ?? 0) };
}
