/** @file Targets of encoders in ONNX files. Owns the target strings `onnx:FILE#OUTPUT?…`; their options: `encoder-settings.ts`. */
import { basename } from "node:path";
import { ShapeError, UnsupportedError } from "../../data/errors.js";
import type { HostTensor } from "../../src/compile/session.js";
import type { DescriptorFamily, FeatureComputer, FeatureComputerOptions, OpenedDescriptor } from "../descriptor.js";
import { pair } from "../pair.js";
import { resampleTokens } from "../resample-tokens.js";
import { resizeImages } from "../resize-images.js";
import { splitImages } from "../split-images.js";
import { gridTokens, type TokenLayout, tokenLayout } from "../token-layout.js";
import { type EncoderSettings, encoderTarget, parseEncoderTarget } from "./encoder-settings.js";
import { type ImageNetwork, openImageNetwork } from "./open-image-network.js";
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
  const { settings } = target;
  const network = await openNetwork(target);
  try {
    const { sizePx, sha256 } = network;
    const output = await outputOf(network, settings, new Float32Array(sizePx * sizePx * 3).fill(128), 1);
    return loadedEncoder(target, { layout: layoutOf(target, output), sizePx, sha256 });
  } finally {
    await network.dispose();
  }
}

/** What the file tells. */
interface EncoderFacts {
  readonly layout: TokenLayout;
  readonly sizePx: number;
  readonly sha256: string;
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
    summary: parts.join("; "),
    ...(canMix(target) && { mixClassToken: (share) => loadedEncoder({ settings, alpha: share }, facts) }),
    open: (options) => openEncoder(target, layout, options),
  };
}

async function openEncoder(
  target: EncoderTarget,
  layout: TokenLayout,
  options: FeatureComputerOptions,
): Promise<FeatureComputer> {
  const { settings, alpha } = target;
  const name = nameOf(target);
  const [side, width] = pair(options.imageSizePx);
  const grid = pair(options.grid);
  if (side !== width) throw new ShapeError(`target "${name}": wants square images, got ${side} × ${width} px`);
  const network = await openNetwork(target, options);
  const { sizePx } = network;
  const { interpolation } = settings;
  const { dim } = layout;
  const size = grid[0] * grid[1] * dim;
  const most = Math.min(network.batch, options.batch);
  const note = [
    ...(side === sizePx ? [] : [`images of ${side} px resized to ${sizePx} px (${interpolation})`]),
    ...(grid.join() === layout.grid.join()
      ? []
      : [`${layout.grid.join("×")} tokens resampled to ${grid.join("×")} (bilinear)`]),
  ].join(", ");
  return {
    ...(note === "" ? {} : { note }),
    async compute(images, count) {
      splitImages(images, count, options, name); // refuses other lengths
      const features = new Float32Array(count * size);
      for (let start = 0; start < count; start += most) {
        const rows = Math.min(most, count - start);
        const part = images.subarray(start * side * side * 3, (start + rows) * side * side * 3);
        const resized = resizeImages(part, { count: rows, sizePx: side, targetPx: sizePx, interpolation });
        const { data } = await outputOf(network, settings, resized, rows);
        const tokens = resampleTokens(gridTokens(data, rows, layout), rows, dim, layout.grid, grid);
        if (alpha !== undefined) mixClassToken(tokens, data, rows, dim, alpha);
        features.set(tokens, start * size);
      }
      return features;
    },
    dispose: () => network.dispose(),
  };
}

/** In place. The weights of the resampling sum to 1, so that it does not matter whether that comes before or after. */
function mixClassToken(tokens: Float32Array, output: HostTensor["data"], rows: number, dim: number, alpha: number) {
  const [each, eachOutput] = [tokens.length / rows, output.length / rows];
  for (let i = 0; i < tokens.length; i++) {
    const classToken = output[Math.floor(i / each) * eachOutput + (i % dim)]!;
    tokens[i] = alpha * classToken + (1 - alpha) * tokens[i]!;
  }
}

function openNetwork(
  target: EncoderTarget,
  { device = "cpu", threads = 0 }: Partial<FeatureComputerOptions> = {},
): Promise<ImageNetwork> {
  const { settings } = target;
  if (device === "tfjs-cpu" || device === "tfjs-gpu") {
    throw new UnsupportedError(`target "${nameOf(target)}": ONNX models run on cpu, webgpu or cuda, not on ${device}`);
  }
  const spec = { ...settings, outputs: [settings.output] };
  return openImageNetwork(spec, `target "onnx:${basename(settings.file)}"`, { device, threads });
}

async function outputOf(
  network: ImageNetwork,
  { output }: EncoderSettings,
  images: Float32Array,
  rows: number,
): Promise<HostTensor> {
  return (await network.run(images, rows))[output]!;
}

function layoutOf({ settings }: EncoderTarget, { shape }: HostTensor): TokenLayout {
  const { dropTokens: dropped, grid, output, file } = settings;
  const what = `target "onnx:${basename(file)}": tensor "${output}"`;
  return tokenLayout(shape.slice(1), { dropped, ...(grid === undefined ? {} : { grid }) }, what);
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
