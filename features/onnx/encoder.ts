/** @file Targets of encoders in ONNX files. Owns the target strings `onnx:FILE#OUTPUT?…`; their options: `encoder-settings.ts`. */
import { basename } from "node:path";
import { UnsupportedError } from "../../data/errors.js";
import type { DescriptorFamily, FeatureComputerOptions, OpenedDescriptor } from "../descriptor.js";
import { type EncoderSettings, encoderTarget, parseEncoderTarget } from "./encoder-settings.js";
import { openEncoderThread } from "./encoder-thread.js";
import type { EncoderFacts, EncoderJob } from "./image-encoder.js";
import { openEncoder } from "./open-encoder.js";
import { showNormalization } from "./preprocessing.js";

/** Raised when preprocessing, token order or resampling change. */
const VERSION = 1;

/** What a target of an encoder says. */
interface EncoderTarget {
  readonly settings: EncoderSettings;
  /** Share of the class token in every token; undefined: it is not mixed in. */
  readonly alpha?: number;
}

/** The canonical target string. */
function nameOf({ settings, alpha }: EncoderTarget): string {
  const name = encoderTarget(settings);
  return alpha === undefined ? name : `mix(${name},alpha=${alpha})`;
}

/** The encoder as it is named: what is in its file is not known before it is loaded. */
function encoder(target: EncoderTarget): OpenedDescriptor {
  const { settings } = target;
  const load = () => loadEncoder(target);
  return {
    name: nameOf(target),
    dim: Number.NaN,
    version: VERSION,
    summary: `tensor ${settings.output} of ${basename(settings.file)}`,
    load,
    ...(canMix(target) && { mixClassToken: (share) => encoder({ settings, alpha: share }) }),
    open: async (options) => (await load()).open(options),
  };
}

const canMix = ({ settings, alpha }: EncoderTarget): boolean => settings.dropTokens > 0 && alpha === undefined;

/** Open the model once, to see what a gray image gives. */
async function loadEncoder(target: EncoderTarget): Promise<OpenedDescriptor> {
  const encoder = await openEncoderThread(jobOf(target));
  await encoder.dispose();
  return loadedEncoder(target, encoder.facts);
}

function loadedEncoder(target: EncoderTarget, facts: EncoderFacts): OpenedDescriptor {
  const { settings, alpha } = target;
  const { layout, sizePx, sha256 } = facts;
  const parts = [
    `tensor ${settings.output} of ${basename(settings.file)} (sha256 ${sha256.slice(0, 12)})`,
    `images of ${sizePx} px (${settings.interpolation}), ${showNormalization(settings)}`,
    `${layout.grid.join("×")} tokens${layout.dropped === 0 ? "" : ` after ${layout.dropped} dropped`}, bilinear on other grids`,
    ...(alpha === undefined ? [] : [`${alpha} of the class token in each`]),
  ];
  return {
    name: nameOf(target),
    dim: layout.dim,
    version: VERSION,
    fingerprint: sha256,
    hasOwnThread: true,
    summary: parts.join("; "),
    ...(canMix(target) && { mixClassToken: (share) => loadedEncoder({ settings, alpha: share }, facts) }),
    open: (options) => openEncoder(nameOf(target), jobOf(target, options), options),
  };
}

function jobOf(target: EncoderTarget, options: Partial<FeatureComputerOptions> = {}): EncoderJob {
  const { device = "cpu", threads = 0 } = options;
  if (device === "tfjs-cpu" || device === "tfjs-gpu") {
    throw new UnsupportedError(`target "${nameOf(target)}": ONNX models run on cpu, webgpu or cuda, not on ${device}`);
  }
  return { name: `onnx:${basename(target.settings.file)}`, ...target, device, threads };
}

export const encoderFamily: DescriptorFamily = {
  name: "onnx",
  targets: [
    {
      pattern: "onnx:FILE#OUTPUT?mean=M&std=S&…",
      summary:
        "tokens or a map of any image encoder in an ONNX file; also size, scale, interpolation, drop, grid; or all in FILE.yaml",
      dim: "OUTPUT's",
    },
  ],
  parse: (options) => encoder({ settings: parseEncoderTarget(`onnx:${options ?? ""}`) }),
};
