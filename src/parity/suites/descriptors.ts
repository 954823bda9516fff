/** @file Parity of the descriptors and of spatial normalization; keys `IMAGE/NAME` as golden/README.md describes them. */
import path from "node:path";
import tf from "@tensorflow/tfjs";
import { DataError } from "../../../data/errors.js";
import { readSafetensors, type SafeTensor, toFloat32 } from "../../../data/safetensors.js";
import { openFeatureComputer } from "../../../features/compute-features.js";
import type { Descriptor } from "../../../features/descriptor.js";
import { orientedFrames } from "../../../features/kornia-sift.js";
import { spatialNormalize } from "../../../features/spatial-normalize.js";
import { parseTarget } from "../../../features/targets.js";
import { compileFunction } from "../../compile/compile.js";
import { absoluteError, type Comparison, type ParitySuite } from "../suite.js";

const NORMALIZED = /^(.+)_zscore_a(\d+(?:\.\d+)?)$/;
const ABSOLUTE = 1e-4;
/** Of 255, for a mean; and cosine 0.999 for 99 % of the tokens that are not zero. */
const SIFT_MEAN = 0.6;
const SIFT_COSINE = 0.999;
const SIFT_SHARE = 0.99;
const KORNIA_ABSOLUTE = 1e-3;
/** A near-tie of two orientations may fall either way: cosine 0.99 for 97 % of the tokens, and their frames. */
const ORIENTED_COSINE = 0.99;
const ORIENTED_SHARE = 0.97;
/** Of frames of 16 px, in pixels: a cosine of 0.99 is 8°. */
const FRAME_ABSOLUTE = 0.05;

/** The target string of a key's name; undefined when there is none yet. */
function targetOf(name: string): Descriptor | undefined {
  if (name === "sift_opencv_angle0") return parseTarget("sift");
  if (name === "sift_opencv_default") return parseTarget("sift:opencv");
  if (name === "sift_kornia_upright") return parseTarget("sift:kornia");
  if (name === "sift_kornia_oriented") return parseTarget("sift:oriented");
  if (name.startsWith("hog_")) return parseTarget(`hog:${name.slice("hog_".length)}`);
  return undefined;
}

export const descriptorsSuite: ParitySuite = {
  name: "descriptors",
  files: ["descriptors.safetensors"],

  async run(folder) {
    const file = path.join(folder, "descriptors.safetensors");
    const { tensors } = await readSafetensors(file);
    const comparisons: Comparison[] = [];
    for (const [key, expected] of Object.entries(tensors)) {
      const slash = key.lastIndexOf("/");
      const [image, name] = [key.slice(0, slash), key.slice(slash + 1)];
      if (name === "image") continue;
      const pixels = tensors[`${image}/image`];
      if (pixels === undefined) throw new DataError(`${file}: ${image}/image is missing`);
      comparisons.push(await compare(key, name, pixels, expected, tensors[`${image}/${baseOf(name)}`]));
    }
    return comparisons;
  },
};

const baseOf = (name: string): string => NORMALIZED.exec(name)?.[1] ?? name;

async function compare(
  key: string,
  name: string,
  image: SafeTensor,
  expected: SafeTensor,
  base: SafeTensor | undefined,
): Promise<Comparison> {
  const normalized = NORMALIZED.exec(name);
  const want = toFloat32(expected);
  if (normalized !== null) {
    if (base === undefined) return missing(key, `${normalized[1]} is not in the file`);
    const [T, D] = base.shape as [number, number];
    const got = await run("spatialNormalize", [1, T, D], toFloat32(base), (x) =>
      spatialNormalize(x as tf.Tensor3D, { alpha: Number(normalized[2]) }),
    );
    return { key, error: absoluteError(got, want), tolerance: ABSOLUTE };
  }
  const [H, W] = image.shape as [number, number, number];
  const grid = gridOf(expected.shape[0]!, H, W);
  if (grid === undefined)
    return missing(key, `${expected.shape[0]} tokens are no grid of square cells on ${H}×${W} pixels`);
  if (name === "laf_kornia_oriented") {
    const frames = await run(name, [1, H, W, 3], toFloat32(image), (x) => orientedFrames(x as tf.Tensor4D, grid));
    return compareFrames(key, frames, want);
  }
  const descriptor = targetOf(name);
  if (descriptor === undefined) return missing(key, `${name} is not built`);
  const got = await describe(descriptor, Uint8Array.from(toFloat32(image)), [H, W], grid);
  switch (name) {
    case "sift_opencv_angle0":
    case "sift_opencv_default":
      return compareSift(key, got, want, descriptor.dim);
    case "sift_kornia_upright":
      return { key, error: absoluteError(got, want), tolerance: KORNIA_ABSOLUTE };
    case "sift_kornia_oriented":
      return compareOriented(key, got, want, descriptor.dim);
    default:
      return { key, error: absoluteError(got, want), tolerance: ABSOLUTE };
  }
}

const missing = (key: string, detail: string): Comparison => ({
  key,
  error: Number.NaN,
  tolerance: Number.NaN,
  detail,
  notBuilt: true,
});

/** Rows and columns of square cells. */
function gridOf(tokens: number, H: number, W: number): [number, number] | undefined {
  const rows = Math.round(Math.sqrt((tokens * H) / W));
  return rows > 0 && rows * (tokens / rows) === tokens && Number.isInteger(tokens / rows)
    ? [rows, tokens / rows]
    : undefined;
}

async function run(
  name: string,
  shape: number[],
  data: Float32Array,
  body: (x: tf.Tensor) => tf.Tensor,
): Promise<Float32Array> {
  const compiled = await compileFunction(({ x }) => ({ y: tf.reshape(body(x!), [-1]) }), { x: { shape } }, { name });
  try {
    return (await compiled.run({ x: { data, shape } }))["y"]!.data as Float32Array;
  } finally {
    await compiled.dispose();
  }
}

async function describe(descriptor: Descriptor, pixels: Uint8Array, size: [number, number], grid: [number, number]) {
  const computer = await openFeatureComputer(descriptor, { imageSizePx: size, grid, batch: 1 });
  try {
    return await computer.compute(pixels, 1);
  } finally {
    await computer.dispose();
  }
}

/** OpenCV rounds and approximates: the mean difference is bounded, and the direction of nearly all tokens. */
function compareSift(key: string, got: Float32Array, want: Float32Array, dim: number): Comparison {
  if (got.length !== want.length) return { key, error: Number.POSITIVE_INFINITY, tolerance: SIFT_MEAN };
  let sum = 0;
  for (const [i, value] of want.entries()) sum += Math.abs(value - got[i]!);
  const { tokens, close } = closeTokens(got, want, dim, SIFT_COSINE);
  const enough = close >= SIFT_SHARE * tokens;
  return {
    key,
    error: enough ? sum / want.length : Number.POSITIVE_INFINITY,
    tolerance: SIFT_MEAN,
    detail: `mean of 255; cosine ≥ ${SIFT_COSINE} for ${close} of ${tokens} tokens`,
  };
}

/** How many of the tokens that are not zero have a cosine with the reference's of at least `cosine`. */
function closeTokens(got: Float32Array, want: Float32Array, dim: number, cosine: number) {
  let [tokens, close] = [0, 0];
  for (let start = 0; start < want.length; start += dim) {
    let [dot, a, b] = [0, 0, 0];
    for (let i = start; i < start + dim; i++) {
      dot += got[i]! * want[i]!;
      a += got[i]! ** 2;
      b += want[i]! ** 2;
    }
    if (b === 0) continue;
    tokens++;
    if (dot >= cosine * Math.sqrt(a * b)) close++;
  }
  return { tokens, close };
}

/** The share of tokens whose direction is another one, mostly because two orientations nearly tie. */
function compareOriented(key: string, got: Float32Array, want: Float32Array, dim: number): Comparison {
  const tolerance = 1 - ORIENTED_SHARE;
  if (got.length !== want.length) return { key, error: Number.POSITIVE_INFINITY, tolerance };
  const { tokens, close } = closeTokens(got, want, dim, ORIENTED_COSINE);
  const detail = `share of tokens with a cosine below ${ORIENTED_COSINE}: ${tokens - close} near-ties in ${tokens}`;
  return { key, error: tokens === 0 ? 0 : (tokens - close) / tokens, tolerance, detail };
}

/** The share of frames that are turned otherwise. */
function compareFrames(key: string, got: Float32Array, want: Float32Array): Comparison {
  const tolerance = 1 - ORIENTED_SHARE;
  if (got.length !== want.length) return { key, error: Number.POSITIVE_INFINITY, tolerance };
  const frames = want.length / 6;
  let other = 0;
  for (let frame = 0; frame < frames; frame++) {
    const part = (values: Float32Array) => values.subarray(frame * 6, frame * 6 + 6);
    // Not "greater": a frame that is not a number counts.
    if (!(absoluteError(part(got), part(want)) <= FRAME_ABSOLUTE)) other++;
  }
  const detail = `share of frames off by more than ${FRAME_ABSOLUTE} px: ${other} near-ties in ${frames}`;
  return { key, error: other / frames, tolerance, detail };
}
