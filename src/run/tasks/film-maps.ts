/**
 * @file What blocks of a model make of a few images, as pictures: per image the first principal components of its tokens as colours,
 * turned to those of the target, so that the same colours mean alike from step to step and from arm to arm.
 */
import { NumericError } from "../../../data/errors.js";
import { randomStream } from "../../../data/random.js";
import type { RowStore } from "../../../data/row-store.js";
import type { LatentScaling } from "../../../features/autoencoder/latent-scaling.js";
import { openNormalizer } from "../../../features/open-normalizer.js";
import type { Device } from "../../compile/compile.js";
import { gridSide, type SitConfig } from "../../models/sit-sizes.js";
import { colourComponents, principalComponents } from "../../report/principal-components.js";
import { turnColours } from "../../report/turn-colours.js";
import { openHiddenTokens } from "../../sample/hidden-tokens.js";
import type { SampleParameters } from "../../sample/network.js";
import { readClean } from "../../train/batch-reader.js";
import { addNoise, type PathName } from "../../train/interpolant.js";

/** Images that are shown at most, one of each of the first classes. */
const MOST_IMAGES = 4;
/** Rows that are searched for classes. */
const MOST_SEARCHED = 10_000;

/** What colours are turned to. */
export interface MapTarget {
  /** Column `features` [T,D]. */
  readonly store: RowStore;
  /** Alpha of the spatial normalization; null: none. */
  readonly spatialNorm: number | null;
}

export interface MapOptions {
  readonly config: SitConfig;
  /** 1-based. */
  readonly blocks: readonly number[];
  /** What the model is trained on; row i is image i as it is. */
  readonly images: RowStore;
  /** How the model sees cached latents; absent in pixel space. */
  readonly latents?: LatentScaling;
  /** Rows of the store that may be shown, ascending. */
  readonly choice: Uint32Array;
  /** Null: colours are as they come. */
  readonly target: MapTarget | null;
  /** Time of the noise on the images, 0..1. */
  readonly noise: number;
  readonly path: PathName;
  readonly seed: number;
  readonly device: Device;
  readonly threads: number;
}

/** Rows of pictures, a pixel a token: G high and images·G wide each, RGB. */
export interface FeatureMaps {
  /** Which images: rows of the store. */
  readonly images: readonly number[];
  /** Of the target; null without one. */
  readonly target: Uint8Array | null;
  /** One row a block, below each other. @throws {NumericError} a token that is not finite. */
  draw(parameters: SampleParameters): Promise<Uint8Array>;
  dispose(): Promise<void>;
}

/** Make ready for drawing. */
export async function openFeatureMaps(options: MapOptions): Promise<FeatureMaps> {
  const { config, blocks, images, target, noise, seed, device, threads } = options;
  const { rows, labels } = await firstOfClasses(images, options.choice);
  const grid = gridSide(config);
  const count = rows.length;
  const { latents } = options;
  const clean = await readClean({ images, model: config, ...(latents === undefined ? {} : { latents }) }, rows);
  const x = addNoise(options.path, clean, randomStream(seed, "film/noise", 0).normal(clean.length), noise);
  const onto = target === null ? null : componentsOf(await targetTokens(target, rows, grid), count, grid);
  const network = await openHiddenTokens(config, blocks, { batch: count, device, threads });
  return {
    images: rows,
    target: onto === null ? null : mapRow(onto, grid),
    async draw(parameters) {
      const hidden = await network.read(parameters, { x, t: noise, labels });
      const pictures = hidden.map((tokens) => {
        const scores = componentsOf(tokens, count, grid);
        return mapRow(onto === null ? scores : scores.map((one, i) => turnColours(one, onto[i]!)), grid);
      });
      return Buffer.concat(pictures);
    },
    dispose: () => network.dispose(),
  };
}

/** The first image of each of the first classes. */
async function firstOfClasses(images: RowStore, choice: Uint32Array): Promise<{ rows: number[]; labels: Int32Array }> {
  const searched = choice.subarray(0, MOST_SEARCHED);
  const labels = await images.read("label", searched);
  const firsts = [...labels.keys()].filter((i) => labels.indexOf(labels[i]!) === i).slice(0, MOST_IMAGES);
  return { rows: firsts.map((i) => searched[i]!), labels: Int32Array.from(firsts, (i) => labels[i]!) };
}

async function targetTokens({ store, spatialNorm }: MapTarget, rows: readonly number[], grid: number) {
  const tokens = Float32Array.from(await store.read("features", rows));
  if (spatialNorm === null) return tokens;
  const dim = tokens.length / rows.length / grid ** 2;
  const options = { tokens: grid ** 2, dim, batch: rows.length, alpha: spatialNorm };
  const normalizer = await openNormalizer(options);
  return normalizer.normalize(tokens, rows.length).finally(() => normalizer.dispose());
}

/** For each image, the scores [T,3] of its tokens on their principal components. */
function componentsOf(tokens: Float32Array, images: number, grid: number): Float64Array[] {
  const bad = tokens.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new NumericError(`feature maps: value ${bad} of the tokens is ${tokens[bad]}`);
  const size = tokens.length / images;
  return Array.from({ length: images }, (_, image) => {
    const own = tokens.subarray(image * size, (image + 1) * size);
    return principalComponents(own, [grid ** 2, size / grid ** 2]).scores;
  });
}

/** Maps beside each other. */
function mapRow(scores: readonly Float64Array[], grid: number): Uint8Array {
  const row = new Uint8Array(scores.length * grid * grid * 3);
  for (const [image, one] of scores.entries()) {
    const colours = colourComponents(one);
    for (let y = 0; y < grid; y++) {
      row.set(colours.subarray(y * grid * 3, (y + 1) * grid * 3), (y * scores.length + image) * grid * 3);
    }
  }
  return row;
}
