/**
 * @file How an autoencoder in two ONNX files is named: `onnx:ENCODER#OUTPUT?decoder=FILE&latents=…&pixels=…&channels=…`, or
 * `onnx:ENCODER` with the same keys in `ENCODER.yaml` beside it. Options of the name stand instead of the file's, never merged with
 * them, so that a name with options says everything: the canonical name always has some.
 *
 * - `decoder`: its file; in the YAML file, from the folder of that;
 * - `image`: the decoder's tensor with the pixels; may be left out where it has one output;
 * - `latents`: what OUTPUT is: `mean` [n,C,h,w], or the mean and then another C channels, `mean+logvar` or `mean+std` [n,2C,h,w];
 * - `pixels`: what black and white are to both networks: `-1..1` (pixel/127.5 − 1) or `0..1` (pixel/255);
 * - `channels`: C; `downsampling`: pixels along a latent's side, 8 where it is left out;
 * - `scale`, `bias`: the model sees (z − bias) · scale; a number, or one for each channel; bias 0 where it is left out;
 * - `output` (in the YAML file only): the encoder's tensor, where the name has no `#OUTPUT`.
 */
import { dirname, resolve } from "node:path";
import { UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";
import { PIXEL_RANGES, type PixelRange } from "../../data/write-pixels.js";
import { ONNX_PREFIX, parseOnnxName } from "../onnx/onnx-name.js";
import { readSettingsFile } from "../onnx/settings-file.js";

export const LATENT_KINDS = ["mean", "mean+logvar", "mean+std"] as const;
/** What an encoder gives. */
export type LatentKind = (typeof LATENT_KINDS)[number];

const REQUIRED = ["decoder", "latents", "pixels", "channels"] as const;
const KEYS = ["decoder", "image", "latents", "pixels", "channels", "downsampling", "scale", "bias"] as const;
const DEFAULT_DOWNSAMPLING = 8;

/** An autoencoder as its name says it; nothing of it is opened yet. */
export interface AutoencoderSettings {
  /** Canonical: parses to the same settings, whatever stands in a file beside the model. */
  readonly name: string;
  readonly encoder: { readonly file: string; readonly output: string };
  readonly decoder: { readonly file: string; readonly output?: string };
  readonly latents: LatentKind;
  readonly pixels: PixelRange;
  /** C */
  readonly channels: number;
  /** Pixels along the side of one latent. */
  readonly downsampling: number;
  /** One number or C; absent: the name does not say. */
  readonly scale?: readonly number[];
  readonly bias?: readonly number[];
}

/**
 * Parse `onnx:ENCODER[#OUTPUT][?…]`. Reads `ENCODER.yaml` where the name has no options; not the models.
 *
 * @throws {UsageError} what is missing, unknown or of the wrong kind. @throws {DataError} a YAML file that cannot be read.
 */
export function parseOnnxAutoencoder(name: string): AutoencoderSettings {
  const what = `autoencoder "${name}"`;
  const { file, output: named, values: given } = parseOnnxName(name, KEYS, what);
  const values = given ?? readSettingsFile(`${file}.yaml`, [...KEYS, "output"], what);
  const output = named === "" ? (values.get("output") ?? "") : named;
  if (output === "") {
    throw new UsageError(`${what}: want ${ONNX_PREFIX}ENCODER#OUTPUT`, {
      hint: `OUTPUT is the tensor of the encoder that gives the latents; "output" in ${file}.yaml names it too`,
    });
  }
  const missing = REQUIRED.find((key) => !values.has(key));
  if (missing !== undefined) {
    throw new UsageError(`${what}: "${missing}" is missing`, {
      hint: `such as ${output}?decoder=decoder.onnx&latents=mean+logvar&pixels=-1..1&channels=4, or the same in ${file}.yaml`,
    });
  }
  const channels = wholeNumber("channels", values.get("channels")!, what);
  const image = values.get("image");
  const scale = numbers("scale", values.get("scale"), { channels, isPositive: true }, what);
  const bias = numbers("bias", values.get("bias"), { channels, isPositive: false }, what);
  const decoder = values.get("decoder")!;
  const settings = {
    encoder: { file, output },
    decoder: {
      file: given === undefined ? besideFile(file, decoder) : decoder,
      ...(image === undefined ? {} : { output: image }),
    },
    latents: oneOf("latents", LATENT_KINDS, values.get("latents")!, what),
    pixels: oneOf("pixels", PIXEL_RANGES, values.get("pixels")!, what),
    channels,
    downsampling: wholeNumber("downsampling", values.get("downsampling") ?? `${DEFAULT_DOWNSAMPLING}`, what),
    ...(scale === undefined ? {} : { scale }),
    ...(bias === undefined ? {} : { bias }),
  };
  return { name: canonicalName(settings), ...settings };
}

function canonicalName({ encoder, decoder, ...settings }: Omit<AutoencoderSettings, "name">): string {
  const { latents, pixels, channels, downsampling, scale, bias } = settings;
  const options = [
    `decoder=${decoder.file}`,
    ...(decoder.output === undefined ? [] : [`image=${decoder.output}`]),
    `latents=${latents}`,
    `pixels=${pixels}`,
    `channels=${channels}`,
    ...(downsampling === DEFAULT_DOWNSAMPLING ? [] : [`downsampling=${downsampling}`]),
    ...(scale === undefined ? [] : [`scale=${scale}`]),
    ...(bias === undefined ? [] : [`bias=${bias}`]),
  ];
  return `${ONNX_PREFIX}${encoder.file}#${encoder.output}?${options.join("&")}`;
}

/** A file as seen from the folder of another, with a path from the working folder where the other has one. */
function besideFile(other: string, file: string): string {
  const folder = dirname(other);
  if (folder === "." || resolve(file) === file) return file;
  return `${folder}/${file}`;
}

function oneOf<Name extends string>(key: string, names: readonly Name[], text: string, what: string): Name {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  const nearest = nearestName(text, names);
  throw new UsageError(`${what}: ${key} wants ${names.join(" or ")}, got "${text}"`, {
    ...(nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}

function wholeNumber(key: string, text: string, what: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError(`${what}: ${key} wants a whole number from 1, got "${text}"`);
  return Number(text);
}

function numbers(
  key: string,
  text: string | undefined,
  { channels, isPositive }: { channels: number; isPositive: boolean },
  what: string,
): number[] | undefined {
  if (text === undefined) return undefined;
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const isGood = values.every((value) => Number.isFinite(value) && (!isPositive || value > 0));
  if (isGood && (values.length === 1 || values.length === channels)) return values;
  const wanted = `one number${isPositive ? " above 0" : ""} or ${channels}`;
  throw new UsageError(`${what}: ${key} wants ${wanted}, got "${text}"`);
}
