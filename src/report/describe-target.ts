/**
 * @file What a target makes of one picture: its own glyphs where it has any, the first principal components of its tokens as
 * colours, and how alike all tokens are to some marked ones.
 */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileError, writeFileAtomic } from "../../data/atomic.js";
import { UsageError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import { fitDescriptor } from "../../features/fit-descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { colourValues, viridis } from "./colour-map.js";
import { glyphPicture } from "./glyph-picture.js";
import { colourComponents, principalComponents } from "./principal-components.js";
import { similarityMap, tokenAt } from "./similarity-map.js";
import { enlargeTokens, markToken, TOKEN_PX, writePng } from "./token-picture.js";

/** Row and column of a token. */
export type Token = readonly [row: number, column: number];

/** The tokens that iREPA's figure marks on 16×16, and those at the same places on other grids. */
export function paperTokens(grid: number): Token[] {
  const on16: readonly Token[] = [
    [8, 8],
    [10, 0],
    [4, 3],
    [11, 10],
  ];
  return on16.map((token) => (grid === 16 ? token : tokenAt([token[0] / 15, token[1] / 15], grid)));
}

export interface DescribeTargetOptions {
  readonly target: string;
  /** The picture: the first of a data set, which a target that has to be fitted is fitted to. */
  readonly source: ImageSource;
  readonly grid: number;
  readonly tokens: readonly Token[];
  /** Made if absent. */
  readonly outFolder: string;
}

export interface TargetDescription {
  readonly target: string;
  readonly dim: number;
  readonly summary: string;
  readonly picture: string;
  readonly grid: number;
  /** Share of the variance that the three colours show. */
  readonly explained: number;
  /** Cosines at both ends of the colours of the similarity maps. */
  readonly similarityRange: readonly [number, number];
  readonly files: readonly { readonly file: string; readonly shows: string }[];
}

/**
 * Draw a target on a picture.
 *
 * @throws {UsageError} an unknown target, a token outside of the grid. @throws {ShapeError} a grid that the target does not fit.
 * @throws {NumericError} tokens that are not finite.
 */
export async function describeTarget(options: DescribeTargetOptions): Promise<TargetDescription> {
  const { source, grid, tokens: marked, outFolder } = options;
  const parsed = parseTarget(options.target);
  const outside = marked.find((token) => token.some((at) => !Number.isInteger(at) || at < 0 || at >= grid));
  if (outside !== undefined) {
    throw new UsageError(
      `there is no token ${outside.join(",")}: a grid of ${grid} has rows and columns 0 to ${grid - 1}`,
    );
  }
  const sizePx = grid * TOKEN_PX;
  const image = await source.load(0, sizePx);
  const computing = { imageSizePx: sizePx, grid, batch: 1 };
  const descriptor = await fitDescriptor(parsed, source, computing);
  const computer = await openFeatureComputer(descriptor, computing);
  let tokens: Float32Array;
  try {
    tokens = await computer.compute(image, 1, [0]);
  } finally {
    await computer.dispose();
  }
  try {
    await mkdir(outFolder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make", outFolder);
  }
  const shape = [grid * grid, descriptor.dim] as const;
  const components = principalComponents(tokens, shape);
  const maps = marked.map(([row, column]) => similarityMap(tokens, shape, row * grid + column));
  const range = [Math.min(...maps.flatMap((map) => [...map])), Math.max(...maps.flatMap((map) => [...map]))] as const;

  const stem = descriptor.name.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/-+$/, "");
  const files: { file: string; shows: string }[] = [];
  const draw = async (name: string, shows: string, write: (file: string) => Promise<void>) => {
    const file = path.join(outFolder, `${stem}-${name}.png`);
    await write(file);
    files.push({ file, shows });
  };
  const withMarks = image.slice();
  for (const token of marked) markToken(withMarks, sizePx, token);
  await draw("image", "the picture with the marked tokens", (file) => writePng(file, withMarks, sizePx));
  const { histograms } = descriptor;
  if (histograms !== undefined) {
    await draw("glyphs", "its orientation histograms as strokes", async (file) =>
      writeFileAtomic(file, await glyphPicture(tokens, image, grid, histograms)),
    );
  }
  await draw("pca", "first three principal components as red, green and blue", (file) =>
    writePng(file, enlargeTokens(colourComponents(components.scores), grid), sizePx),
  );
  const table = viridis();
  for (const [i, token] of marked.entries()) {
    const colours = enlargeTokens(colourValues(maps[i]!, range, table), grid);
    await draw(
      `similarity-${token.join("-")}`,
      `cosine with the token in row ${token[0]}, column ${token[1]}`,
      (file) => writePng(file, markToken(colours, sizePx, token), sizePx),
    );
  }
  return {
    target: descriptor.name,
    dim: descriptor.dim,
    summary: descriptor.summary,
    picture: source.id(0),
    grid,
    explained: components.shares.reduce((sum, share) => sum + share, 0),
    similarityRange: range,
    files,
  };
}
