/**
 * @file How the network that the metrics look through is named, in an experiment file and in the report: `random-vgg`, or any image
 * network in an ONNX file:
 *
 *   onnx:FILE#OUTPUT?mean=0.485,0.456,0.406&std=0.229,0.224,0.225&size=224&pool=mean&logits=OUTPUT2
 *
 * - `OUTPUT`: any tensor of the graph, whether or not it is one of its outputs: [n, D], tokens [n, T, D] or a map [n, C, H, W];
 * - `mean`, `std` (required): the input is (pixel / 255 − mean) / std, one value or three, RGB, NCHW;
 * - `size`: side of the input in pixels; may be left out where the model fixes it;
 * - `pool`: how tokens and maps become one vector: `mean` (default), `cls` (token 0), `flatten`;
 * - `logits`: class scores [n, K] of which the softmax gives the probabilities of the inception score.
 *
 * Knows names only, so that they can be checked without loading what they stand for.
 */
import { UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";

export const RANDOM_VGG = "random-vgg";
export const ONNX_PREFIX = "onnx:";

const KEYS = ["size", "mean", "std", "pool", "logits"] as const;
const POOLS = ["mean", "cls", "flatten"] as const;
type Pool = (typeof POOLS)[number];
type Rgb = readonly [number, number, number];

export interface OnnxNetworkSpec {
  readonly file: string;
  readonly output: string;
  readonly sizePx?: number;
  readonly mean: Rgb;
  readonly std: Rgb;
  readonly pool: Pool;
  readonly logits?: string;
}

/** Parse `onnx:FILE#OUTPUT?…`. @throws {UsageError} what is missing, unknown or no number, with the nearest known key. */
export function parseOnnxNetwork(name: string): OnnxNetworkSpec {
  const rest = name.slice(ONNX_PREFIX.length);
  const mark = rest.indexOf("?", Math.max(0, rest.lastIndexOf("#")));
  const [place, query] = mark < 0 ? [rest, ""] : [rest.slice(0, mark), rest.slice(mark + 1)];
  const hash = place.lastIndexOf("#");
  const [file, output] = hash < 0 ? [place, ""] : [place.slice(0, hash), place.slice(hash + 1)];
  if (!name.startsWith(ONNX_PREFIX) || file === "" || output === "") {
    throw new UsageError(`feature network "${name}": want ${ONNX_PREFIX}FILE#OUTPUT?mean=…&std=…`, {
      hint: "OUTPUT is the tensor of the model that gives the features",
    });
  }
  const values = new Map<string, string>();
  for (const pair of query.split("&").filter((part) => part !== "")) {
    const equals = pair.indexOf("=");
    const [key, value] = equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    if (!KEYS.some((known) => known === key)) {
      const nearest = nearestName(key, KEYS);
      throw new UsageError(`feature network "${name}": unknown key "${key}"; there are: ${KEYS.join(", ")}`, {
        ...(nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` }),
      });
    }
    if (values.has(key)) throw new UsageError(`feature network "${name}": "${key}" is given twice`);
    if (value === "") throw new UsageError(`feature network "${name}": "${key}" has no value`);
    values.set(key, value);
  }
  const pool = values.get("pool") ?? "mean";
  if (!isPool(pool)) throw new UsageError(`feature network "${name}": pool wants ${POOLS.join(", ")}, got "${pool}"`);
  const size = values.get("size");
  if (size !== undefined && !/^[1-9]\d{0,4}$/.test(size)) {
    throw new UsageError(`feature network "${name}": size wants a whole number of pixels, got "${size}"`);
  }
  const logits = values.get("logits");
  return {
    file,
    output,
    ...(size === undefined ? {} : { sizePx: Number(size) }),
    mean: parseRgb(name, "mean", values.get("mean"), () => true),
    std: parseRgb(name, "std", values.get("std"), (value) => value > 0),
    pool,
    ...(logits === undefined ? {} : { logits }),
  };
}

const isPool = (value: string): value is Pool => POOLS.some((pool) => pool === value);

function parseRgb(name: string, key: string, text: string | undefined, accepts: (value: number) => boolean): Rgb {
  if (text === undefined) {
    throw new UsageError(`feature network "${name}": "${key}" is missing`, {
      hint: "ImageNet networks mostly want mean=0.485,0.456,0.406&std=0.229,0.224,0.225, some mean=0.5&std=0.5",
    });
  }
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const [r, g = r, b = r] = values;
  if (
    (values.length !== 1 && values.length !== 3) ||
    !values.every((value) => Number.isFinite(value) && accepts(value))
  ) {
    const wanted = key === "std" ? "numbers above 0" : "numbers";
    throw new UsageError(`feature network "${name}": ${key} wants one or three ${wanted}, got "${text}"`);
  }
  return [r!, g!, b!];
}

/** What a network can be called, for help texts. */
export const NETWORKS: readonly { readonly pattern: string; readonly summary: string }[] = [
  {
    pattern: RANDOM_VGG,
    summary: "VGG16 at half width with fixed random weights: 256 features, no classes; needs no file",
  },
  {
    pattern: `${ONNX_PREFIX}FILE#OUTPUT?mean=M&std=S[&size=PX][&pool=mean|cls|flatten][&logits=OUTPUT2]`,
    summary: "any ONNX image network: OUTPUT gives the features, OUTPUT2 class scores for the inception score",
  },
];

/**
 * What a name stands for.
 *
 * @throws {UsageError} an unknown name, with the nearest known one; or options of an ONNX network as {@link parseOnnxNetwork}.
 */
export function parseNetworkName(name: string): typeof RANDOM_VGG | OnnxNetworkSpec {
  if (name === RANDOM_VGG) return name;
  if (name.startsWith(ONNX_PREFIX)) return parseOnnxNetwork(name);
  const nearest = nearestName(name, [RANDOM_VGG]);
  throw new UsageError(`unknown feature network "${name}"; there are: ${NETWORKS.map((n) => n.pattern).join(", ")}`, {
    ...(nearest === undefined ? {} : { hint: `did you mean "${nearest}"?` }),
  });
}
