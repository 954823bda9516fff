/** @file Published encoders as targets: `dinov2-vit-b`, and `siglip-vit-b:own-stats` with the statistics of the weights. */
import { createHash } from "node:crypto";
import { DescryError, ShapeError, UnsupportedError, UsageError } from "../../data/errors.js";
import type { Descriptor, DescriptorFamily, FeatureComputerOptions, OpenedDescriptor } from "../descriptor.js";
import type { EncoderSettings } from "../onnx/encoder-settings.js";
import type { EncoderFacts } from "../onnx/image-encoder.js";
import { openEncoder } from "../onnx/open-encoder.js";
import { showNormalization } from "../onnx/preprocessing.js";
import { pair } from "../pair.js";
import { exportCommand } from "./encoder-folder.js";
import { ENCODERS } from "./encoder-table.js";
import { inputSide } from "./input-side.js";
import { type LocatedEncoder, locateEncoder } from "./locate-encoder.js";
import type { PublishedEncoder } from "./published-encoder.js";

/** Raised when something else than the table's numbers changes the tokens; those are in the fingerprint. */
const VERSION = 1;

/** Of the published code: the default of its constructor, which nothing overrides. */
const MIXED_ALPHA = 0.1;

const OWN_STATS = "own-stats";

/** What a target of a published encoder says. */
interface PublishedTarget {
  readonly encoder: PublishedEncoder;
  /** The weights' own statistics instead of the published code's. */
  readonly ownStats: boolean;
  /** Share of the class token in every token. */
  readonly alpha?: number;
}

function nameOf({ encoder, ownStats, alpha }: PublishedTarget): string {
  const name = ownStats ? `${encoder.name}:${OWN_STATS}` : encoder.name;
  return alpha === undefined ? name : `mix(${name},alpha=${alpha})`;
}

/** How pixels become the encoder's input, and tokens its output: all but the file and the size. */
export function encoderSettings({ encoder, ownStats }: PublishedTarget): Omit<EncoderSettings, "file" | "sizePx"> {
  const { output, interpolation, prefix, statistics, ownStatistics } = encoder;
  return { output, interpolation, dropTokens: prefix, ...(ownStats ? ownStatistics! : statistics) };
}

function summaryOf(target: PublishedTarget, origin?: string): string {
  const { encoder, ownStats, alpha } = target;
  const { title, prefix, ownStatistics, remark } = encoder;
  const statistics =
    ownStatistics === undefined
      ? ""
      : ownStats
        ? ", which the weights were trained with"
        : ", as published, not the weights' own";
  return [
    title,
    ...(remark === undefined ? [] : [remark]),
    `${inputSide(encoder, 256)} px (${encoder.interpolation}), ${showNormalization(encoderSettings(target))}${statistics}`,
    ...(prefix === 0 ? [] : [`${prefix} token(s) dropped`]),
    ...(alpha === undefined ? [] : [`${alpha} of the class token in each`]),
    ...(origin === undefined ? [] : [`file: ${origin}`]),
  ].join("; ");
}

function published(target: PublishedTarget, located?: LocatedEncoder): OpenedDescriptor {
  const { encoder, alpha } = target;
  const canMix = encoder.prefix > 0 && alpha === undefined;
  const load = async (...[, onDownload]: Parameters<NonNullable<Descriptor["load"]>>) =>
    published(target, await locateEncoder(encoder, onDownload));
  const mixed = (share: number) => published({ ...target, alpha: share }, located);
  return {
    name: nameOf(target),
    dim: encoder.dim,
    version: VERSION,
    hasOwnThread: true,
    summary: summaryOf(target, located?.origin),
    ...(canMix && { mixClassToken: mixed }),
    ...(located === undefined ? { load } : { fingerprint: fingerprintOf(target, located) }),
    open: async (options) => openPublished(target, located ?? (await locateEncoder(encoder)), options),
  };
}

/** The files, and what the table says of them: a corrected number makes other features. */
function fingerprintOf(target: PublishedTarget, { sha256 }: LocatedEncoder): string {
  const { patchPx, fixedPx } = target.encoder;
  const settings = { ...encoderSettings(target), patchPx, fixedPx };
  return createHash("sha256")
    .update(JSON.stringify([sha256, settings]))
    .digest("hex");
}

async function openPublished(target: PublishedTarget, { file }: LocatedEncoder, options: FeatureComputerOptions) {
  const { encoder, alpha } = target;
  const name = nameOf(target);
  const { device = "cpu", threads = 0 } = options;
  if (device === "tfjs-cpu" || device === "tfjs-gpu") {
    throw new UnsupportedError(`target "${name}": encoders run on cpu, webgpu or cuda, not on ${device}`);
  }
  const sizePx = inputSide(encoder, pair(options.imageSizePx)[0]);
  const side = sizePx / encoder.patchPx;
  const settings = { ...encoderSettings(target), file, sizePx };
  const job = { name, settings, device, threads, ...(alpha === undefined ? {} : { alpha }) };
  const check = ({ layout }: EncoderFacts) => {
    const got = `${layout.grid.join("×")} tokens of ${layout.dim} channels`;
    if (layout.dim === encoder.dim && layout.grid[0] === side && layout.grid[1] === side) return;
    throw new ShapeError(`target "${name}": ${file} gives ${got}, wanted ${side}×${side} of ${encoder.dim}`);
  };
  try {
    return await openEncoder(name, job, options, check);
  } catch (error) {
    if (!(error instanceof DescryError)) throw error;
    // What the file takes or gives is not what the published code has: the export is another one.
    throw new ShapeError(error.message, { hint: `an export that fits: ${exportCommand(encoder, side)}`, cause: error });
  }
}

function family(encoder: PublishedEncoder, name: string, alpha?: number): DescriptorFamily {
  return {
    name,
    targets: [],
    parse(options) {
      if (options !== undefined && (options !== OWN_STATS || encoder.ownStatistics === undefined)) {
        const known = encoder.ownStatistics === undefined ? "it takes no options" : `it takes ${OWN_STATS}`;
        throw new UsageError(`target "${name}:${options}": unknown option "${options}"`, { hint: known });
      }
      return published({ encoder, ownStats: options === OWN_STATS, ...(alpha === undefined ? {} : { alpha }) });
    },
  };
}

/** One family an encoder; and iREPA's names for those with a tenth of their class token, `dinov2mixed-vit-b`. */
export const publishedFamilies: readonly DescriptorFamily[] = ENCODERS.flatMap((encoder) => {
  const mixed = encoder.name.replace(/^dinov2(reg)?-/, "dinov2mixed$1-");
  const own = family(encoder, encoder.name);
  return mixed === encoder.name ? [own] : [own, family(encoder, mixed, MIXED_ALPHA)];
});
