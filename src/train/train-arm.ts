/**
 * @file The training loop of one arm of an experiment: draws, steps, log, checkpoints, resume. What a step computes is in
 * `train-step.ts`, what it is fed in `batch-reader.ts`.
 */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, NumericError, UsageError } from "../../data/errors.js";
import { newRowData } from "../../data/row-shard.js";
import type { RowStore } from "../../data/row-store.js";
import type { LatentScaling } from "../../features/autoencoder/latent-scaling.js";
import type { Device, HostTensors } from "../compile/compile.js";
import { type CompiledStep, compileStep, type PendingOutputs } from "../compile/compile-step.js";
import type { ProjectorConfig } from "../models/projector.js";
import type { SitConfig } from "../models/sit-sizes.js";
import { type BatchSource, checkBatchSource, readBatch } from "./batch-reader.js";
import { checkpointPath, listCheckpoints, readNewestCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { openEventLog } from "./event-log.js";
import { type MetricsLog, openMetricsLog, type StepMetrics } from "./metrics-log.js";
import { findNonFinite, type NonFinite } from "./non-finite.js";
import type { TrainOptions, TrainStepConfig } from "./options.js";
import { initialParts } from "./train-state.js";
import { trainStep } from "./train-step.js";

/** What an arm is aligned to. */
export interface ArmTarget {
  /** Column `features` [T,D]; rows as those of the images. */
  readonly store: RowStore;
  /** D */
  readonly dim: number;
  /** Alpha of the spatial normalization; absent: none. */
  readonly spatialNorm?: number;
  /** Weight of the alignment loss. */
  readonly coefficient: number;
}

export interface TrainArmOptions {
  /** The arm's own folder; made when it is not there. */
  readonly folder: string;
  readonly model: SitConfig;
  /** Wanted with a target. */
  readonly projector?: ProjectorConfig;
  /** 1-based block whose output is aligned; wanted with a target. */
  readonly alignDepth?: number;
  /** Absent: a control. */
  readonly target?: ArmTarget;
  /** Columns `label` and `image`, or in latent space `latent`: see {@link BatchSource}. */
  readonly images: RowStore;
  /** From cached latents to what the model sees; absent in pixel space. */
  readonly latents?: LatentScaling;
  readonly sourceLength: number;
  /** K: variants of each image (mirrored, other crops), one of which is drawn each time. */
  readonly variants: number;
  readonly options: TrainOptions;
  /** Of weights, order, mirroring, noise, times and label dropout: arms with one seed share them. */
  readonly seed: number;
  /** @default "cpu" */
  readonly device?: Device;
  /** 0: all cores. Results are repeatable to the bit on the same number. @default 0 */
  readonly threads?: number;
  /** Go on from the newest checkpoint, or start where there is none. Without it an existing run is refused. */
  readonly resume: boolean;
  /** Of everything that changes results; a run is only resumed under the hash it was started with. */
  readonly configHash: string;
  /** After every step; for several steps at once where the device works on its own, see `train.logEvery`. */
  onStep?(metrics: StepMetrics): void;
  /** After a checkpoint and the log before it are safe on disk; the training waits for it. */
  onCheckpoint?(path: string, step: number): void | Promise<void>;
  /** Stop after the step under way, with a checkpoint. */
  readonly signal?: AbortSignal;
}

export interface TrainArmResult {
  /** Steps done. */
  readonly step: number;
  /** False when stopped by the signal. */
  readonly finished: boolean;
  /** The newest checkpoint, of `step`. */
  readonly checkpoint: string;
  /** Steps that a checkpoint had saved before; 0: started anew. */
  readonly resumedFrom: number;
}

/** The log in an arm's folder. */
export const METRICS_FILE = "metrics.jsonl";

/**
 * Trains one arm and leaves `metrics.jsonl` and `checkpoint-*.safetensors` (the newest two) in its folder. Killed at any moment
 * and resumed, it ends with the same bytes as an uninterrupted run (apart from `seconds` in the log).
 *
 * The stores stay the caller's. The next batch is read while a step runs.
 *
 * @throws {UsageError} the folder holds a run and `resume` is not set, or one with another `configHash`.
 * @throws {ShapeError} stores, target, projector and model that do not fit each other; before anything is written.
 * @throws {NumericError} a loss or gradient that is not finite: names the step and the first tensor; files are left as they are.
 * @throws {DataError} a damaged newest checkpoint, or a file that cannot be read or written.
 */
export async function trainArm(o: TrainArmOptions): Promise<TrainArmResult> {
  const config = stepConfig(o);
  const source = batchSource(o);
  checkOptions(o.options);
  checkBatchSource(source);
  const { signature, step: stepFunction } = trainStep(config);

  const metricsPath = join(o.folder, METRICS_FILE);
  if (!o.resume && ((await listCheckpoints(o.folder)).length > 0 || (await exists(metricsPath)))) {
    throw new UsageError(`${o.folder}: there is a training run in this folder already`, {
      hint: "resume it, or choose or empty a folder for a new run",
    });
  }
  const { configHash } = o;
  const saved = await readNewestCheckpoint(o.folder, { configHash, signature: signature.state });
  const start = saved?.step ?? 0;
  const { steps } = o.options;
  if (saved !== undefined && start >= steps) {
    const checkpoint = checkpointPath(o.folder, start);
    return { step: start, finished: true, checkpoint, resumedFrom: start };
  }

  const compiled = await compileStep(stepFunction, signature, {
    name: "training step",
    device: o.device ?? "cpu",
    threads: o.threads ?? 0,
    products: config.precision === "mixed" ? "float16" : "float32",
  });
  try {
    for (const part of saved === undefined ? initialParts(config, o.seed) : [saved.state]) compiled.setState(part);
    await mkdir(o.folder, { recursive: true });
    const log = await openLog(o, start);
    try {
      const step = await walk(o, { compiled, log, source, start, config });
      const checkpoint = checkpointPath(o.folder, step);
      return { step, finished: step === steps, checkpoint, resumedFrom: start };
    } finally {
      await log.close();
    }
  } finally {
    await compiled.dispose();
  }
}

interface Walk {
  readonly compiled: CompiledStep;
  readonly log: MetricsLog;
  readonly source: BatchSource;
  /** Steps done before. */
  readonly start: number;
  readonly config: TrainStepConfig;
}

/** `metrics.jsonl`, and TensorBoard's events beside it where they are asked for. */
async function openLog({ folder, options }: TrainArmOptions, start: number): Promise<MetricsLog> {
  const log = await openMetricsLog(join(folder, METRICS_FILE), start);
  if (options.tensorboard !== true) return log;
  try {
    const events = await openEventLog(folder, start);
    return {
      append: async (line) => {
        await log.append(line);
        await events.append(line);
      },
      sync: () => log.sync(),
      close: async () => {
        await events.close();
        await log.close();
      },
    };
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** A step on its way. */
interface StartedStep {
  readonly step: number;
  readonly outputs: PendingOutputs;
}

/** Steps that a device may be behind: each of them holds its batch in the card's memory. */
const MOST_AHEAD = 8;

/**
 * The loop. Where the device works on its own, steps are started and metrics come home every `logEvery` steps; meanwhile the
 * next batch is read, and sent behind the step under way.
 *
 * @returns the steps done, all of them saved.
 */
async function walk(o: TrainArmOptions, { compiled, log, source, start, config }: Walk): Promise<number> {
  const { steps, logEvery, checkpointEvery } = o.options;
  // A batch is read while the one before it is trained on.
  const column = source.features?.header.columns["features"];
  const targetMemory = column === undefined ? undefined : [0, 1].map(() => newRowData(column, o.options.batch));
  const prefetch = (step: number): Promise<HostTensors> => {
    const batch = readBatch(source, step, targetMemory?.[step % 2]);
    // Awaited one step later; until then a failure must not count as unhandled.
    batch.catch(() => undefined);
    return batch;
  };
  let savedStep = start;
  const settings = settingsOf(o, config);
  const save = async (step: number): Promise<void> => {
    await log.sync();
    const state = await compiled.readState();
    const found = findNonFinite(state);
    // The losses are of the step before its update: the update itself may have gone beyond all bounds.
    if (found !== undefined) throw numericError(step, "the update overflowed", found, savedStep);
    const path = await writeCheckpoint(o.folder, { step, state, config: settings, configHash: o.configHash });
    savedStep = step;
    await o.onCheckpoint?.(path, step);
  };

  let next = prefetch(start);
  let done = start;
  let pending: StartedStep[] = [];
  let before = performance.now();
  /** Wait for what was started, and tell of it. */
  const collect = async (): Promise<void> => {
    const home: { step: number; outputs: HostTensors }[] = [];
    for (const { step, outputs } of pending) home.push({ step, outputs: await outputs.read() });
    pending = [];
    const now = performance.now();
    const seconds = (now - before) / 1000 / home.length;
    before = now;
    for (const { step, outputs } of home) {
      const metrics = metricsOf(outputs, step, seconds);
      await checkFinite(metrics, { compiled, source, savedStep });
      if (step === steps || step % logEvery === 0) await log.append(metrics);
      o.onStep?.(metrics);
    }
  };
  const isTime = (step: number): boolean =>
    !compiled.isAhead || step % logEvery === 0 || step % checkpointEvery === 0 || pending.length >= MOST_AHEAD;
  try {
    while (done < steps && o.signal?.aborted !== true) {
      const inputs = await next;
      if (done + 1 < steps) next = prefetch(done + 1);
      pending.push({ step: done + 1, outputs: await compiled.start(inputs) });
      done++;
      if (done < steps && !isTime(done)) continue;
      // Waiting for the device stops everything else in this thread: first let the batch come in, while the device works.
      if (compiled.isAhead) await next.catch(() => undefined);
      await collect();
      if (done === steps || done % checkpointEvery === 0) await save(done);
    }
    if (pending.length > 0) await collect();
    // Stopped in between, or before the first step: what is done is not lost.
    if (savedStep !== done || done === 0) await save(done);
  } finally {
    // Leave no read running on stores that the caller may close now.
    await next.catch(() => undefined);
  }
  return done;
}

/** What a checkpoint says about its making: all that changes results, and nothing else. */
function settingsOf(
  { options, seed, variants, sourceLength, latents }: TrainArmOptions,
  config: TrainStepConfig,
): unknown {
  const { learningRate, time, labelDropout, steps } = options;
  return { ...config, learningRate, time, labelDropout, steps, seed, variants, sourceLength, latents };
}

function metricsOf(outputs: HostTensors, step: number, seconds: number): StepMetrics {
  const value = (name: string): number => outputs[name]!.data[0]!;
  const gradNorm = value("grad_norm");
  const isMixed = outputs["loss_scale"] !== undefined;
  return {
    step,
    loss: value("loss"),
    denoising_loss: value("denoising_loss"),
    ...(outputs["alignment_loss"] === undefined ? {} : { alignment_loss: value("alignment_loss") }),
    ...(isMixed && !Number.isFinite(gradNorm) ? {} : { grad_norm: gradNorm }),
    ...(isMixed ? { loss_scale: value("loss_scale") } : {}),
    seconds,
  };
}

interface FiniteContext {
  readonly compiled: CompiledStep;
  readonly source: BatchSource;
  readonly savedStep: number;
}

async function checkFinite(metrics: StepMetrics, { compiled, source, savedStep }: FiniteContext): Promise<void> {
  const { step, loss, grad_norm, loss_scale } = metrics;
  // A skipped update is the loss scale's business, until there is nothing left to scale down.
  const isSkipped = loss_scale !== undefined && grad_norm === undefined && loss_scale >= 1;
  if (Number.isFinite(loss) && (isSkipped || Number.isFinite(grad_norm))) return;
  const norm = grad_norm ?? `beyond float16, though the loss is scaled by ${loss_scale}`;
  const what = Number.isFinite(loss) ? `the gradient norm is ${norm}` : `the loss is ${loss}`;
  const input = findNonFinite(await readBatch(source, step - 1));
  if (input !== undefined) {
    throw numericError(step, what, { ...input, tensor: `input ${input.tensor}` }, savedStep, "mend the data");
  }
  const cure = loss_scale === undefined ? undefined : "set train.precision: float32 or lower the learning rate";
  throw numericError(step, what, findNonFinite(await compiled.readState()), savedStep, cure);
}

function numericError(
  step: number,
  what: string,
  found: NonFinite | undefined,
  savedStep: number,
  cure = "lower the learning rate",
): NumericError {
  const place =
    found === undefined
      ? "all tensors are finite (an overflow in between)"
      : `the first tensor that is not finite is ${found.tensor} (${found.value} at ${found.index})`;
  const saved = savedStep === 0 ? "" : `; the checkpoint of step ${savedStep} is as it was`;
  return new NumericError(`step ${step}: ${what}; ${place}`, { hint: `${cure} and train anew${saved}` });
}

function stepConfig({ model, projector, alignDepth, target, options }: TrainArmOptions): TrainStepConfig {
  const { path, betas, weightDecay, clip, emaDecay, batch, precision } = options;
  const objective = { path, betas, weightDecay, clip, emaDecay, ...(precision === "mixed" ? { precision } : {}) };
  const shared = { model, batch, ...objective };
  if (target === undefined) return { ...shared, targets: [], coefficient: 0 };
  if (projector === undefined || alignDepth === undefined) {
    throw new ConfigError("training: a target wants a projector and an align depth", {
      hint: "give both, or neither of the three for a control",
    });
  }
  const { dim, spatialNorm, coefficient } = target;
  const one = { dim, projector, ...(spatialNorm === undefined ? {} : { spatialNorm }) };
  return { ...shared, alignDepth, targets: [one], coefficient };
}

function batchSource(o: TrainArmOptions): BatchSource {
  const { images, latents, sourceLength, variants, seed, model, options, target } = o;
  const pixels = { images, sourceLength, variants, seed, model, options };
  const shared = latents === undefined ? pixels : { ...pixels, latents };
  return target === undefined ? shared : { ...shared, features: target.store, dim: target.dim };
}

/** What would otherwise end in NaN, in an endless loop, or in nothing done. */
function checkOptions(options: TrainOptions): void {
  const want = (name: keyof TrainOptions, isGood: boolean, wanted: string): void => {
    if (!isGood) throw new ConfigError(`train.${name}: want ${wanted}, got ${String(options[name])}`);
  };
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
  for (const name of ["steps", "batch", "logEvery", "checkpointEvery"] as const) {
    want(name, isCount(options[name]), "a whole number of at least 1");
  }
  want(
    "betas",
    options.betas.every((beta) => beta >= 0 && beta < 1),
    "two numbers of at least 0 and below 1",
  );
  for (const name of ["learningRate", "clip"] as const) {
    want(name, options[name] > 0 && Number.isFinite(options[name]), "a positive number");
  }
  want("weightDecay", options.weightDecay >= 0 && Number.isFinite(options.weightDecay), "a number of at least 0");
  for (const name of ["emaDecay", "labelDropout"] as const) {
    want(name, options[name] >= 0 && options[name] <= 1, "a number from 0 to 1");
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
