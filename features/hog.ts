/**
 * @file Dense HOG as the iREPA code uses it: its options. Owns the target strings `hog[:OPTIONS]`, two of whose variants are files
 * of their own. The method: `hog-tokens.ts`.
 */
import tf from "@tensorflow/tfjs";
import { UsageError } from "../data/errors.js";
import { nearestName } from "../data/nearest.js";
import { BLOCK_NORMS, type BlockNorm } from "./block-norm.js";
import { dalalHog } from "./dalal-hog.js";
import type { DescriptorFamily, Grid, ProgramDescriptor } from "./descriptor.js";
import { hogOnProcessor, hogTokens } from "./hog-tokens.js";
import { resizeTokens } from "./resize-tokens.js";
import { type OptionKind, parseOptions, targetName } from "./target-options.js";
import { uocttiHog } from "./uoctti-hog.js";

export interface HogOptions {
  /** Side of the grid that the block map is resized to; the tokens are then resized to the grid asked for. @default the grid asked for */
  readonly grid?: number;
  /** D: cells of a block · orientations. @default 128 */
  readonly dim?: number;
  /** Side of a cell in pixels. @default 2 */
  readonly cellPx?: number;
  /** Side of a block in cells. @default 4 */
  readonly blockCells?: number;
  /** scikit-image's norm of a block, and nothing behind it. @default L2-Hys, and then unit length */
  readonly norm?: BlockNorm;
  /** Square roots of the gray levels first: scikit-image's `transform_sqrt`. @default false */
  readonly takesRoots?: boolean;
}

/** In target strings: `g16_d128_ppc2_cb4`, any of them, in any order. */
const FIELDS = { g: "grid", d: "dim", ppc: "cellPx", cb: "blockCells" } as const;
const DEFAULTS = { dim: 128, cellPx: 2, blockCells: 4 } as const;
/** The largest number in a target string: beyond it there is no sensible image. */
const MAX_FIELD = 4096;
/** Options behind the fields of a target string, or instead of them. */
const MORE_OPTIONS = {
  norm: { kind: "choice", of: BLOCK_NORMS },
  transform_sqrt: { kind: "switch" },
} as const satisfies Record<string, OptionKind>;
/** Variants with options of their own: the files of their names. */
const VARIANTS = { dalal: dalalHog, uoctti: uocttiHog } as const;

/**
 * The HOG descriptor with some options.
 *
 * Tokens are weighted means of up to four unit vectors: they are not of unit length themselves.
 *
 * @throws {UsageError} D that is not a multiple of the cells of a block.
 * @parity iREPA's `hog` encoder, and with a norm scikit-image 0.26: 1e-7 on photographs. A pixel whose angle is within 1e-7 of a full half turn
 *   is lost there by a rounding of the remainder, and counted in the last bin here.
 */
export function hog(options: HogOptions = {}): ProgramDescriptor {
  const { dim = DEFAULTS.dim, cellPx = DEFAULTS.cellPx, blockCells = DEFAULTS.blockCells, grid: ownGrid } = options;
  const { norm, takesRoots = false } = options;
  const orientations = dim / blockCells ** 2;
  if (!Number.isInteger(orientations)) {
    throw new UsageError(`hog: d${dim} is not a multiple of cb² = ${blockCells ** 2}, the cells of a block`, {
      hint: `for example d${blockCells ** 2 * Math.max(1, Math.round(orientations))}`,
    });
  }
  const fields: [string, number | undefined, number | undefined][] = [
    ["g", ownGrid, undefined],
    ["d", dim, DEFAULTS.dim],
    ["ppc", cellPx, DEFAULTS.cellPx],
    ["cb", blockCells, DEFAULTS.blockCells],
  ];
  const set = fields.flatMap(([key, value, byDefault]) => (value === byDefault ? [] : [`${key}${value}`]));
  const layout = { orientations, cellPx, blockCells, norm, takesRoots };
  const innerOf = (grid: Grid): Grid => (ownGrid === undefined ? grid : [ownGrid, ownGrid]);
  return {
    name: targetName("hog", [
      [set.join("_"), set.length > 0],
      ["norm", norm],
      ["transform_sqrt", takesRoots],
    ]),
    dim,
    version: 3,
    summary: `HOG: ${orientations} orientations, cells of ${cellPx}×${cellPx} px, blocks of ${blockCells}×${blockCells} cells`,
    histograms: {
      cells: blockCells,
      orientations,
      isSigned: false,
      firstDeg: 90 / orientations,
      isClockwise: true,
    },
    program: (images, grid) =>
      tf.tidy(() => resizeTokens(hogTokens(images, innerOf(grid), layout), innerOf(grid), grid)),
    onProcessor(imageSizePx, grid) {
      const { pass, program } = hogOnProcessor(imageSizePx, innerOf(grid), layout);
      return { pass, program: (made) => tf.tidy(() => resizeTokens(program(made), innerOf(grid), grid)) };
    },
  };
}

export const hogFamily: DescriptorFamily = {
  name: "hog",
  targets: [
    {
      pattern: "hog",
      summary: "HOG: 8 unsigned orientations, cells of 2×2 px, blocks of 4×4 cells, L2-Hys",
      dim: "128",
    },
    {
      pattern: "hog:gG_dD_ppcP_cbC",
      summary: "HOG on a G×G grid: D/C² orientations, cells of P×P px, blocks of C×C cells; each may be left out",
      dim: "D",
    },
    {
      pattern: "hog:…,norm=l1|l1-sqrt|l2|l2-hys,transform_sqrt",
      summary: "blocks with scikit-image's norm and no other; square roots of the gray levels first",
      dim: "D",
    },
    {
      pattern: "hog:dalal,cell=8,block=2,orientations=9,clip=0.2,linear",
      summary:
        "Dalal & Triggs: interpolated votes, one block at the centre of each cell, as OpenCV; linear: no square roots",
      dim: "block² · orientations",
    },
    {
      pattern: "hog:uoctti,cell=8,orientations=9",
      summary: "Felzenszwalb et al.: signed and unsigned orientations and four texture energies, 31 numbers",
      dim: "3 · orientations + 4",
    },
  ],
  parse(text) {
    if (text === undefined) return hog();
    const [first, ...rest] = text.split(",") as [string, ...string[]];
    const more = rest.length === 0 ? undefined : rest.join(",");
    if (Object.hasOwn(VARIANTS, first)) return VARIANTS[first as keyof typeof VARIANTS](more);
    const hasFields = !first.includes("=") && !Object.hasOwn(MORE_OPTIONS, first);
    const values = parseOptions("hog", hasFields ? more : text, MORE_OPTIONS);
    const norm = values["norm"] as BlockNorm | undefined;
    return hog({
      ...(hasFields ? parseFields(first) : {}),
      ...(norm === undefined ? {} : { norm }),
      takesRoots: values["transform_sqrt"] === true,
    });
  },
};

/** `g16_d128_ppc2_cb4`, any of them. */
function parseFields(text: string): HogOptions {
  const options: { -readonly [Key in (typeof FIELDS)[keyof typeof FIELDS]]?: number } = {};
  for (const part of text.split("_")) {
    const [, key = part, digits = ""] = /^([a-z]+)(\d+)$/.exec(part) ?? [];
    const field = Object.hasOwn(FIELDS, key) ? FIELDS[key as keyof typeof FIELDS] : undefined;
    const value = Number(digits);
    if (field === undefined || !(value >= 1 && value <= MAX_FIELD)) {
      const known = [...Object.keys(FIELDS), ...Object.keys(MORE_OPTIONS), ...Object.keys(VARIANTS)];
      const nearest = field === undefined ? nearestName(key, known) : undefined;
      throw new UsageError(
        `target "hog:${text}": want fields gG, dD, ppcP and cbC joined by "_", each with a whole number of 1..${MAX_FIELD}, got "${part}"`,
        { hint: nearest === undefined ? 'for example "hog:d144_ppc4"' : `did you mean "${nearest}"?` },
      );
    }
    if (options[field] !== undefined) throw new UsageError(`target "hog:${text}": "${key}" is given twice`);
    options[field] = value;
  }
  return options;
}
