/**
 * @file What the schema of one key cannot see: published sizes looked up, the shared alignment merged into the arms, and the
 * checks that need two keys at once.
 */
import { DescryError } from "../../data/errors.js";
import { parseAutoencoder } from "../../features/autoencoder/parse-autoencoder.js";
import { parseTarget } from "../../features/targets.js";
import { networkSlug } from "../evaluate/network-name.js";
import { SIT_SIZES, type SitSize } from "../models/sit-sizes.js";
import { type ConfigOrigin, configError } from "./config-problem.js";
import type { AlignConfig, ArmConfig, Experiment, ExperimentFile, LatentsConfig, ModelConfig } from "./schema.js";
import { gridOf, type SpaceKeys } from "./space.js";

/** Crops of `photos` when the file does not say how many. */
const DEFAULT_PHOTO_CROPS = 900;
const DEFAULT_COEFFICIENT = 0.5;
const DEFAULT_KERNEL = 3;

/**
 * Fill in what depends on several keys, and check it.
 *
 * @throws {ConfigError} one line with the path, what was wanted and what was found.
 */
export function completeExperiment(file: ExperimentFile, origin: ConfigOrigin): Experiment {
  const model = completeModel(file, origin);
  const latents = completeLatents(file, origin);
  const data = { ...file.data, count: file.data.count ?? (file.data.source === "photos" ? DEFAULT_PHOTO_CROPS : null) };
  checkData({ model, data, latents }, origin);
  const seen = new Map<string, string>();
  const arms = file.arms.map((arm, i) => {
    const twin = seen.get(arm.name.toLowerCase());
    if (twin !== undefined) {
      throw configError(
        origin,
        ["arms", i, "name"],
        `"${arm.name}" is taken by the arm "${twin}": names must differ, also in lower case`,
      );
    }
    seen.set(arm.name.toLowerCase(), arm.name);
    return completeArm(file, i, model, origin);
  });
  checkSampling(file, origin);
  checkPrecision(file, origin);
  checkAlongTraining(file, origin);
  if (data.count !== null) checkCounts(file, { count: data.count, said: `data.count = ${data.count} images` }, origin);
  return {
    name: file.name,
    seed: file.seed,
    data,
    model,
    latents,
    align: file.align,
    train: file.train,
    sample: file.sample,
    evaluate: file.evaluate,
    arms,
  };
}

function completeModel({ model }: ExperimentFile, origin: ConfigOrigin): ModelConfig {
  const { type, size, mlpRatio } = model;
  const shape = size === "custom" ? customShape(model, origin) : publishedShape(model, origin);
  if (shape.width % shape.heads !== 0) {
    throw configError(origin, ["model", "heads"], `wanted a divisor of the width ${shape.width}, got ${shape.heads}`);
  }
  if (shape.width % 4 !== 0) {
    throw configError(origin, ["model", "width"], `wanted a multiple of 4 (sine-cosine positions), got ${shape.width}`);
  }
  if (!Number.isInteger(shape.width * mlpRatio)) {
    throw configError(origin, ["model", "mlpRatio"], `times the width ${shape.width} must be whole, got ${mlpRatio}`);
  }
  return { type, size, ...shape, mlpRatio, space: model.space };
}

function completeLatents({ model, latents, train }: ExperimentFile, origin: ConfigOrigin): LatentsConfig | null {
  const fail = (key: string, message: string, hint?: string) => configError(origin, ["latents", key], message, hint);
  if (model.space === "pixel") {
    if (latents === null) return null;
    throw configError(
      origin,
      ["latents"],
      "is for model.space latent, got pixel",
      "add space: latent, or leave it out",
    );
  }
  if (latents === null) {
    throw configError(
      origin,
      ["latents"],
      "is missing: model.space latent needs an autoencoder",
      "see experiments/photos-latent.yaml",
    );
  }
  if (train.device === "tfjs-cpu" || train.device === "tfjs-gpu") {
    throw configError(origin, ["train", "device"], `autoencoders run on cpu, webgpu or cuda, got ${train.device}`);
  }
  const { name, channels, ...own } = parsed(
    () => parseAutoencoder(latents.autoencoder),
    (message) => fail("autoencoder", message),
  );
  if (latents.scale === "data" && latents.bias !== null) {
    throw fail("bias", "is measured together with the scale, which is data", "leave it out, or give both in numbers");
  }
  const given = (values: readonly number[]) => (values.length === 1 ? values[0]! : values);
  const scale = latents.scale ?? (own.scale === undefined ? null : given(own.scale));
  if (scale === null) {
    throw fail(
      "scale",
      "is missing: the autoencoder does not say what its latents are scaled by",
      "scale: data measures it",
    );
  }
  const bias = scale === "data" ? null : (latents.bias ?? given(own.bias ?? [0]));
  for (const [key, value] of Object.entries({ scale, bias })) {
    if (Array.isArray(value) && value.length !== channels && value.length !== 1) {
      throw fail(key, `wanted one number or ${channels}, one a channel, got ${value.length}`);
    }
  }
  return { autoencoder: name, scale, bias, cacheDtype: latents.cacheDtype };
}

/** What a parser says is wrong becomes a problem of the key that it was in. */
function parsed<T>(parse: () => T, fail: (message: string) => Error): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof DescryError) throw fail(error.message);
    throw error;
  }
}

const SHAPE_KEYS = ["width", "depth", "heads", "patch"] as const;

function customShape(model: ExperimentFile["model"], origin: ConfigOrigin): SitSize {
  const missing = SHAPE_KEYS.find((key) => model[key] === null);
  if (missing !== undefined) {
    const hint = "or name a published size, for example size: S/4";
    throw configError(origin, ["model", missing], `is missing: size custom needs ${SHAPE_KEYS.join(", ")}`, hint);
  }
  return { width: model.width!, depth: model.depth!, heads: model.heads!, patch: model.patch! };
}

function publishedShape(model: ExperimentFile["model"], origin: ConfigOrigin): SitSize {
  const extra = SHAPE_KEYS.find((key) => model[key] !== null);
  if (extra !== undefined) {
    throw configError(origin, ["model", extra], `is set by the size ${model.size}`, "use size: custom to choose it");
  }
  const shape = (SIT_SIZES as Readonly<Record<string, SitSize>>)[model.size];
  if (shape === undefined) {
    throw configError(
      origin,
      ["model", "size"],
      `unknown size ${model.size}`,
      `known: ${Object.keys(SIT_SIZES).join(", ")}, custom`,
    );
  }
  return shape;
}

function checkData(space: SpaceKeys, origin: ConfigOrigin): void {
  const { data, model, latents } = space;
  if (data.flips && data.variants === 1) {
    const hint = "or flips: false for the centre crop alone";
    throw configError(origin, ["data", "variants"], "wanted at least 2 with data.flips, got 1", hint);
  }
  const pixels = latents === null ? 1 : parseAutoencoder(latents.autoencoder).downsampling;
  if (data.sizePx % pixels !== 0) {
    const message = `wanted a multiple of the autoencoder's downsampling (${pixels} pixels), got ${data.sizePx}`;
    throw configError(origin, ["data", "sizePx"], message);
  }
  const step = model.patch * pixels;
  const unit = latents === null ? "pixels" : "latents";
  if (data.sizePx % step !== 0) {
    const of = latents === null ? "" : ` of ${pixels} pixels each`;
    const message = `wanted a multiple of the patch (${model.patch} ${unit}${of}), got ${data.sizePx}`;
    const hint = `the grid has sizePx / ${latents === null ? "patch" : step} tokens a side`;
    throw configError(origin, ["data", "sizePx"], message, hint);
  }
  if (gridOf(space) < 2) {
    throw configError(
      origin,
      ["model", "patch"],
      `leaves a grid of one token: wanted at most ${data.sizePx / pixels / 2} ${unit}, got ${model.patch}`,
    );
  }
}

function completeArm(file: ExperimentFile, i: number, model: ModelConfig, origin: ConfigOrigin): ArmConfig {
  const arm = file.arms[i]!;
  const fail = (key: string, message: string, hint?: string) => configError(origin, ["arms", i, key], message, hint);
  if (arm.target === null) {
    for (const key of ["projector", "kernel", "spatialNorm", "coefficient", "depth", "projectorWidth"] as const) {
      if (arm[key] !== null) throw fail(key, "needs a target: an arm without one is a control", "add target: sift");
    }
    return { name: arm.name, align: null };
  }
  const { name: target } = parsed(
    () => parseTarget(arm.target!),
    (message) => fail("target", message),
  );
  const projector = arm.projector ?? "mlp";
  if (projector !== "conv" && arm.kernel !== null) {
    throw fail("kernel", `only the conv projector has a kernel, got projector ${projector}`, "use projector: conv");
  }
  if (projector !== "mlp" && arm.projectorWidth !== null) {
    throw fail("projectorWidth", `only the mlp projector has a hidden width, got projector ${projector}`);
  }
  const kernel = projector === "conv" ? (arm.kernel ?? DEFAULT_KERNEL) : null;
  if (kernel !== null && kernel % 2 === 0) throw fail("kernel", `wanted an odd number, got ${kernel}`);
  const depth = arm.depth ?? file.align.depth;
  if (depth > model.depth) {
    const path = arm.depth === null ? ["align", "depth"] : ["arms", i, "depth"];
    throw configError(origin, path, `wanted a block of 1…${model.depth} (the model's depth), got ${depth}`);
  }
  const align: AlignConfig = {
    target,
    projector,
    kernel,
    spatialNorm: arm.spatialNorm,
    coefficient: arm.coefficient ?? DEFAULT_COEFFICIENT,
    depth,
    projectorWidth: arm.projectorWidth ?? file.align.projectorWidth,
  };
  return { name: arm.name, align };
}

function checkPrecision({ train }: ExperimentFile, origin: ConfigOrigin): void {
  if (train.precision === "mixed" && (train.device === "tfjs-cpu" || train.device === "tfjs-gpu")) {
    const message = `mixed needs a compiled device, got device ${train.device}`;
    throw configError(origin, ["train", "precision"], message, "use device webgpu or cuda, or precision: float32");
  }
}

function checkAlongTraining({ train, evaluate }: ExperimentFile, origin: ConfigOrigin): void {
  const { every, everyCount } = evaluate;
  if (every === null) {
    if (everyCount === null) return;
    throw configError(
      origin,
      ["evaluate", "everyCount"],
      "is for evaluations along training: wanted evaluate.every too",
    );
  }
  if (every >= train.steps) {
    const message = `wanted fewer than the ${train.steps} steps of the training, got ${every}`;
    throw configError(origin, ["evaluate", "every"], message, "null: no evaluation before the last step");
  }
  if (every % train.checkpointEvery !== 0) {
    const message = `wanted a multiple of train.checkpointEvery (${train.checkpointEvery}), got ${every}`;
    throw configError(origin, ["evaluate", "every"], message, `or set train.checkpointEvery: ${every}`);
  }
}

function checkSampling({ sample, evaluate }: ExperimentFile, origin: ConfigOrigin): void {
  const [low, high] = sample.guidanceInterval;
  if (low > high) {
    throw configError(
      origin,
      ["sample", "guidanceInterval"],
      `wanted [low, high] with low ≤ high, got [${low}, ${high}]`,
    );
  }
  checkNetworks(evaluate, origin);
  if (evaluate.reference !== null && evaluate.referenceCount !== null) {
    const message = `counts images of the data set, got ${evaluate.referenceCount} with a reference file`;
    throw configError(origin, ["evaluate", "referenceCount"], message, "leave it out: the file is taken whole");
  }
}

function checkNetworks({ network, also }: ExperimentFile["evaluate"], origin: ConfigOrigin): void {
  const check = (name: string, path: readonly (string | number)[]) =>
    parsed(
      () => networkSlug(name),
      (message) => configError(origin, path, message),
    );
  const seen = new Set([check(network, ["evaluate", "network"])]);
  for (const [i, name] of also.entries()) {
    const slug = check(name, ["evaluate", "also", i]);
    if (seen.has(slug)) throw configError(origin, ["evaluate", "also", i], `"${name}" is there twice`);
    seen.add(slug);
  }
}

/**
 * Check what depends on how many images there are: once the file says it, or else once the images are open, and not after hours
 * of training.
 *
 * @param images how many, and in words.
 * @throws {ConfigError} a batch or a reference of more images than there are; an evaluation that wants more than it gets.
 */
export function checkCounts(
  { train, sample, evaluate }: Pick<Experiment, "train" | "sample" | "evaluate">,
  images: { readonly count: number; readonly said: string },
  origin: ConfigOrigin,
): void {
  if (train.batch > images.count) {
    throw configError(origin, ["train", "batch"], `wanted at most ${images.said}, got ${train.batch}`);
  }
  if (evaluate.referenceCount !== null && evaluate.referenceCount > images.count) {
    const message = `wanted at most ${images.said}, got ${evaluate.referenceCount}`;
    throw configError(origin, ["evaluate", "referenceCount"], message, "null takes all");
  }
  // How many a reference file has is seen when it is opened.
  const real = evaluate.reference === null ? (evaluate.referenceCount ?? images.count) : sample.count;
  const fewest = Math.min(sample.count, real);
  if (evaluate.neighbours >= fewest) {
    const message = `wanted fewer than the ${fewest} images that are compared, got ${evaluate.neighbours}`;
    throw configError(origin, ["evaluate", "neighbours"], message, "draw more samples or use fewer neighbours");
  }
  if (evaluate.kidSubsetSize !== null && evaluate.kidSubsetSize > fewest) {
    const message = `wanted at most the ${fewest} images that are compared, got ${evaluate.kidSubsetSize}`;
    throw configError(origin, ["evaluate", "kidSubsetSize"], message);
  }
}
