/**
 * @file The experiment file: every key, its type, its range, its default and what it means. This is the only place where a
 * default of an experiment is written down; `descry config FILE` prints what a file resolves to.
 *
 * The values checked here need only the key itself. What needs two keys at once (depth of alignment against depth of the
 * model, …) is in `check-experiment.ts`; reading, overriding and hashing are in `resolve-experiment.ts`.
 */
import { z } from "zod";
import { SOURCE_FORMS } from "../../data/source-forms.js";
import { CACHE_DTYPES } from "../../features/cache-dtypes.js";
import { DEVICES } from "../compile/compile.js";
import { PRECISIONS } from "../train/options.js";

const wholeNumber = (min: number, max = Number.MAX_SAFE_INTEGER) => z.int().min(min).max(max);
const share = () => z.number().min(0).max(1);
const decay = () => z.number().min(0).lt(1);

/** Names become folder names, so they keep to letters, digits, `.`, `_` and `-`, and start with a letter or digit. */
const safeName = () => z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "safe-name");

const dataSchema = z.strictObject({
  source: z
    .string()
    .min(1)
    .default("photos")
    .describe(`images: ${SOURCE_FORMS.join(", ")}`),
  count: wholeNumber(2)
    .nullable()
    .default(null)
    .describe(
      "how many images; photos: random crops (900 when left out), else the first of a seeded order (null: all)",
    ),
  sizePx: wholeNumber(4, 4096).default(32).describe("resolution that the model sees, in pixels"),
  flips: z.boolean().default(true).describe("also train on the mirrored images"),
  variants: wholeNumber(1, 1000)
    .nullable()
    .default(null)
    .describe(
      "cached of each image: centre crop, with flips its mirror image, then random crops (null: none of those)",
    ),
  seed: wholeNumber(0)
    .nullable()
    .default(null)
    .describe(
      "of the choice of images and their crops (null: the experiment's; a number: seeds of a sweep share the cache)",
    ),
  skipBad: z.boolean().default(false).describe("leave out undecodable images (counted) instead of stopping"),
});

const modelSchema = z.strictObject({
  type: z.enum(["sit"]).default("sit").describe("architecture"),
  size: z
    .string()
    .regex(/^(custom|[A-Z]{1,2}\/\d+)$/, "model-size")
    .default("custom")
    .describe("a published size such as S/2, B/4, XL/2, or custom with width, depth, heads and patch"),
  width: wholeNumber(4).nullable().default(null).describe("custom: channels of a token"),
  depth: wholeNumber(1).nullable().default(null).describe("custom: number of blocks"),
  heads: wholeNumber(1).nullable().default(null).describe("custom: attention heads"),
  patch: wholeNumber(1).nullable().default(null).describe("custom: pixels, or latents, of a token's side"),
  mlpRatio: z.number().positive().default(4).describe("hidden width of the MLP over width"),
  space: z
    .enum(["pixel", "latent"])
    .default("pixel")
    .describe("what is diffused: pixels, or latents of an autoencoder (section latents)"),
});

const perChannel = (item: z.ZodNumber) => [item, z.array(item).min(1)] as const;

const latentsSchema = z.strictObject({
  autoencoder: z
    .string()
    .min(1)
    .describe("onnx:ENCODER#OUTPUT?decoder=FILE&…, onnx:ENCODER with ENCODER.yaml beside it, or sd-vae-ft-mse|ema"),
  scale: z
    .union([z.literal("data"), ...perChannel(z.number().positive())], "number-or-data")
    .nullable()
    .default(null)
    .describe(
      "the model sees (z − bias) · scale: a number, one a channel, or data: both measured (null: the autoencoder's)",
    ),
  bias: z
    .union(perChannel(z.number()), "number-or-list")
    .nullable()
    .default(null)
    .describe("a number or one a channel (null: the autoencoder's, or 0)"),
  cacheDtype: z.enum(["F16", "F32"]).default("F16").describe("number format of the cached latents"),
});

const alignSchema = z.strictObject({
  depth: wholeNumber(1).default(3).describe("1-based block whose output is aligned"),
  projectorWidth: wholeNumber(1).default(512).describe("hidden width of the mlp projector"),
  cacheDtype: z
    .enum(CACHE_DTYPES)
    .default("F16")
    .describe("number format of the cached features; U8: bytes, of a cosine of at least 0.999 to every token"),
  device: z.enum(DEVICES).default("cpu").describe("that computes the features (changes the last digits only)"),
});

const trainSchema = z.strictObject({
  steps: wholeNumber(1).default(300).describe("optimizer steps"),
  batch: wholeNumber(1).default(32).describe("images a step"),
  learningRate: z.number().positive().default(1e-4).describe("of AdamW, constant"),
  betas: z.tuple([decay(), decay()]).default([0.9, 0.999]).describe("of AdamW"),
  weightDecay: z.number().min(0).default(0).describe("of AdamW"),
  clip: z.number().positive().default(1).describe("largest global norm of the gradient"),
  emaDecay: share().default(0.995).describe("decay of the moving average of the weights, a step"),
  labelDropout: share().default(0.1).describe("share of labels replaced by the null class"),
  path: z.enum(["linear", "cosine"]).default("linear").describe("interpolant between data and noise"),
  time: z.enum(["uniform", "lognormal"]).default("uniform").describe("distribution of the training times"),
  logEvery: wholeNumber(1).default(1).describe("steps between two lines of metrics.jsonl (changes no result)"),
  checkpointEvery: wholeNumber(1).default(100).describe("steps between two checkpoints (changes no result)"),
  tensorboard: z.boolean().default(false).describe("also write TensorBoard's event files (changes no result)"),
  threads: wholeNumber(0).default(0).describe("0: all cores (a checkpoint is repeatable on the same number)"),
  device: z.enum(DEVICES).default("cpu").describe("of training and sampling (changes the last digits only)"),
  precision: z
    .enum(PRECISIONS)
    .default("float32")
    .describe(
      "of training; mixed: products in float16 and a loss scale, on webgpu and cuda (the cpu emulates it, slowly)",
    ),
});

const sampleSchema = z.strictObject({
  sampler: z.enum(["euler", "heun", "sde"]).default("euler").describe("ODE by Euler or Heun, or Euler-Maruyama SDE"),
  steps: wholeNumber(1).default(25).describe("steps of the sampler"),
  guidance: z.number().min(1).default(1).describe("classifier-free guidance scale; 1 is off"),
  guidanceInterval: z
    .tuple([share(), share()])
    .default([0, 1])
    .describe("times (0 data, 1 noise) where guidance is on"),
  count: wholeNumber(1).default(256).describe("images an arm"),
  batch: wholeNumber(1).default(64).describe("images drawn at once"),
  weights: z.enum(["ema", "model"]).default("ema").describe("moving average or last weights"),
  seed: wholeNumber(0).default(0).describe("of noise and labels, the same for all arms"),
  film: wholeNumber(0, 64)
    .default(8)
    .describe("samples drawn again and again while training, for the report; 0: none (changes no result)"),
});

const evaluateSchema = z.strictObject({
  network: z
    .string()
    .min(1)
    .default("random-vgg")
    .describe(
      "what is looked through: random-vgg (a declared proxy), inception-adm (FID, sFID), an encoder such as dinov2-vit-l, clip-vit-l-336 (CMMD) or onnx:FILE#OUTPUT",
    ),
  also: z
    .array(z.string().min(1))
    .default([])
    .describe("further networks, each into evaluation-NAME.json (changes no result of the first)"),
  reference: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("npz file of the ADM suite to compare with: images, statistics or both (null: images of the data set)"),
  referenceCount: wholeNumber(2).nullable().default(null).describe("real images to compare with (null: all)"),
  neighbours: wholeNumber(1).default(3).describe("k of precision and recall"),
  kidSubsets: wholeNumber(1).default(50).describe("random subsets that KID is averaged over"),
  kidSubsetSize: wholeNumber(2)
    .nullable()
    .default(null)
    .describe("samples a subset of KID (null: 100, or half of the smaller set)"),
  inceptionSplits: wholeNumber(1)
    .default(10)
    .describe("splits of the inception score (inception-adm has the ADM suite's: 5000 samples each)"),
  every: wholeNumber(1)
    .nullable()
    .default(null)
    .describe(
      "also evaluate along training, after every so many steps: a multiple of train.checkpointEvery (null: no)",
    ),
  everyCount: wholeNumber(2)
    .nullable()
    .default(null)
    .describe("samples of each evaluation along training (null: sample.count)"),
});

const armSchema = z.strictObject({
  name: safeName().describe("name of the arm: a folder name"),
  target: z.string().min(1).nullable().default(null).describe("what to align to (descry targets); none: the control"),
  projector: z.enum(["mlp", "linear", "conv"]).nullable().default(null).describe("head between model and target"),
  kernel: wholeNumber(1, 7).nullable().default(null).describe("of the conv projector: 1, 3, 5 or 7 (3 when left out)"),
  spatialNorm: share().nullable().default(null).describe("alpha of the spatial normalization of the target; none: off"),
  coefficient: z.number().min(0).nullable().default(null).describe("weight of the alignment loss (0.5 when left out)"),
  depth: wholeNumber(1).nullable().default(null).describe("overrides align.depth"),
  projectorWidth: wholeNumber(1).nullable().default(null).describe("overrides align.projectorWidth"),
});

/** The whole file. Sections and keys with a default may be left out; unknown keys are errors. */
export const experimentSchema = z.strictObject({
  name: safeName().describe("name of the experiment: part of the run folder's name"),
  seed: wholeNumber(0).default(0).describe("of weights, order, noise and times, the same for all arms"),
  data: dataSchema.prefault({}),
  model: modelSchema.prefault({}),
  latents: latentsSchema.nullable().default(null).describe("of model.space latent: which, and how they are scaled"),
  align: alignSchema.prefault({}),
  train: trainSchema.prefault({}),
  sample: sampleSchema.prefault({}),
  evaluate: evaluateSchema.prefault({}),
  arms: z.array(armSchema).min(1),
});

/** A file that passed the schema, defaults filled in, before the keys are looked at together. */
export type ExperimentFile = z.output<typeof experimentSchema>;
export type LatentsFile = z.output<typeof latentsSchema>;
export type DataConfig = ExperimentFile["data"];
export type TrainConfig = ExperimentFile["train"];
export type SampleConfig = ExperimentFile["sample"];
export type EvaluateConfig = ExperimentFile["evaluate"];

/** The model with its size looked up: nothing is null any more. */
export interface ModelConfig {
  readonly type: "sit";
  readonly size: string;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly patch: number;
  readonly mlpRatio: number;
  readonly space: "pixel" | "latent";
}

/** The latents, with what the autoencoder says of itself filled in. */
export interface LatentsConfig {
  /** Canonical name. */
  readonly autoencoder: string;
  /** One number or one a channel; `data`: it and the bias are measured on the cached latents. */
  readonly scale: number | readonly number[] | "data";
  /** Null with `data`. */
  readonly bias: number | readonly number[] | null;
  readonly cacheDtype: "F16" | "F32";
}

/** The alignment of an arm, with the shared settings merged in. */
export interface AlignConfig {
  readonly target: string;
  readonly projector: "mlp" | "linear" | "conv";
  /** Side of the convolution; null for the projectors without one. */
  readonly kernel: number | null;
  /** Alpha of the spatial normalization, or null for none. */
  readonly spatialNorm: number | null;
  readonly coefficient: number;
  /** 1-based block. */
  readonly depth: number;
  readonly projectorWidth: number;
}

/** One arm: a name and what it is aligned to; `align` is null for a control. */
export interface ArmConfig {
  readonly name: string;
  readonly align: AlignConfig | null;
}

/** An experiment with every value known: what a run folder records and what the steps read. */
export interface Experiment {
  readonly name: string;
  readonly seed: number;
  readonly data: DataConfig;
  readonly model: ModelConfig;
  /** Null in pixel space. */
  readonly latents: LatentsConfig | null;
  readonly align: ExperimentFile["align"];
  readonly train: TrainConfig;
  readonly sample: SampleConfig;
  readonly evaluate: EvaluateConfig;
  readonly arms: readonly ArmConfig[];
}

/**
 * Dotted keys that came later, and how it was before: left out of the hash where it still is so, so that older runs keep their names,
 * and filled in where the record of an older run lacks them.
 */
export const LATER_KEYS = {
  "data.variants": null,
  "data.seed": null,
  latents: null,
  "train.precision": "float32",
  "evaluate.every": null,
  "evaluate.everyCount": null,
  "evaluate.reference": null,
  // Result-neutral: never in the hash.
  "align.device": "cpu",
  "train.device": "cpu",
  "train.tensorboard": false,
  "sample.film": 8,
  "evaluate.also": [],
} as const;

/** Dotted keys that change how a run is done and never what comes out: left out of the hash. */
export const RESULT_NEUTRAL_KEYS = [
  "align.device",
  "train.threads",
  "train.device",
  "train.logEvery",
  "train.checkpointEvery",
  "train.tensorboard",
  "sample.film",
  "evaluate.also",
];

/**
 * The keys that the schema knows at a path of the experiment file.
 *
 * @param path such as `["arms", 2]` or `["train"]`; numbers stand for any element of a list.
 * @returns the keys there, or an empty list where the path is no section.
 */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let node: unknown = experimentSchema;
  for (const key of path) {
    node = unwrap(node);
    if (node instanceof z.ZodArray) node = node.element;
    else if (node instanceof z.ZodObject) node = node.shape[String(key)];
    else return [];
  }
  node = unwrap(node);
  return node instanceof z.ZodObject ? Object.keys(node.shape) : [];
}

function unwrap(node: unknown): unknown {
  let inner = node;
  while (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodNullable) {
    inner = inner.unwrap();
  }
  return inner;
}
