/**
 * @file The film of a training: at checkpoints, the same few noises become samples again, and some blocks show what they make of
 * the same few images (`film-maps.ts`). It looks at checkpoints only: the training does not depend on it.
 *
 *     arms/ARM/film/film.json                    what is in it; names no picture that is not there
 *     arms/ARM/film/samples-0000300.png          N samples beside each other
 *     arms/ARM/film/maps-0000300.png             a pixel a token: the images beside each other, the blocks below each other
 *     arms/ARM/film/images.png  target.png       the images, and the maps of the target on them
 */
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { writeFileAtomic } from "../../../data/atomic.js";
import { NumericError } from "../../../data/errors.js";
import type { RowStore } from "../../../data/row-store.js";
import { gridSide, type SitConfig } from "../../models/sit-sizes.js";
import { type FilmRecord, filmFrame } from "../../report/film-record.js";
import { readCheckpointWeights } from "../../sample/network.js";
import { drawSamples, type SampleDecoder } from "../../sample/sample-arm.js";
import { listCheckpoints } from "../../train/checkpoint.js";
import { imagesOfRows } from "../compared-images.js";
import { armFiles } from "../run-folder.js";
import type { AlignConfig, Experiment, TrainConfig } from "../schema.js";
import { openFeatureMaps } from "./film-maps.js";

/** Frames of a training, about: more cannot be told apart. */
const MOST_FRAMES = 24;
/** Steps of the sampler at most: a frame is to be looked at, not measured. */
const MOST_SAMPLER_STEPS = 25;
/** Noise on the images of the maps: enough that the model is at home, little enough that the image is still there. */
const MAP_NOISE = 0.25;

export interface FilmInput {
  readonly runFolder: string;
  readonly experiment: Experiment;
  readonly arm: string;
  readonly config: SitConfig;
  /** What the arm is trained on; row i is image i as it is. */
  readonly images: RowStore;
  /** Pixels of all images or, in latent space, of those that the evaluation compares: these alone are shown. */
  readonly pixels: RowStore;
  /** Of latents, with the scaling that the model sees them in; absent in pixel space. Disposed of with the film. */
  readonly decoder?: SampleDecoder;
  readonly sourceLength: number;
  /** What the colours of the maps are turned to: the arm's own target, or another for a control; null: nothing. */
  readonly target: { readonly align: AlignConfig; readonly store: RowStore } | null;
  /** A frame that could not be made, and why. */
  readonly onSkipped: (why: string) => void;
}

/** A film that is being made. */
export interface Film {
  /** Look at a checkpoint, unless its step is none of the film's or was filmed already. */
  shoot(checkpoint: string, step: number): Promise<void>;
  dispose(): Promise<void>;
}

/** Whether a checkpoint gets a frame: evenly spread, the last step always. */
export function isFilmed(step: number, { steps, checkpointEvery }: Pick<TrainConfig, "steps" | "checkpointEvery">) {
  const stride = Math.max(1, Math.ceil(Math.floor(steps / checkpointEvery) / MOST_FRAMES)) * checkpointEvery;
  return step === steps || step % stride === 0;
}

/** Begin a film, or go on with it: the newest checkpoint is filmed if it was written and its frame was not. */
export async function openFilm(input: FilmInput): Promise<Film> {
  const { runFolder, experiment, arm, config, images, pixels, decoder, sourceLength, target } = input;
  const { train, sample, align, seed, data } = experiment;
  const folder = path.join(armFiles(runFolder, arm).folder, "film");
  await mkdir(folder, { recursive: true });
  const own = experiment.arms.find(({ name }) => name === arm)!.align;
  const depths = [1, Math.ceil(config.depth / 2), own?.depth ?? align.depth, config.depth];
  const blocks = [...new Set(depths)].filter((depth) => depth <= config.depth).sort((a, b) => a - b);
  const engine = { device: train.device, threads: train.threads };
  const choice = imagesOfRows(pixels.header.rows, sourceLength, seed);
  const maps = await openFeatureMaps({
    config,
    blocks,
    images,
    choice,
    ...(decoder === undefined ? {} : { latents: decoder.scaling }),
    target: target === null ? null : { store: target.store, spatialNorm: target.align.spatialNorm },
    noise: MAP_NOISE,
    path: train.path,
    seed,
    ...engine,
  });
  const dispose = async (): Promise<void> => {
    await maps.dispose();
    await decoder?.network.dispose();
  };
  const grid = gridSide(config);
  const count = maps.images.length;
  const { sizePx } = data;
  const sampler = {
    sampler: "euler" as const,
    steps: Math.min(sample.steps, MOST_SAMPLER_STEPS),
    guidance: sample.guidance,
    guidanceInterval: sample.guidanceInterval,
    seed: sample.seed,
  };
  const settings: Omit<FilmRecord, "frames"> = {
    format: 1,
    sampler,
    weights: sample.weights,
    samples: sample.film,
    maps: {
      images: [...maps.images],
      grid,
      blocks,
      alignedBlock: own?.depth ?? null,
      noise: MAP_NOISE,
      target: target?.align.target ?? null,
      spatialNorm: target?.align.spatialNorm ?? null,
    },
  };
  const file = path.join(folder, "film.json");
  const filmed = new Set(await framesOf(file, settings));
  const write = (name: string, rgb: Uint8Array, width: number, height: number) =>
    writePng(path.join(folder, name), rgb, width, height);
  const rows = maps.images.map((image) => choice.indexOf(image));
  const originals = (await pixels.read("image", rows)) as Uint8Array;
  await write("images.png", besideEachOther(originals, count, sizePx), count * sizePx, sizePx);
  if (maps.target !== null) await write("target.png", maps.target, count * grid, grid);

  const shoot = async (checkpoint: string, step: number): Promise<void> => {
    if (!isFilmed(step, train) || filmed.has(step)) return;
    try {
      const { parameters } = await readCheckpointWeights(checkpoint, sample.weights);
      const drawn = await drawSamples({
        ...sampler,
        ...engine,
        ...(decoder === undefined ? {} : { decoder }),
        checkpoint: parameters,
        config,
        count: sample.film,
        batch: sample.film,
        path: train.path,
      });
      const drawnMaps = await maps.draw(parameters);
      const strip = besideEachOther(drawn, sample.film, sizePx);
      await write(filmFrame("samples", step), strip, sample.film * sizePx, sizePx);
      await write(filmFrame("maps", step), drawnMaps, count * grid, blocks.length * grid);
    } catch (error) {
      // Weights that diverge are the training's to report; the film only has nothing to show.
      if (!(error instanceof NumericError)) throw error;
      input.onSkipped(`film of ${arm}: no frame of step ${step}: ${error.message}`);
      return;
    }
    filmed.add(step);
    const record: FilmRecord = { ...settings, frames: [...filmed].sort((a, b) => a - b) };
    await writeFileAtomic(file, `${JSON.stringify(record, null, 2)}\n`);
  };
  try {
    const newest = (await listCheckpoints(armFiles(runFolder, arm).folder)).at(-1);
    if (newest !== undefined) await shoot(newest.path, newest.step);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { shoot, dispose };
}

/** Steps that were filmed with the same settings; none where the film is another, which is then begun anew. */
async function framesOf(file: string, settings: Omit<FilmRecord, "frames">): Promise<readonly number[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  try {
    const { frames, ...others } = JSON.parse(text) as FilmRecord;
    return JSON.stringify(others) === JSON.stringify(settings) ? frames : [];
  } catch {
    return []; // damaged: nothing but pictures is lost
  }
}

/** [N,S,S,3] → [S,N·S,3]. */
function besideEachOther(images: Uint8Array, count: number, sizePx: number): Uint8Array {
  const row = sizePx * 3;
  const strip = new Uint8Array(images.length);
  for (let image = 0; image < count; image++) {
    for (let y = 0; y < sizePx; y++) {
      const from = (image * sizePx + y) * row;
      strip.set(images.subarray(from, from + row), (y * count + image) * row);
    }
  }
  return strip;
}

async function writePng(file: string, rgb: Uint8Array, width: number, height: number): Promise<void> {
  await writeFileAtomic(
    file,
    await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
}
