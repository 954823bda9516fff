/**
 * @file What the report reads from a run folder, as schemas: only the fields that it needs are required, and fields that it
 * does not know are kept and shown in the configuration.
 */
import { z } from "zod";

const finite = () => z.number();
const measured = () => z.number().nullable();

/** Names of arms are names of folders. */
const folderName = z
  .string()
  .min(1)
  .refine((name) => !/[/\\\0]/.test(name) && name !== "." && name !== "..", "wanted a name without slashes");

const armSchema = z.looseObject({
  name: folderName,
  /** Null for a control. */
  align: z.looseObject({ target: z.string() }).nullable(),
});

/** `experiment.json` */
export const experimentFileSchema = z.looseObject({
  hash: z.string(),
  created: z.string(),
  versions: z.record(z.string(), z.string()),
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  experiment: z.looseObject({
    name: z.string(),
    seed: finite(),
    data: z.looseObject({ source: z.string() }),
    model: z.looseObject({}),
    train: z.looseObject({ steps: finite() }),
    sample: z.looseObject({}),
    evaluate: z.looseObject({}),
    arms: z.array(armSchema).min(1),
  }),
});
export type ExperimentRecord = z.output<typeof experimentFileSchema>["experiment"];
export type ArmSettings = z.output<typeof armSchema>;

/** One line of `metrics.jsonl`. */
export const stepMetricsSchema = z.looseObject({
  step: z.int().min(1),
  loss: finite(),
  denoising_loss: finite(),
  alignment_loss: finite().optional(),
  grad_norm: finite().optional(),
  seconds: finite(),
});
export type StepRecord = z.output<typeof stepMetricsSchema>;

const metricsSchema = z.record(z.string(), measured());

/** `evaluation.json` */
export const evaluationSchema = z.looseObject({
  arm: z.string(),
  step: z.int().min(0),
  weights: z.string(),
  samples: z.int().min(1),
  /** Null: statistics that do not say of how many images they are. */
  reference: z.int().min(1).nullable(),
  sampler: z.looseObject({ name: z.string(), steps: z.int().min(1), guidance: finite() }),
  network: z.looseObject({
    name: z.string(),
    sha256: z.string(),
    proxy: z.boolean(),
    resize: z.string(),
    dim: z.int().min(1),
    cite: z.string(),
  }),
  metrics: metricsSchema,
  /** The same metrics of other real images in the place of the samples. */
  floor: metricsSchema.nullable().default(null),
  /** The file of how far each sample moves the metrics; null: none was written, as by versions before. */
  influence: z
    .object({ file: folderName, sha256: z.string(), metrics: z.array(z.string()) })
    .nullable()
    .default(null),
  /** Why a metric is null. */
  not_measured: z.record(z.string(), z.string()).default({}),
  protocol: z.record(z.string(), z.unknown()).default({}),
  notes: z.array(z.string()).default([]),
  seconds: finite().optional(),
});
export type Evaluation = z.output<typeof evaluationSchema>;

const cachedSchema = z.looseObject({ key: z.string() });

/** `features.json`: what was cached for the run. */
export const cachesSchema = z.looseObject({
  source: z.looseObject({
    name: z.string(),
    fingerprint: z.string(),
    length: z.int().min(0),
    skipped: z.array(z.string()).default([]),
  }),
  images: cachedSchema,
  latents: cachedSchema
    .extend({ autoencoder: z.string(), encoderSha256: z.string(), decoderSha256: z.string() })
    .optional(),
  targets: z.record(z.string(), cachedSchema),
});
export type CachesRecord = z.output<typeof cachesSchema>;

/** `samples.json` */
export const samplesSchema = z.looseObject({
  /** File name beside it; null: parameters that were in no file. */
  checkpoint: folderName.nullable().optional(),
  count: z.int().min(1),
  classes: z.int().min(1).optional(),
  sampler: z.looseObject({ name: z.string(), steps: z.int().min(1) }),
});
export type SamplesFile = z.output<typeof samplesSchema>;

/** `latents/latents.json`, as {@link writeLatentPictures} writes it. */
export const latentsSchema = z.object({
  format: z.literal(1),
  /** Canonical name. */
  autoencoder: z.string(),
  encoderSha256: z.string(),
  decoderSha256: z.string(),
  /** Moments: means and standard deviations. */
  cached: z.enum(["means", "moments"]),
  /** Of the cache. */
  dtype: z.string(),
  channels: z.int().min(1),
  /** Side of a latent, and of the image that it stands for. */
  sizePx: z.int().min(1),
  imagePx: z.int().min(1),
  /** Cached of each image. */
  variants: z.int().min(1),
  /** The model sees (z − bias) · scale; one number a channel. */
  scale: z.array(finite()),
  bias: z.array(finite()),
  /** Both measured on these latents. */
  isMeasured: z.boolean(),
  /** Means over some images of their cached means decoded again. */
  reconstruction: z.object({ images: z.int().min(1), psnr: finite(), mse: finite() }),
  pictures: z.array(z.object({ index: z.int().min(0), id: z.string(), original: folderName, decoded: folderName })),
});
export type LatentsSummary = z.output<typeof latentsSchema>;

/** `imported.json`: weights of an arm that were trained elsewhere. */
export const importedSchema = z.object({
  format: z.literal("descry-import-1"),
  /** Name of the file, without its folder. */
  file: z.string(),
  sha256: z.string(),
  step: z.int().min(0),
  /** Who says that it is this step. */
  stepFrom: z.enum(["--step", "the file", "the experiment"]),
  weights: z.array(z.enum(["ema", "model"])).min(1),
  /** ISO time. */
  imported: z.string(),
});
export type ImportedRecord = z.output<typeof importedSchema>;

const pictureSchema = z.object({
  /** Place of the image in its source. */
  index: z.int().min(0),
  id: z.string(),
  /** File names beside `targets.json`. */
  pca: folderName,
  similarity: folderName,
});

const targetSchema = z.object({
  /** Canonical name of the descriptor. */
  target: z.string(),
  /** Alpha of the spatial normalization, null without. */
  spatialNorm: finite().nullable(),
  dim: z.int().min(1),
  /** What was resized or resampled for this grid; absent where nothing was. */
  note: z.string().optional(),
  /** Share of the variance that the three colours show, mean over images. */
  explained: measured(),
  metrics: z.object({ lds: measured(), cds: measured(), srss: measured(), rmsc: measured() }),
  pictures: z.array(pictureSchema),
});

/** `targets/targets.json`, as {@link writeTargetPictures} writes it. */
export const targetsSchema = z.object({
  format: z.literal(1),
  source: z.string(),
  /** Tokens a side. */
  grid: z.int().min(1),
  sizePx: z.int().min(1),
  /** Row and column of the marked token. */
  marked: z.tuple([z.int().min(0), z.int().min(0)]),
  /** Cosines at both ends of the colour scale, shared by all similarity maps. */
  similarityRange: z.tuple([finite(), finite()]),
  /** How the spatial metrics were taken. */
  protocol: z.string(),
  originals: z.array(z.object({ index: z.int().min(0), id: z.string(), picture: folderName })),
  targets: z.array(targetSchema),
});
export type TargetsRecord = z.output<typeof targetsSchema>;
export type TargetRecord = z.output<typeof targetSchema>;
