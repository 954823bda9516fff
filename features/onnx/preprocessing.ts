/** @file What happens to the pixels of an image before a network in an ONNX file sees them. */
import { UsageError } from "../../data/errors.js";

export type Rgb = readonly [red: number, green: number, blue: number];

/** A network sees (pixel · scale − mean) / std in planes, RGB, of square images. */
export interface Preprocessing {
  /** Side of the input in pixels; absent: the side that the model fixes. */
  readonly sizePx?: number;
  /** Before the mean is taken off. @default 1/255 */
  readonly scale?: number;
  readonly mean: Rgb;
  readonly std: Rgb;
}

export const PREPROCESSING_KEYS = ["size", "mean", "std", "scale"] as const;

/**
 * @param values texts by key, such as `mean` → `0.485,0.456,0.406`; `scale` is a number or `1/N`.
 * @param what   whose they are, for messages.
 * @throws {UsageError} a value that is no such number, or no `mean` or `std`: published networks disagree, so there is no default.
 */
export function parsePreprocessing(values: ReadonlyMap<string, string>, what: string): Preprocessing {
  const size = values.get("size");
  if (size !== undefined && !/^[1-9]\d{0,4}$/.test(size)) {
    throw new UsageError(`${what}: size wants a whole number of pixels, got "${size}"`);
  }
  const scale = values.get("scale");
  return {
    ...(size === undefined ? {} : { sizePx: Number(size) }),
    ...(scale === undefined ? {} : { scale: parseScale(scale, what) }),
    mean: parseRgb("mean", values.get("mean"), what, () => true),
    std: parseRgb("std", values.get("std"), what, (value) => value > 0),
  };
}

function parseScale(text: string, what: string): number {
  const divisor = /^1\/(.+)$/.exec(text)?.[1];
  const value = divisor === undefined ? toNumber(text) : 1 / toNumber(divisor);
  if (Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`${what}: scale wants a number above 0 or 1/N, got "${text}"`, {
    hint: "1/255 (the default) makes 0…1 of pixels, 1 leaves 0…255",
  });
}

function parseRgb(key: string, text: string | undefined, what: string, accepts: (value: number) => boolean): Rgb {
  if (text === undefined) {
    throw new UsageError(`${what}: "${key}" is missing`, {
      hint: "ImageNet networks mostly want mean=0.485,0.456,0.406&std=0.229,0.224,0.225, some mean=0.5&std=0.5",
    });
  }
  const values = text.split(",").map(toNumber);
  const [r, g = r, b = r] = values;
  if (
    (values.length !== 1 && values.length !== 3) ||
    !values.every((value) => Number.isFinite(value) && accepts(value))
  ) {
    const wanted = key === "std" ? "numbers above 0" : "numbers";
    throw new UsageError(`${what}: ${key} wants one or three ${wanted}, got "${text}"`);
  }
  return [r!, g!, b!];
}

const toNumber = (text: string): number => (text.trim() === "" ? Number.NaN : Number(text));

/** In one line, such as `(x/255 - [0.5]) / [0.5]`. */
export function showNormalization({ scale, mean, std }: Preprocessing): string {
  return `(${scale === undefined ? "x/255" : scale === 1 ? "x" : `x·${scale}`} - [${mean}]) / [${std}]`;
}

/**
 * Normalized planes of a batch: images first, then what is left of `batch` filled with zeros.
 *
 * @param images [rows,size,size,3] in 0…255. Read only.
 * @returns      [batch,3,size,size], new.
 */
export function toPlanes(
  images: Float32Array,
  { rows, batch, sizePx }: { rows: number; batch: number; sizePx: number },
  { scale, mean, std }: Preprocessing,
): Float32Array {
  const pixels = sizePx * sizePx;
  const planes = new Float32Array(batch * 3 * pixels);
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < 3; c++) {
      const factor = scale === undefined ? 1 / (255 * std[c]!) : scale / std[c]!;
      const shift = mean[c]! / std[c]!;
      const [from, to] = [row * pixels * 3 + c, (row * 3 + c) * pixels];
      for (let i = 0; i < pixels; i++) planes[to + i] = images[from + i * 3]! * factor - shift;
    }
  }
  return planes;
}
