/**
 * @file Parity of the samplers with the reference: the same parameters, start noise, labels and (for the SDE) step noise
 * through the compiled network. The layout of `sampling.safetensors` and `sampling.json` is described in golden/README.md.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { DataError, UnsupportedError } from "../../../data/errors.js";
import { readSafetensors, type SafeTensor, toFloat32 } from "../../../data/safetensors.js";
import type { HostTensor } from "../../compile/compile.js";
import { checkSitConfig, type SitConfig } from "../../models/sit-sizes.js";
import { openSitNetwork } from "../../sample/network.js";
import { type SamplerName, sampleSit } from "../../sample/sit-sampler.js";
import { type Comparison, type ParitySuite, relativeError } from "../suite.js";

/** A case of `sampling.json`, the reference's names. */
export interface SamplingCaseConfig {
  readonly depth: number;
  readonly hidden_size: number;
  readonly decoder_hidden_size?: number;
  readonly patch_size: number;
  readonly input_size: number;
  readonly in_channels: number;
  readonly num_heads: number;
  readonly num_classes: number;
  readonly qk_norm?: boolean;
  readonly num_steps: number;
  /** Interval of the guided results. */
  readonly guidance: readonly [low: number, high: number];
}

/** Of golden/README.md. */
const TOLERANCE = 1e-4;
const SAMPLER_OF: Readonly<Record<string, SamplerName>> = { ode: "euler", heun: "heun", sde: "sde" };
const RESULT = /^(ode|heun|sde)_cfg(\d+(?:\.\d+)?)$/;

/** Replay every result (`ode_cfgS`, `heun_cfgS`, `sde_cfgS`, any scales S) of every case in a folder. */
export const samplingSuite: ParitySuite = {
  name: "sampling",
  files: ["sampling.safetensors", "sampling.json"],

  /**
   * @param folder has `sampling.safetensors` and `sampling.json`.
   * @returns a comparison for each result of the reference, in the files' order.
   * @throws {DataError} a missing or damaged file, a missing tensor, or a case without results.
   * @throws {UnsupportedError} a setting that descry has not.
   */
  async run(folder: string): Promise<Comparison[]> {
    const { tensors } = await readSafetensors(path.join(folder, "sampling.safetensors"));
    const lines: Comparison[] = [];
    for (const [name, settings] of Object.entries(await readCases(path.join(folder, "sampling.json")))) {
      lines.push(...(await replaySamplingCase(name, settings, tensors)));
    }
    return lines;
  },
};

async function readCases(file: string): Promise<Record<string, SamplingCaseConfig>> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Record<string, SamplingCaseConfig>;
  } catch (cause) {
    throw new DataError(`${file}: cannot be read as JSON (${cause instanceof Error ? cause.message : cause})`, {
      cause,
    });
  }
}

/** Replay one case on the compiled CPU engine; see `samplingSuite`. */
export async function replaySamplingCase(
  name: string,
  settings: SamplingCaseConfig,
  tensors: Readonly<Record<string, SafeTensor>>,
): Promise<Comparison[]> {
  const find = (key: string): SafeTensor => {
    const tensor = tensors[`${name}/${key}`];
    if (tensor === undefined) throw new DataError(`sampling.safetensors: there is no tensor "${name}/${key}"`);
    return tensor;
  };
  const start = `${name}/`;
  const own = Object.keys(tensors).flatMap((key) => (key.startsWith(start) ? [key.slice(start.length)] : []));
  const results = own.filter((key) => RESULT.test(key));
  if (results.length === 0) {
    throw new DataError(`sampling.safetensors: the case "${name}" has no results (ode_cfgS, heun_cfgS, sde_cfgS)`);
  }
  const parameters: Record<string, HostTensor> = {};
  for (const key of own) {
    if (!key.startsWith("param/")) continue;
    const tensor = find(key);
    parameters[key.slice("param/".length)] = { data: toFloat32(tensor), shape: tensor.shape };
  }
  const noise = toFloat32(find("z"));
  const labels = Int32Array.from(find("y").data, Number);
  const network = await openSitNetwork(parameters, modelConfig(name, settings), { batch: labels.length });
  try {
    const lines: Comparison[] = [];
    for (const key of results) {
      const [, kind, scale] = RESULT.exec(key) as unknown as [string, string, string];
      const sampler = SAMPLER_OF[kind]!;
      const steps = sampler === "sde" ? toFloat32(find(`${key}_noise`)) : new Float32Array();
      const samples = await sampleSit(network.velocity, noise, labels, {
        sampler,
        steps: settings.num_steps,
        guidance: Number(scale),
        guidanceInterval: settings.guidance,
        nullLabel: settings.num_classes,
        noise: (step) => steps.subarray(step * noise.length, (step + 1) * noise.length),
      });
      lines.push({ key: start + key, error: relativeError(samples, toFloat32(find(key))), tolerance: TOLERANCE });
    }
    return lines;
  } finally {
    await network.dispose();
  }
}

/** The reference's settings as ours. */
function modelConfig(name: string, settings: SamplingCaseConfig): SitConfig {
  const { hidden_size, decoder_hidden_size = hidden_size, qk_norm = false } = settings;
  if (decoder_hidden_size !== hidden_size || qk_norm) {
    throw new UnsupportedError(`${name}: only equal widths of encoder and decoder, and no qk_norm, are built`);
  }
  return checkSitConfig({
    depth: settings.depth,
    width: hidden_size,
    heads: settings.num_heads,
    patch: settings.patch_size,
    mlpRatio: 4,
    channels: settings.in_channels,
    sizePx: settings.input_size,
    classes: settings.num_classes,
  });
}
