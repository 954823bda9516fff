/** @file The sampling step of an experiment: a checkpoint in, `samples.npz`, `samples.png` and `samples.json` out. */
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { writeFileAtomic } from "../../data/atomic.js";
import { ConfigError, NumericError, UnsupportedError } from "../../data/errors.js";
import { type RandomStream, randomStream } from "../../data/random.js";
import { writeNpz } from "../../data/write-npz.js";
import { writePixels } from "../../data/write-pixels.js";
import { type LatentScaling, unscaleLatents } from "../../features/autoencoder/latent-scaling.js";
import type { LatentDecoder } from "../../features/autoencoder/open-decoder.js";
import type { Device } from "../compile/compile.js";
import type { SitConfig } from "../models/sit-sizes.js";
import {
  openSitNetwork,
  readCheckpointWeights,
  type SampleParameters,
  type SitNetwork,
  type WeightsName,
} from "./network.js";
import { GRID_IMAGES, sampleGrid } from "./sample-grid.js";
import { checkSampler, type SamplePath, type SamplerName, sampleSit } from "./sit-sampler.js";

export interface SampleArmOptions {
  /** A checkpoint file, or the parameters themselves by the reference's names. */
  readonly checkpoint: string | SampleParameters;
  readonly config: SitConfig;
  /** From the model's latents to pixels; wanted where the model is not of RGB pixels. */
  readonly decoder?: SampleDecoder;
  /** Labels are k mod classes. @default config.classes */
  readonly classes?: number;
  readonly sampler: SamplerName;
  readonly steps: number;
  /** @default 1 */
  readonly guidance?: number;
  /** @default [0, 1] */
  readonly guidanceInterval?: readonly [low: number, high: number];
  /** The path that the model was trained on. @default "linear" */
  readonly path?: SamplePath;
  /** N: samples to draw. */
  readonly count: number;
  /** Samples at a time; does not change them beyond the last bits of float32. */
  readonly batch: number;
  /** Which weights of a checkpoint file. @default "ema" */
  readonly weights?: WeightsName;
  readonly seed: number;
  /** Made if absent; gets `samples.npz`, `samples.png` and, last, `samples.json`. */
  readonly outFolder: string;
  readonly device?: Device;
  readonly threads?: number;
  /** Samples done, a batch under way counted by its share of steps. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The decoder of an autoencoder, and the scaling of its latents that the model was trained with. */
export interface SampleDecoder {
  /** Of the autoencoder. */
  readonly name: string;
  readonly network: LatentDecoder;
  readonly scaling: LatentScaling;
}

/** What `samples.json` holds: all that the samples depend on. */
export interface SampleRecord {
  readonly format: 1;
  /** File name of the checkpoint; null where the parameters were handed in. */
  readonly checkpoint: string | null;
  /** Training step, as the checkpoint says; null where it does not. */
  readonly step: number | null;
  readonly weights: WeightsName;
  readonly count: number;
  readonly batch: number;
  readonly classes: number;
  /** Of `arr_0` in `samples.npz`, uint8. */
  readonly shape: readonly [count: number, heightPx: number, widthPx: number, channels: number];
  /** Absent in pixel space. */
  readonly decoder?: { readonly autoencoder: string; readonly sha256: string } & LatentScaling;
  readonly sampler: {
    readonly name: SamplerName;
    readonly steps: number;
    readonly guidance: number;
    readonly guidanceInterval: readonly [number, number];
    readonly path: SamplePath;
    readonly seed: number;
  };
  readonly device: Device;
  readonly seconds: number;
}

/** What is drawn, but for the samples themselves. */
interface OpenedDrawing {
  readonly shape: SampleRecord["shape"];
  /** As {@link SampleRecord}. */
  readonly step: number | null;
  /** Settings with their defaults. */
  readonly settings: Pick<SampleRecord, "weights" | "count" | "batch" | "classes" | "decoder" | "sampler" | "device">;
  /** The samples in order, [n,H,W,3] uint8; once. @throws {NumericError} a sample that is not finite, by its number. */
  batches(): AsyncGenerator<Uint8Array>;
}

/**
 * Draw samples from a trained model and write them down, each batch as it is drawn: never all of them are in memory.
 *
 * @returns the record that was written.
 * @throws as {@link drawSamples}; {DataError} a file that cannot be written.
 */
export async function sampleArm({ outFolder, ...options }: SampleArmOptions): Promise<SampleRecord> {
  const started = performance.now();
  const { shape, step, settings, batches } = await openDrawing(options);
  const [, heightPx, widthPx] = shape;
  await mkdir(outFolder, { recursive: true });
  const shown: Uint8Array[] = [];
  let shownBytes = 0;
  const parts = async function* () {
    for await (const part of batches()) {
      const wanted = GRID_IMAGES * heightPx * widthPx * 3 - shownBytes;
      if (wanted > 0) shown.push(part.slice(0, wanted));
      shownBytes += part.length;
      yield part;
    }
    // The record is written last, and removed before new samples take the place of old ones: where it is, it belongs to those beside it.
    await rm(path.join(outFolder, "samples.json"), { force: true });
  };
  await writeNpz(path.join(outFolder, "samples.npz"), { arr_0: { dtype: "|u1", shape, parts: parts() } });
  const grid = await sampleGrid(Buffer.concat(shown), [Math.min(shape[0], GRID_IMAGES), heightPx, widthPx]);
  await writeFileAtomic(path.join(outFolder, "samples.png"), grid);
  const { checkpoint } = options;
  const record: SampleRecord = {
    format: 1,
    checkpoint: typeof checkpoint === "string" ? path.basename(checkpoint) : null,
    step,
    ...settings,
    shape,
    seconds: Math.round((performance.now() - started) / 10) / 100,
  };
  await writeFileAtomic(path.join(outFolder, "samples.json"), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

/** Samples in memory, as {@link openDrawing} draws them: for a few. @returns [N,H,W,3]. @throws as it. */
export async function drawSamples(options: Omit<SampleArmOptions, "outFolder">): Promise<Uint8Array> {
  const { batches } = await openDrawing(options);
  const parts: Uint8Array[] = [];
  for await (const part of batches()) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * Draw samples from a trained model of pixels, or of latents, which are decoded.
 *
 * Sample k depends on the weights, the seed and k alone: its start noise is the stream ("sample/noise", k), the noise of its
 * SDE steps, one step after another, the stream ("sample/sde", k), its label k mod classes. So it is the same in batches of
 * any size, in a longer run, and in every arm.
 *
 * @throws {ConfigError} options that cannot work. @throws {UnsupportedError} a model of other than RGB pixels without a decoder.
 * @throws {DataError} an unreadable checkpoint. @throws {ShapeError} another model's checkpoint.
 * @throws {NumericError} a sample that is not finite, by its number.
 */
async function openDrawing(options: Omit<SampleArmOptions, "outFolder">): Promise<OpenedDrawing> {
  const { checkpoint, config, decoder, count, seed, sampler, steps, device = "cpu", threads, onProgress } = options;
  const { classes = config.classes, guidance = 1, guidanceInterval = [0, 1], weights = "ema" } = options;
  const { path: dataPath = "linear" } = options;
  for (const [name, value] of Object.entries({ count, batch: options.batch, classes })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ConfigError(`sampling: ${name} must be a whole number of at least 1, got ${value}`);
    }
  }
  if (classes > config.classes) {
    throw new ConfigError(`sampling: ${classes} classes are asked for, the model has ${config.classes}`);
  }
  if (decoder === undefined && config.channels !== 3) {
    throw new UnsupportedError(`sampling: want a model of RGB pixels (3 channels), got ${config.channels} channels`, {
      hint: "latents need the decoder of their autoencoder",
    });
  }
  const settings = { sampler, steps, guidance, guidanceInterval, path: dataPath, nullLabel: config.classes };
  checkSampler({ ...settings, noise: () => [] });

  const source =
    typeof checkpoint === "string"
      ? await readCheckpointWeights(checkpoint, weights)
      : { parameters: checkpoint, metadata: {} as Record<string, string> };
  const { channels, sizePx } = config;
  const sampleSize = channels * sizePx * sizePx;
  const sampleOf = (samples: Float64Array, i: number) => samples.subarray(i * sampleSize, (i + 1) * sampleSize);
  const batch = Math.min(options.batch, count);
  const imagePx = decoder?.network.sizePx ?? sizePx;
  const shape = [count, imagePx, imagePx, 3] as const;
  const imageSize = imagePx * imagePx * 3;

  async function* batches(): AsyncGenerator<Uint8Array> {
    const network = await openSitNetwork(source.parameters, config, {
      batch,
      device,
      ...(threads === undefined ? {} : { threads }),
    });
    try {
      yield* drawBatches(network);
    } finally {
      await network.dispose();
    }
  }

  async function* drawBatches(network: SitNetwork): AsyncGenerator<Uint8Array> {
    for (let first = 0; first < count; first += batch) {
      const here = Math.min(batch, count - first);
      // The compiled network takes whole batches: samples beyond the last are zeros, dropped below.
      const start = new Float32Array(batch * sampleSize);
      const labels = Int32Array.from({ length: batch }, (_, i) => (first + i) % classes);
      for (let i = 0; i < here; i++) {
        start.set(randomStream(seed, "sample/noise", first + i).normal(sampleSize), i * sampleSize);
      }
      const streams = Array.from({ length: here }, (_, i): RandomStream => randomStream(seed, "sample/sde", first + i));
      const samples = await sampleSit(network.velocity, start, labels, {
        ...settings,
        noise: () => {
          const noise = new Float32Array(batch * sampleSize);
          for (const [i, stream] of streams.entries()) noise.set(stream.normal(sampleSize), i * sampleSize);
          return noise;
        },
        onStep: (done, total) => onProgress?.(first + Math.floor((here * done) / total), count),
      });
      for (let i = 0; i < here; i++) {
        if (!sampleOf(samples, i).every(Number.isFinite)) {
          throw new NumericError(`sampling: sample ${first + i} is not finite`, {
            hint: "the training has diverged: look at its loss, or lower the learning rate",
          });
        }
      }
      const drawn = samples.subarray(0, here * sampleSize);
      const out = new Uint8Array(here * imageSize);
      if (decoder !== undefined) await decodeSamples(drawn, decoder, out, first);
      else
        for (let i = 0; i < here; i++)
          writePixels(sampleOf(drawn, i), 3, out.subarray(i * imageSize, (i + 1) * imageSize));
      yield out;
    }
  }

  const step = Number(source.metadata["step"] ?? Number.NaN);
  return {
    shape,
    step: Number.isInteger(step) ? step : null,
    batches,
    settings: {
      weights,
      count,
      batch,
      classes,
      ...(decoder === undefined ? {} : { decoder: decoderRecord(decoder) }),
      sampler: { name: sampler, steps, guidance, guidanceInterval, path: dataPath, seed },
      device,
    },
  };
}

/** @param samples whole ones, as the model gives them. @param first the number of the first, for errors. */
async function decodeSamples(
  samples: Float64Array,
  { network, scaling }: SampleDecoder,
  out: Uint8Array,
  first: number,
): Promise<void> {
  const count = out.length / (network.sizePx ** 2 * 3);
  const size = samples.length / count;
  const latents = new Float32Array(samples.length);
  for (let at = 0; at < samples.length; at += size) {
    unscaleLatents(samples.subarray(at, at + size), scaling, latents.subarray(at, at + size));
  }
  await network.decode(latents, count, out, (i) => `sample ${first + i}`);
}

function decoderRecord({ name, network, scaling }: SampleDecoder) {
  return { autoencoder: name, sha256: network.sha256, scale: scaling.scale, bias: scaling.bias };
}
