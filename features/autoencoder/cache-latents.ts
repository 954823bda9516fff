import { NumericError } from "../../data/errors.js";
import type { NativeDevice } from "../../src/compile/session.js";
import {
  type Cached,
  type CachePlan,
  type FillOptions,
  fillAndOpen,
  type PlanOptions,
  planOf,
  planStore,
  rowsOf,
  sourceMeta,
} from "../cache.js";
import { imageBatches } from "../image-batches.js";
import type { AutoencoderSettings } from "./autoencoder-name.js";
import { openLatentEncoder } from "./open-encoder.js";

/** Raised when other latents come out of the same files, images and settings. */
const VERSION = 1;

export interface PlanLatentsOptions extends PlanOptions {
  readonly autoencoder: AutoencoderSettings;
  /** Side of the images that are encoded. */
  readonly sizePx: number;
  /** On disk. Half precision keeps three digits. */
  readonly dtype: "F16" | "F32";
  readonly device?: NativeDevice;
}

export interface CacheLatentsOptions extends PlanLatentsOptions, Omit<FillOptions, "part"> {}

/** The latents of all variants of all images, computed unless they are cached whole. @throws as {@link planLatents}. */
export async function cacheLatents(options: CacheLatentsOptions): Promise<Cached> {
  return fillAndOpen(await planLatents(options), options);
}

/**
 * The cache of the latents of all variants of all images: column `latent` [C,h,w] or [2C,h,w], means and, where the encoder gives
 * them, standard deviations behind them, as the encoder gives them (not scaled); column `label` int32 [].
 *
 * The key is a hash of everything that changes the bytes: images, variants, size, the encoder's file and settings, precision.
 *
 * @throws as `openLatentEncoder`; and, while it is filled, {NumericError} latents that are not finite: names the image.
 */
export async function planLatents(options: PlanLatentsOptions): Promise<CachePlan> {
  const { source, autoencoder, sizePx, dtype, device } = options;
  const { name, encoder: file, latents, pixels, channels, downsampling } = autoencoder;
  const encoder = await openLatentEncoder(autoencoder, sizePx, device === undefined ? {} : { device });
  const meta = {
    kind: "latents",
    classes: source.classes,
    ...{ encoder: encoder.sha256, output: file.output, latents, pixels, channels, downsampling },
    version: VERSION,
    ...sourceMeta(options, sizePx),
  };
  const columns = { latent: { dtype, shape: encoder.shape }, label: { dtype: "I32", shape: [] } } as const;
  const check = (latent: Float32Array, rows: readonly number[]): void => {
    const bad = latent.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return;
    const size = latent.length / rows.length;
    const row = rows[Math.floor(bad / size)]!;
    const channel = Math.floor((bad % size) / (encoder.shape[1] * encoder.shape[2]));
    throw new NumericError(
      `autoencoder "${name}": the latent of image ${source.id(row % source.length)} has ${latent[bad]} in channel ${channel}`,
      { hint: "leave the image out, or use an encoder in full precision" },
    );
  };
  return planOf("latents", options, planStore({ rows: rowsOf(options), columns, meta }), {
    async *makeRows(start, end) {
      for await (const { images, rows } of imageBatches(options, sizePx, start, end)) {
        const latent = await encoder.encode(images, rows.length);
        check(latent, rows);
        yield { latent, label: Int32Array.from(rows, (row) => source.label(row % source.length)) };
      }
    },
    close: () => encoder.dispose(),
  });
}
