/**
 * @file How the network that the metrics look through is named, in an experiment file and in the report: `random-vgg`; `inception-adm`,
 * the only one whose numbers are FIDs; a published encoder by its name as a target, such as `dinov2-vit-l`; or any image network in an
 * ONNX file:
 *
 *   onnx:FILE#OUTPUT?mean=0.485,0.456,0.406&std=0.229,0.224,0.225&size=224&pool=mean&logits=OUTPUT2&spatial=OUTPUT3
 *
 * - `OUTPUT`: any tensor of the graph, whether or not it is one of its outputs: [n, D], tokens [n, T, D] or a map [n, C, H, W];
 * - `mean`, `std` (required): the input is (pixel · scale − mean) / std, one value or three, RGB, NCHW;
 * - `scale`: 1/255 (default), or another number;
 * - `size`: side of the input in pixels; may be left out where the model fixes it;
 * - `pool`: how tokens and maps become one vector: `mean` (default), `cls` (token 0), `flatten`;
 * - `logits`: class scores [n, K] of which the softmax gives the probabilities of the inception score;
 * - `spatial`: a tensor that still has places, flattened: a second Fréchet distance, as sFID is on Inception.
 *
 * Knows names only, so that they can be checked without loading what they stand for.
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";
import { CLIP, ENCODERS } from "../../features/encoders/encoder-table.js";
import type { PublishedEncoder } from "../../features/encoders/published-encoder.js";
import { ONNX_PREFIX, parseOnnxName } from "../../features/onnx/onnx-name.js";
import { PREPROCESSING_KEYS, type Preprocessing, parsePreprocessing } from "../../features/onnx/preprocessing.js";

export const RANDOM_VGG = "random-vgg";
export const INCEPTION = "inception-adm";

/**
 * The encoder of CMMD: the projected embedding of the image. It is not among the targets, for it has no tokens.
 *
 * @source Jayasumana et al. 2024, arXiv 2401.09603: CLIP ViT-L/14 at 336 px.
 */
export const CMMD_ENCODER: PublishedEncoder = {
  name: "clip-vit-l-336",
  title: "OpenAI CLIP ViT-L/14 at 336 px",
  dim: 768,
  patchPx: 14,
  fixedPx: 336,
  interpolation: "bicubic-antialias",
  statistics: CLIP,
  output: "image_embeds",
  prefix: 0,
  hub: { repo: "Xenova/clip-vit-large-patch14-336", path: "onnx/vision_model.onnx" },
  python: "transformers",
};

const KEYS = [...PREPROCESSING_KEYS, "pool", "logits", "spatial"] as const;
const POOLS = ["mean", "cls", "flatten"] as const;
type Pool = (typeof POOLS)[number];

export interface OnnxNetworkSpec extends Preprocessing {
  readonly file: string;
  readonly output: string;
  readonly pool: Pool;
  readonly logits?: string;
  readonly spatial?: string;
}

/** Parse `onnx:FILE#OUTPUT?…`. @throws {UsageError} what is missing, unknown or no number, with the nearest known key. */
export function parseOnnxNetwork(name: string): OnnxNetworkSpec {
  const what = `feature network "${name}"`;
  const { file, output, values = new Map<string, string>() } = parseOnnxName(name, KEYS, what);
  if (output === "") {
    throw new UsageError(`${what}: want ${ONNX_PREFIX}FILE#OUTPUT?mean=…&std=…`, {
      hint: "OUTPUT is the tensor of the model that gives the features",
    });
  }
  const pool = values.get("pool") ?? "mean";
  if (!isPool(pool)) throw new UsageError(`${what}: pool wants ${POOLS.join(", ")}, got "${pool}"`);
  const logits = values.get("logits");
  const spatial = values.get("spatial");
  return {
    file,
    output,
    ...parsePreprocessing(values, what),
    pool,
    ...(logits === undefined ? {} : { logits }),
    ...(spatial === undefined ? {} : { spatial }),
  };
}

const isPool = (value: string): value is Pool => POOLS.some((pool) => pool === value);

/** What a network can be called, for help texts. */
export const NETWORKS: readonly { readonly pattern: string; readonly summary: string }[] = [
  {
    pattern: RANDOM_VGG,
    summary: "VGG16 at half width with fixed random weights: 256 features, no classes; needs no file",
  },
  {
    pattern: INCEPTION,
    summary: "the Inception of published FIDs: FID, sFID, inception score as the ADM evaluation suite has them; 96 MB",
  },
  {
    pattern: "dinov2-vit-l, …",
    summary: "a published encoder (descry targets --encoders): the Fréchet distance on its class token, as FD-DINOv2",
  },
  { pattern: CMMD_ENCODER.name, summary: `${CMMD_ENCODER.title}: CMMD` },
  {
    pattern: `${ONNX_PREFIX}FILE#OUTPUT?mean=M&std=S[&scale=N][&size=PX][&pool=mean|cls|flatten][&logits=OUTPUT2][&spatial=OUTPUT3]`,
    summary: "any ONNX image network: OUTPUT gives the features, OUTPUT2 class scores, OUTPUT3 spatial features",
  },
];

export type ParsedNetwork =
  | { readonly kind: "random-vgg" | "inception" }
  | { readonly kind: "encoder"; readonly encoder: PublishedEncoder }
  | { readonly kind: "onnx"; readonly spec: OnnxNetworkSpec };

/**
 * What a name stands for.
 *
 * @throws {UsageError} an unknown name, with the nearest known one; or options of an ONNX network as {@link parseOnnxNetwork}.
 */
export function parseNetworkName(name: string): ParsedNetwork {
  if (name === RANDOM_VGG) return { kind: "random-vgg" };
  if (name === INCEPTION) return { kind: "inception" };
  if (name.startsWith(ONNX_PREFIX)) return { kind: "onnx", spec: parseOnnxNetwork(name) };
  const encoders = [...ENCODERS, CMMD_ENCODER];
  const encoder = encoders.find((one) => one.name === name);
  if (encoder !== undefined) return { kind: "encoder", encoder };
  const nearest = nearestName(name, [RANDOM_VGG, INCEPTION, ...encoders.map((one) => one.name)]);
  throw new UsageError(`unknown feature network "${name}"; there are: ${NETWORKS.map((n) => n.pattern).join(", ")}`, {
    ...(nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}

/** A network's name as a part of a file's name: itself, or for an ONNX file its name and 8 digits of the hash of all that is asked of it. */
export function networkSlug(name: string): string {
  const parsed = parseNetworkName(name);
  if (parsed.kind !== "onnx") return name;
  const stem = basename(parsed.spec.file)
    .replace(/\.onnx$/i, "")
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-");
  return `${stem}-${createHash("sha256").update(name).digest("hex").slice(0, 8)}`;
}
