/**
 * @file How an encoder in an ONNX file is named as a target: `onnx:FILE#OUTPUT?mean=M&std=S&…`, or `onnx:FILE` with the same keys in
 * `FILE.yaml` beside it. Options of the target string stand instead of the file's, never merged with them, so that a name with
 * options says everything: the canonical name always has some.
 *
 * - `mean`, `std` (required), `scale`, `size`: see `preprocessing.ts`;
 * - `interpolation`: how images are resized to `size`; bicubic as REPA does it;
 * - `drop`: tokens at the beginning that are no patches: the class token and registers;
 * - `grid`: the model's, `ROWSxCOLS` or one number for a square one; where it is left out, the tokens have to make a square;
 * - `output` (in the YAML file only): the tensor of the model, where the target has no `#OUTPUT`.
 */
import { UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";
import type { Grid } from "../descriptor.js";
import { INTERPOLATIONS, type Interpolation } from "../resize-images.js";
import { ONNX_PREFIX, parseOnnxName } from "./onnx-name.js";
import { PREPROCESSING_KEYS, type Preprocessing, parsePreprocessing, type Rgb } from "./preprocessing.js";
import { readSettingsFile } from "./settings-file.js";

const KEYS = [...PREPROCESSING_KEYS, "interpolation", "drop", "grid"] as const;
/** Of the published training code: REPA's `F.interpolate(x, 224 * q, mode="bicubic")`. */
const DEFAULT_INTERPOLATION: Interpolation = "bicubic";

export interface EncoderSettings extends Preprocessing {
  readonly file: string;
  /** Tensor that gives the tokens or the map. */
  readonly output: string;
  readonly interpolation: Interpolation;
  /** Tokens at the beginning that are no patches. */
  readonly dropTokens: number;
  /** The model's own; absent: a square. */
  readonly grid?: Grid;
}

/**
 * Parse `onnx:FILE[#OUTPUT][?…]`. Reads `FILE.yaml` where the target has no options; not the model.
 *
 * @throws {UsageError} what is missing, unknown or of the wrong kind. @throws {DataError} a YAML file that cannot be read.
 */
export function parseEncoderTarget(target: string): EncoderSettings {
  const what = `target "${target}"`;
  const { file, output: named, values: given } = parseOnnxName(target, KEYS, what);
  const values = given ?? readSettingsFile(`${file}.yaml`, [...KEYS, "output"], what, { grid: "x" });
  const output = named === "" ? (values.get("output") ?? "") : named;
  if (output === "") {
    throw new UsageError(`${what}: want ${ONNX_PREFIX}FILE#OUTPUT`, {
      hint: `OUTPUT is the tensor of the model that gives the tokens; "output" in ${file}.yaml names it too`,
    });
  }
  const interpolation = values.get("interpolation") ?? DEFAULT_INTERPOLATION;
  if (!isInterpolation(interpolation)) {
    const nearest = nearestName(interpolation, INTERPOLATIONS);
    throw new UsageError(`${what}: interpolation wants ${INTERPOLATIONS.join(", ")}, got "${interpolation}"`, {
      ...(nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` }),
    });
  }
  const drop = values.get("drop") ?? "0";
  if (!/^\d{1,5}$/.test(drop)) {
    throw new UsageError(`${what}: drop wants how many tokens at the beginning are no patches, got "${drop}"`, {
      hint: "drop=1 drops the class token",
    });
  }
  const grid = values.get("grid");
  return {
    file,
    output,
    ...parsePreprocessing(values, what),
    interpolation,
    dropTokens: Number(drop),
    ...(grid === undefined ? {} : { grid: parseGrid(grid, what) }),
  };
}

/** The canonical target: parses to the same settings, whatever stands in a file beside the model. */
export function encoderTarget(settings: EncoderSettings): string {
  const { file, output, sizePx, mean, std, scale, interpolation, dropTokens, grid } = settings;
  const options = [
    `mean=${showRgb(mean)}`,
    `std=${showRgb(std)}`,
    ...(scale === undefined ? [] : [`scale=${scale}`]),
    ...(sizePx === undefined ? [] : [`size=${sizePx}`]),
    ...(interpolation === DEFAULT_INTERPOLATION ? [] : [`interpolation=${interpolation}`]),
    ...(dropTokens === 0 ? [] : [`drop=${dropTokens}`]),
    ...(grid === undefined ? [] : [`grid=${grid.join("x")}`]),
  ];
  return `${ONNX_PREFIX}${file}#${output}?${options.join("&")}`;
}

const showRgb = ([r, g, b]: Rgb): string => (r === g && g === b ? `${r}` : `${r},${g},${b}`);

const isInterpolation = (name: string): name is Interpolation => INTERPOLATIONS.some((known) => known === name);

function parseGrid(text: string, what: string): Grid {
  const [, rows, cols = rows] = /^([1-9]\d{0,3})(?:x([1-9]\d{0,3}))?$/.exec(text) ?? [];
  if (rows === undefined) throw new UsageError(`${what}: grid wants ROWSxCOLS, such as 14x14, got "${text}"`);
  return [Number(rows), Number(cols)];
}
