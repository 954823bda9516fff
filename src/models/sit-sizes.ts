/**
 * @file Sizes and configuration of SiT, the diffusion transformer. Sizes: DiT (Peebles & Xie, arXiv 2212.09748) table 1,
 * as used by SiT (arXiv 2401.08740), REPA (2410.06940) and iREPA (2512.10794).
 */
import { ModelError } from "./errors.js";

/** Depth, width and heads of a size letter, and its patch side. */
export interface SitSize {
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
  readonly patch: number;
}

const LETTERS = {
  S: { depth: 12, width: 384, heads: 6 },
  B: { depth: 12, width: 768, heads: 12 },
  L: { depth: 24, width: 1024, heads: 16 },
  XL: { depth: 28, width: 1152, heads: 16 },
} as const;
const PATCHES = [1, 2, 4, 8] as const;

export type SitSizeName = `${keyof typeof LETTERS}/${(typeof PATCHES)[number]}`;

/** Every published size: `S B L XL` at patches 1, 2, 4 and 8, e.g. `SIT_SIZES["B/2"]`. */
export const SIT_SIZES = Object.fromEntries(
  Object.entries(LETTERS).flatMap(([letter, size]) =>
    PATCHES.map((patch) => [`${letter}/${patch}`, { ...size, patch }]),
  ),
) as unknown as Readonly<Record<SitSizeName, SitSize>>;

/** Everything that fixes the shapes of a SiT. */
export interface SitConfig {
  /** Number of blocks. */
  readonly depth: number;
  /** D: width of a token; a multiple of `heads` and of 4. */
  readonly width: number;
  readonly heads: number;
  /** P: side of a patch; `sizePx` is a multiple of it. */
  readonly patch: number;
  /** Width of a block's MLP in units of D; `mlpRatio · width` is whole. */
  readonly mlpRatio: number;
  /** C: channels in and out (4 for latents, 3 for pixels). */
  readonly channels: number;
  /** Height and width of the input, in pixels of the space that it works in. */
  readonly sizePx: number;
  /** K: number of classes; label K means "no class". */
  readonly classes: number;
  /** Block (1-based) whose output is aligned; a default for `sit`'s `alignDepth`. */
  readonly encoderDepth?: number;
}

/** What a published size leaves open. Defaults: the latent setting, 32×32×4, 1000 classes, MLP ratio 4. */
export interface SitConfigOptions {
  readonly mlpRatio?: number;
  readonly channels?: number;
  readonly sizePx?: number;
  readonly classes?: number;
  readonly encoderDepth?: number;
}

/**
 * The configuration of a published size.
 *
 * @throws {ModelError} unknown size, or values that do not fit each other (see `checkSitConfig`).
 */
export function sitConfig(
  size: string,
  { mlpRatio = 4, channels = 4, sizePx = 32, classes = 1000, encoderDepth }: SitConfigOptions = {},
): SitConfig {
  if (!Object.hasOwn(SIT_SIZES, size)) {
    throw new ModelError("ConfigError", `unknown model size "${size}"; known: ${Object.keys(SIT_SIZES).join(", ")}`);
  }
  return checkSitConfig({
    ...SIT_SIZES[size as SitSizeName],
    mlpRatio,
    channels,
    sizePx,
    classes,
    ...(encoderDepth === undefined ? {} : { encoderDepth }),
  });
}

/**
 * Check that the values fit each other, and return them unchanged.
 *
 * @throws {ModelError} naming the field, what was wanted and what came.
 */
export function checkSitConfig<Config extends SitConfig>(config: Config): Config {
  const fail = (message: string): never => {
    throw new ModelError("ConfigError", `model: ${message}`);
  };
  for (const name of ["depth", "width", "heads", "patch", "channels", "sizePx", "classes"] as const) {
    const value = config[name];
    if (!Number.isInteger(value) || value < 1) fail(`${name} must be a whole number of at least 1, got ${value}`);
  }
  const { width, heads, patch, sizePx, mlpRatio } = config;
  if (width % heads !== 0) fail(`width ${width} is not a multiple of heads ${heads}`);
  if (width % 4 !== 0) fail(`width ${width} is not a multiple of 4, which the position embedding needs`);
  if (sizePx % patch !== 0) fail(`sizePx ${sizePx} is not a multiple of patch ${patch}`);
  if (!(mlpRatio > 0) || !Number.isInteger(mlpRatio * width)) {
    fail(`mlpRatio ${mlpRatio} times width ${width} is not a whole number of at least 1`);
  }
  if (config.encoderDepth !== undefined) checkAlignDepth(config.encoderDepth, config);
  return config;
}

/** Refuse a block number that the model does not have; blocks count from 1. Returns it. */
export function checkAlignDepth(alignDepth: number, { depth }: Pick<SitConfig, "depth">): number {
  if (!Number.isInteger(alignDepth) || alignDepth < 1 || alignDepth > depth) {
    throw new ModelError("ConfigError", `align depth must be a block number from 1 to ${depth}, got ${alignDepth}`);
  }
  return alignDepth;
}

/** G: side of the token grid. T = G². */
export const gridSide = ({ sizePx, patch }: Pick<SitConfig, "sizePx" | "patch">): number => sizePx / patch;
