/**
 * @file Parity of SiT's training with the reference: forward pass, first gradient, losses and gradient norm of every step, and
 * the parameters and their moving average at the end, from the same parameters, batch, noise and times. The layout of
 * `sit.safetensors` and `sit.json` is described in golden/README.md.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileError } from "../../../data/atomic.js";
import { DataError, UnsupportedError } from "../../../data/errors.js";
import { readSafetensors, type SafeTensor, toFloat32 } from "../../../data/safetensors.js";
import {
  compileFunction,
  type HostTensor,
  type HostTensors,
  type TensorSpec,
  type Tensors as TfTensors,
} from "../../compile/compile.js";
import { compileStep } from "../../compile/compile-step.js";
import { PROJECTOR_TYPES, type ProjectorConfig, project } from "../../models/projector.js";
import { sit } from "../../models/sit.js";
import { checkSitConfig } from "../../models/sit-sizes.js";
import { biasCorrections } from "../../train/adamw.js";
import { PATHS, type PathName } from "../../train/interpolant.js";
import { lossGradients } from "../../train/loss-gradients.js";
import type { TrainStepConfig } from "../../train/options.js";
import { mapTimes, type TimeName } from "../../train/times.js";
import { parameterShapes, stateFromParameters } from "../../train/train-state.js";
import { targetInput, trainStep } from "../../train/train-step.js";
import { type Comparison, type ParitySuite, relativeError } from "../suite.js";

/** A case of `sit.json`, the reference's names. */
export interface SitCaseConfig {
  readonly depth: number;
  readonly hidden_size: number;
  readonly decoder_hidden_size?: number;
  readonly patch_size: number;
  readonly input_size: number;
  readonly in_channels: number;
  readonly num_heads: number;
  readonly num_classes: number;
  readonly encoder_depth: number;
  /** @default 4 */
  readonly mlp_ratio?: number;
  readonly z_dims: readonly number[];
  readonly projector_dim: number;
  readonly projection_layer_type: string;
  readonly proj_kwargs_kernel_size: number;
  readonly qk_norm?: boolean;
  readonly path_type: string;
  readonly weighting: string;
  readonly proj_coeff: string | number;
  readonly lr: number;
  readonly ema_decay: number;
  readonly max_grad_norm: number;
}

type Tensors = Readonly<Record<string, SafeTensor>>;
type FloatTensor = HostTensor & { readonly data: Float32Array };

/** Of golden/README.md. */
const TOLERANCE = { forward: 1e-5, gradient: 1e-4, loss: 1e-4, final: 1e-3 } as const;

/** Keys of the tensors that are results of the reference, and so have to be compared. */
const IS_RESULT = /^[^/]+\/(grad0\/|final\/|ema\/|fwd\/(v|zs)$|train\/(loss|denoising_loss|proj_loss|grad_norm)$)/;

/**
 * Replays every case in a folder: each tensor that the reference computed, case by case. What cannot be compared is a line of
 * its own and never passes: a case with a setting that descry has not (`notBuilt`) or with missing tensors, and results of
 * cases that `sit.json` does not describe.
 */
export const sitSuite: ParitySuite = {
  name: "sit",
  files: ["sit.safetensors", "sit.json"],
  async run(folder) {
    const { tensors } = await readSafetensors(path.join(folder, "sit.safetensors"));
    const lines: Comparison[] = [];
    for (const [name, settings] of Object.entries(await readCases(path.join(folder, "sit.json")))) {
      try {
        lines.push(...(await replaySitCase(name, settings, tensors)));
      } catch (error) {
        // One case that cannot be replayed leaves the others be; what is not a user error is a bug and stops all.
        if (!(error instanceof Error && "tag" in error)) throw error;
        lines.push({ ...uncompared(`${name}/(all)`, error.message), notBuilt: error instanceof UnsupportedError });
      }
    }
    const done = new Set(lines.map(({ key }) => key));
    const left = Object.keys(tensors).filter(
      (key) => IS_RESULT.test(key) && !done.has(key) && !done.has(`${key.split("/")[0]}/(all)`),
    );
    return [...lines, ...left.map((key) => uncompared(key, "sit.json has no such case, or the model no such tensor"))];
  },
};

const uncompared = (key: string, detail: string): Comparison => ({
  key,
  error: Number.NaN,
  tolerance: Number.NaN,
  detail,
});

async function readCases(file: string): Promise<Record<string, SitCaseConfig>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw fileError(error, "cannot read", file);
  }
  try {
    return JSON.parse(text) as Record<string, SitCaseConfig>;
  } catch (error) {
    throw new DataError(`${file}: not JSON`, { cause: error });
  }
}

/** A case's tensors by their names within it. */
class CaseTensors {
  constructor(
    readonly name: string,
    private readonly tensors: Tensors,
  ) {}

  get(key: string): FloatTensor {
    const tensor = this.find(key);
    return { data: toFloat32(tensor), shape: tensor.shape };
  }

  labels(key: string): HostTensor {
    const tensor = this.find(key);
    return { data: Int32Array.from(tensor.data, Number), shape: tensor.shape };
  }

  /** Slice `index` of the first axis. */
  row(key: string, index: number): FloatTensor {
    const { data, shape } = this.get(key);
    const size = data.length / shape[0]!;
    return { data: data.slice(index * size, (index + 1) * size), shape: shape.slice(1) };
  }

  /** `PREFIX/NAME` by NAME. */
  group(prefix: string): Record<string, FloatTensor> {
    const start = `${this.name}/${prefix}/`;
    const keys = Object.keys(this.tensors).filter((key) => key.startsWith(start));
    return Object.fromEntries(keys.map((key) => [key.slice(start.length), this.get(key.slice(this.name.length + 1))]));
  }

  /** Largest difference over the largest magnitude of the reference; see `relativeError`. */
  compare(key: string, got: ArrayLike<number>, tolerance: number): Comparison {
    return { key: `${this.name}/${key}`, error: relativeError(got, this.get(key).data), tolerance };
  }

  private find(key: string): SafeTensor {
    const tensor = this.tensors[`${this.name}/${key}`];
    if (tensor === undefined) throw new DataError(`sit.safetensors: there is no tensor "${this.name}/${key}"`);
    return tensor;
  }
}

/** What a case's replays share. */
interface Replay {
  readonly given: CaseTensors;
  readonly config: TrainStepConfig;
  readonly time: TimeName;
  readonly learningRate: number;
  readonly parameters: Record<string, FloatTensor>;
}

/**
 * Replays one case on the compiled CPU engine.
 *
 * @param tensors  of `sit.safetensors`, all cases.
 * @returns a comparison for each result of the reference.
 * @throws {DataError} a missing tensor, or parameters that do not fit the settings.
 * @throws {UnsupportedError} a setting that descry has not.
 */
export async function replaySitCase(name: string, settings: SitCaseConfig, tensors: Tensors): Promise<Comparison[]> {
  const given = new CaseTensors(name, tensors);
  const config = stepConfig(name, settings, given.get("train/x").shape[0]!);
  const parameters = given.group("param");
  for (const [key, shape] of Object.entries(parameterShapes(config))) {
    const found = parameters[key]?.shape;
    if (found?.join() !== shape.join()) {
      const got = found === undefined ? "missing" : `[${found}]`;
      throw new DataError(`sit.safetensors: "${name}/param/${key}" is ${got}, want [${shape}]`);
    }
  }
  const time = oneOf(`${name}: weighting`, settings.weighting, ["uniform", "lognormal"] as const);
  const replay = { given, config, time, learningRate: settings.lr, parameters };
  return [...(await replayForward(replay)), ...(await replayGradients(replay)), ...(await replayTraining(replay))];
}

async function replayForward({ given, config, parameters }: Replay): Promise<Comparison[]> {
  const { model, targets } = config;
  const alignDepth = config.alignDepth!;
  const inputs = { x: given.get("fwd/x"), t: given.get("fwd/t"), y: given.labels("fwd/y") };
  const results = await runOnce(
    `${given.name}: forward pass`,
    ({ x, t, y, ...params }) => {
      const { v, hidden } = sit(params, { x: x!, t: t!, y: y! }, model, { alignDepth });
      return { v, zs: project(params, hidden!, targets[0]!.projector) };
    },
    { ...parameters, ...inputs },
  );
  return Object.entries(results).map(([key, { data }]) => given.compare(`fwd/${key}`, data, TOLERANCE.forward));
}

async function replayGradients({ given, config, time, parameters }: Replay): Promise<Comparison[]> {
  const results = await runOnce(
    `${given.name}: gradients`,
    ({ x, y, noise, t, [targetInput(0)]: z, ...params }) =>
      lossGradients(params, { x: x!, y: y!, noise: noise!, t: t!, targets: [z!] }, config).gradients,
    { ...parameters, ...batchInputs(given, config, time, 0) },
  );
  return Object.entries(results).map(([key, { data }]) => given.compare(`grad0/${key}`, data, TOLERANCE.gradient));
}

async function replayTraining({ given, config, time, learningRate, parameters }: Replay): Promise<Comparison[]> {
  const { signature, step } = trainStep(config);
  const compiled = await compileStep(step, signature, { name: `${given.name}: training step` });
  const traces = { loss: [], denoising_loss: [], proj_loss: [], grad_norm: [] } as Record<string, number[]>;
  try {
    compiled.setState(stateFromParameters(parameters));
    const steps = given.get("train/noise").shape[0]!;
    for (let i = 0; i < steps; i++) {
      const [biasCorrection1, biasCorrection2] = biasCorrections(config.betas, i + 1);
      const outputs = await compiled.run({
        ...batchInputs(given, config, time, i),
        learningRate: scalar(learningRate),
        biasCorrection1: scalar(biasCorrection1),
        biasCorrection2: scalar(biasCorrection2),
      });
      const value = (key: string): number => outputs[key]!.data[0]!;
      for (const key of ["loss", "denoising_loss", "grad_norm"]) traces[key]!.push(value(key));
      traces["proj_loss"]!.push(value("alignment_loss") * config.coefficient);
    }
    const state = await compiled.readState();
    return [
      ...Object.entries(traces).map(([key, values]) => given.compare(`train/${key}`, values, TOLERANCE.loss)),
      ...Object.keys(parameters).flatMap((key) => [
        given.compare(`final/${key}`, state[`model/${key}`]!.data, TOLERANCE.final),
        given.compare(`ema/${key}`, state[`ema/${key}`]!.data, TOLERANCE.final),
      ]),
    ];
  } finally {
    await compiled.dispose();
  }
}

const scalar = (value: number): HostTensor => ({ data: Float32Array.of(value), shape: [] });

/** The fixed batch, with noise and times of step `index` (0-based). */
function batchInputs(given: CaseTensors, { path }: TrainStepConfig, time: TimeName, index: number): HostTensors {
  const draws = given.row("train/time_draw", index);
  return {
    x: given.get("train/x"),
    y: given.labels("train/y"),
    noise: given.row("train/noise", index),
    t: { data: mapTimes(draws.data, { path, time }), shape: draws.shape },
    [targetInput(0)]: given.get("train/z"),
  };
}

/** Compiles a function for just these inputs, runs it, and lets it go. */
async function runOnce(name: string, fn: (inputs: TfTensors) => TfTensors, inputs: HostTensors): Promise<HostTensors> {
  const signature = Object.fromEntries(
    Object.entries(inputs).map(([key, { data, shape }]): [string, TensorSpec] => [
      key,
      { shape, dtype: data instanceof Int32Array ? "int32" : "float32" },
    ]),
  );
  const compiled = await compileFunction(fn, signature, { name });
  try {
    return await compiled.run(inputs);
  } finally {
    await compiled.dispose();
  }
}

/** The reference's settings as ours. */
function stepConfig(name: string, settings: SitCaseConfig, batch: number): TrainStepConfig {
  const { hidden_size, decoder_hidden_size = hidden_size, z_dims, qk_norm = false } = settings;
  if (decoder_hidden_size !== hidden_size || z_dims.length !== 1 || qk_norm) {
    throw new UnsupportedError(
      `${name}: only one target, equal widths of encoder and decoder, and no qk_norm are built`,
    );
  }
  const model = checkSitConfig({
    depth: settings.depth,
    width: hidden_size,
    heads: settings.num_heads,
    patch: settings.patch_size,
    mlpRatio: settings.mlp_ratio ?? 4,
    channels: settings.in_channels,
    sizePx: settings.input_size,
    classes: settings.num_classes,
  });
  const projector: ProjectorConfig = {
    type: oneOf(`${name}: projection_layer_type`, settings.projection_layer_type, PROJECTOR_TYPES),
    kernel: settings.proj_kwargs_kernel_size,
    width: settings.projector_dim,
  };
  return {
    model,
    batch,
    alignDepth: settings.encoder_depth,
    targets: [{ dim: z_dims[0]!, projector }],
    coefficient: Number(settings.proj_coeff),
    path: oneOf(`${name}: path_type`, settings.path_type, Object.keys(PATHS) as PathName[]),
    betas: [0.9, 0.999],
    weightDecay: 0,
    clip: settings.max_grad_norm,
    emaDecay: settings.ema_decay,
  };
}

function oneOf<Name extends string>(what: string, name: string, known: readonly Name[]): Name {
  const found = known.find((candidate) => candidate === name);
  if (found === undefined) throw new UnsupportedError(`${what}: want one of ${known.join(", ")}, got ${name}`);
  return found;
}
