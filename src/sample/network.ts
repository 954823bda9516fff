/** @file A trained SiT as the velocity that the samplers call: compiled once, parameters kept in place. */
import { DataError, ShapeError } from "../../data/errors.js";
import { readSafetensors, readSafetensorsHeader, toFloat32 } from "../../data/safetensors.js";
import type { Device, HostTensor } from "../compile/compile.js";
import { compileStep } from "../compile/compile-step.js";
import { sitParameterShapes } from "../models/parameters.js";
import { sit } from "../models/sit.js";
import type { SitConfig } from "../models/sit-sizes.js";
import type { Velocity } from "./guidance.js";

/** Parameters by the reference's names; more than the model's (projectors) are ignored. */
export type SampleParameters = Readonly<Record<string, HostTensor>>;

export interface SitNetworkOptions {
  /** B: every call has as many samples. */
  readonly batch: number;
  readonly device?: Device;
  /** Threads of one operator; 0 or absent: all. */
  readonly threads?: number;
}

export interface SitNetwork {
  readonly velocity: Velocity;
  dispose(): Promise<void>;
}

/**
 * Compile a SiT for sampling. Parameters are the compiled step's state, which it returns as it came: they are copied in once
 * and cost nothing per call.
 *
 * @throws {ShapeError} a parameter that is missing or of another shape than the configuration says.
 * @throws {ModelError} a configuration that does not fit together.
 */
export async function openSitNetwork(
  parameters: SampleParameters,
  config: SitConfig,
  { batch, device, threads }: SitNetworkOptions,
): Promise<SitNetwork> {
  const shapes = sitParameterShapes(config);
  const own: Record<string, HostTensor> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const value = parameters[name];
    if (value === undefined) throw new ShapeError(`sampling: the parameter ${name} is missing`);
    if (String(value.shape) !== String(shape)) {
      throw new ShapeError(`sampling: the parameter ${name} must have the shape [${shape}], got [${value.shape}]`, {
        hint: "the checkpoint belongs to another model configuration",
      });
    }
    own[name] = value;
  }
  const { channels, sizePx } = config;
  const shape = [batch, channels, sizePx, sizePx];
  // Without an align depth: no hidden tokens are kept.
  const { encoderDepth: _, ...unaligned } = config;
  const step = await compileStep(
    (state, { x, t, y }) => ({ state, outputs: { v: sit(state, { x: x!, t: t!, y: y! }, unaligned).v } }),
    {
      state: Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { shape }])),
      inputs: { x: { shape }, t: { shape: [batch] }, y: { shape: [batch], dtype: "int32" } },
    },
    { name: "sample", ...(device === undefined ? {} : { device }), ...(threads === undefined ? {} : { threads }) },
  );
  step.setState(own);
  return {
    velocity: async (x, t, y) => {
      const { v } = await step.run({
        x: { data: x, shape },
        t: { data: new Float32Array(batch).fill(t), shape: [batch] },
        y: { data: y, shape: [batch] },
      });
      return v!.data as Float32Array;
    },
    dispose: () => step.dispose(),
  };
}

/** Which of a checkpoint's two sets of weights: their moving average, or the raw ones. */
export type WeightsName = "ema" | "model";

/**
 * The weights of one kind from a checkpoint (`ema/NAME` or `model/NAME`), the rest of the file untouched.
 *
 * @returns parameters by NAME, and the checkpoint's metadata.
 * @throws {DataError} missing or damaged file, or one without these weights.
 */
export async function readCheckpointWeights(
  path: string,
  weights: WeightsName,
): Promise<{ parameters: SampleParameters; metadata: Record<string, string> }> {
  const prefix = `${weights}/`;
  const { tensors: entries } = await readSafetensorsHeader(path);
  const keys = Object.keys(entries).filter((key) => key.startsWith(prefix) && !key.startsWith(`${prefix}projectors.`));
  if (keys.length === 0) {
    throw new DataError(`${path}: holds no ${weights} weights`, { hint: `keys must start with "${prefix}"` });
  }
  const { tensors, metadata } = await readSafetensors(path, keys);
  const parameters = Object.fromEntries(
    Object.entries(tensors).map(([key, tensor]) => [
      key.slice(prefix.length),
      { data: toFloat32(tensor), shape: [...tensor.shape] },
    ]),
  );
  return { parameters, metadata };
}
