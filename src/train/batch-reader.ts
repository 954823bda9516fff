import { DataError, ShapeError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import type { RowData, RowStore } from "../../data/row-store.js";
import { batchIndices } from "../../data/shuffle.js";
import { drawLatents, type LatentScaling } from "../../features/autoencoder/latent-scaling.js";
import type { HostTensors } from "../compile/compile.js";
import { gridSide, type SitConfig } from "../models/sit-sizes.js";
import { biasCorrections } from "./adamw.js";
import type { TrainOptions } from "./options.js";
import { drawTimes, mapTimes } from "./times.js";
import { targetInput } from "./train-step.js";

/** What batches are read from and drawn with. */
export interface BatchSource {
  /**
   * Columns `label` I32 [] and `image` U8 [S,S,3], or in latent space `latent` of F16 or F32 [C,S,S], or [2C,S,S] with standard
   * deviations; row = variant · sourceLength + index.
   */
  readonly images: RowStore;
  /** From cached latents to what the model sees; absent in pixel space. */
  readonly latents?: LatentScaling;
  /** Column `features` [T,D], the same rows; absent in a control. */
  readonly features?: RowStore;
  /** Width that the target is to have; wanted with `features`. */
  readonly dim?: number;
  /** Images, each counted once. */
  readonly sourceLength: number;
  /** K: variants of each image (mirrored, other crops), one of which is drawn each time. */
  readonly variants: number;
  readonly seed: number;
  readonly model: SitConfig;
  readonly options: Pick<
    TrainOptions,
    "batch" | "labelDropout" | "path" | "time" | "learningRate" | "betas" | "precision"
  >;
}

/**
 * The inputs of training step `step` (0-based), a pure function of its arguments and the stores: which images in which order,
 * which variant of them, labels dropped or not, latents, noise and times. Each choice has its own random stream (`train/flip`,
 * `train/latent`, `train/label-drop`, `train/noise`, `train/time`), and none depends on the target: arms of one experiment share them all.
 *
 * @param targetMemory where the target is written, and stays until the step is done: memory of a batch before. @default new memory
 * @returns the inputs of `trainStep`, channels first: pixels as u8/127.5 − 1, or latents drawn anew from their moments, scaled.
 * @throws {DataError} a label that the model has not.
 */
export async function readBatch(source: BatchSource, step: number, targetMemory?: RowData): Promise<HostTensors> {
  const { images, latents, features, dim, sourceLength, variants, seed, model, options } = source;
  const { batch: B, labelDropout, betas, learningRate, precision } = options;
  const { channels: C, sizePx: S, classes } = model;
  const stream = (name: string) => randomStream(seed, `train/${name}`, step);

  const drawn = stream("flip").uniform(B);
  const rows = Array.from(
    batchIndices(sourceLength, B, seed, step),
    // From the last: of two variants, the lower half of the numbers draws the mirrored one.
    (index, i) => (variants - 1 - Math.floor(drawn[i]! * variants)) * sourceLength + index,
  );
  const [data, labels, target] = await Promise.all([
    images.read(latents === undefined ? "image" : "latent", rows),
    images.read("label", rows),
    features?.read("features", rows, targetMemory),
  ]);

  const dropped = stream("label-drop").uniform(B);
  const y = Int32Array.from(labels, (label, i) => {
    if (!(label >= 0 && label < classes)) {
      throw new DataError(`image ${rows[i]! % sourceLength} has label ${label}; the model has ${classes} classes`);
    }
    return dropped[i]! < labelDropout ? classes : label;
  });
  const latentNoise = () => (hasStd(images, C) ? stream("latent").normal(B * C * S * S) : undefined);
  const x =
    latents === undefined
      ? toModelRange(data as Uint8Array, B, S, C)
      : drawLatents(data as Float32Array, B, latents, latentNoise());
  const [biasCorrection1, biasCorrection2] = biasCorrections(betas, step + 1);
  const scalar = (value: number) => ({ data: Float32Array.of(value), shape: [] });
  return {
    x: { data: x, shape: [B, C, S, S] },
    y: { data: y, shape: [B] },
    noise: { data: stream("noise").normal(B * C * S * S), shape: [B, C, S, S] },
    t: { data: mapTimes(drawTimes(stream("time"), B, options), options), shape: [B] },
    learningRate: scalar(learningRate),
    // Where updates may be skipped, the step counts them itself.
    ...(precision === "mixed"
      ? {}
      : { biasCorrection1: scalar(biasCorrection1), biasCorrection2: scalar(biasCorrection2) }),
    ...(target === undefined
      ? {}
      : { [targetInput(0)]: { data: target as Float32Array, shape: [B, gridSide(model) ** 2, dim!] } }),
  };
}

/** Whether standard deviations are cached behind the means. */
const hasStd = ({ header }: RowStore, channels: number): boolean => header.columns["latent"]!.shape[0] === 2 * channels;

/**
 * Images as the model sees them, without noise: of `rows`, in their order; of latents their means.
 *
 * @returns [rows,C,S,S], channels first.
 */
export async function readClean(
  { images, latents, model }: Pick<BatchSource, "images" | "latents" | "model">,
  rows: readonly number[],
): Promise<Float32Array> {
  if (latents !== undefined) {
    const silence = hasStd(images, model.channels)
      ? new Float32Array(rows.length * model.channels * model.sizePx ** 2)
      : undefined;
    return drawLatents((await images.read("latent", rows)) as Float32Array, rows.length, latents, silence);
  }
  return toModelRange((await images.read("image", rows)) as Uint8Array, rows.length, model.sizePx, model.channels);
}

/** [B,S,S,C] bytes to [B,C,S,S] in [−1,1]. */
function toModelRange(pixels: Uint8Array, B: number, S: number, C: number): Float32Array {
  const result = new Float32Array(pixels.length);
  const area = S * S;
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < C; c++) {
      const [from, to] = [b * area * C + c, (b * C + c) * area];
      for (let i = 0; i < area; i++) result[to + i] = pixels[from + i * C]! / 127.5 - 1;
    }
  }
  return result;
}

/**
 * Refuse stores that do not fit the model, the target or each other, before anything is trained.
 *
 * @throws {ShapeError} one line: which store, what was wanted, what it has.
 */
export function checkBatchSource(source: BatchSource): void {
  const { images, latents, features, dim, sourceLength, variants, model, options } = source;
  const rows = sourceLength * variants;
  const wanted = variants > 1 ? `${variants} variants of ${sourceLength} images` : `${sourceLength} images`;
  const checkRows = (what: string, store: RowStore): void => {
    if (store.header.rows < rows) {
      throw new ShapeError(`${what}: want ${wanted}, got ${store.header.rows} rows`, {
        hint: "cache them for the same images and the same variants as the run's",
      });
    }
  };
  if (latents === undefined) checkImages(images, model);
  else checkLatents(images, latents, model);
  const label = images.header.columns["label"];
  if (label === undefined || label.dtype !== "I32" || label.shape.length !== 0) {
    throw new ShapeError(`cached images: want labels I32 [], got ${describe(label)}`);
  }
  checkRows("cached images", images);
  if (options.batch > sourceLength) {
    throw new ShapeError(`batch: want at most the ${sourceLength} images that there are, got ${options.batch}`);
  }
  if (features === undefined) return;
  const T = gridSide(model) ** 2;
  const column = features.header.columns["features"];
  const isReadAsFloats = column?.dtype === "F16" || column?.dtype === "F32" || column?.dtype === "Q8";
  if (column === undefined || !isReadAsFloats || column.shape.length !== 2) {
    throw new ShapeError(`cached features: want [T,D] of F16, F32 or Q8, got ${describe(column)}`);
  }
  const [tokens, width] = column.shape;
  if (tokens !== T) {
    throw new ShapeError(`cached features: the model has ${T} tokens, the features ${tokens}`, {
      hint: `compute the target on a grid of ${gridSide(model)}×${gridSide(model)}`,
    });
  }
  if (width !== dim) {
    throw new ShapeError(`cached features: the projector gives ${dim} channels, the features have ${width}`, {
      hint: `set the target's dim to ${width}`,
    });
  }
  checkRows("cached features", features);
}

function checkImages({ header }: RowStore, { sizePx: S, channels: C }: SitConfig): void {
  const image = header.columns["image"];
  if (image?.dtype === "U8" && image.shape.join() === [S, S, C].join()) return;
  throw new ShapeError(`cached images: the model wants U8 [${S},${S},${C}], got ${describe(image)}`);
}

function checkLatents({ header }: RowStore, scaling: LatentScaling, { sizePx: S, channels: C }: SitConfig): void {
  const latent = header.columns["latent"];
  const shapes = [C, 2 * C].map((channels) => [channels, S, S].join());
  const isFloat = latent?.dtype === "F16" || latent?.dtype === "F32";
  if (!isFloat || !shapes.includes(latent.shape.join())) {
    const wanted = shapes.map((shape) => `[${shape}]`).join(" or ");
    throw new ShapeError(`cached latents: the model wants F16 or F32 ${wanted}, got ${describe(latent)}`);
  }
  const { scale, bias } = scaling;
  if (scale.length !== C || bias.length !== C) {
    throw new ShapeError(`cached latents: want ${C} scales and biases, got ${scale.length} and ${bias.length}`);
  }
}

const describe = (column: { dtype: string; shape: readonly number[] } | undefined): string =>
  column === undefined ? "none" : `${column.dtype} [${column.shape}]`;
