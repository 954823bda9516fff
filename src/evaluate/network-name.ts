/**
 * @file How the network that the metrics look through is named, in an experiment file and in the report: `random-vgg`, or any image
 * network in an ONNX file:
 *
 *   onnx:FILE#OUTPUT?mean=0.485,0.456,0.406&std=0.229,0.224,0.225&size=224&pool=mean&logits=OUTPUT2
 *
 * - `OUTPUT`: any tensor of the graph, whether or not it is one of its outputs: [n, D], tokens [n, T, D] or a map [n, C, H, W];
 * - `mean`, `std` (required): the input is (pixel · scale − mean) / std, one value or three, RGB, NCHW;
 * - `scale`: 1/255 (default), or another number;
 * - `size`: side of the input in pixels; may be left out where the model fixes it;
 * - `pool`: how tokens and maps become one vector: `mean` (default), `cls` (token 0), `flatten`;
 * - `logits`: class scores [n, K] of which the softmax gives the probabilities of the inception score.
 *
 * Knows names only, so that they can be checked without loading what they stand for.
 */
import { UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";
import { ONNX_PREFIX, parseOnnxName } from "../../features/onnx/onnx-name.js";
import { PREPROCESSING_KEYS, type Preprocessing, parsePreprocessing } from "../../features/onnx/preprocessing.js";

export const RANDOM_VGG = "random-vgg";

const KEYS = [...PREPROCESSING_KEYS, "pool", "logits"] as const;
const POOLS = ["mean", "cls", "flatten"] as const;
type Pool = (typeof POOLS)[number];

export interface OnnxNetworkSpec extends Preprocessing {
  readonly file: string;
  readonly output: string;
  readonly pool: Pool;
  readonly logits?: string;
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
  return {
    file,
    output,
    ...parsePreprocessing(values, what),
    pool,
    ...(logits === undefined ? {} : { logits }),
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
    pattern: `${ONNX_PREFIX}FILE#OUTPUT?mean=M&std=S[&scale=N][&size=PX][&pool=mean|cls|flatten][&logits=OUTPUT2]`,
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
