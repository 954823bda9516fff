import { UsageError } from "../../data/errors.js";
import { nearestName } from "../../data/nearest.js";
import { ONNX_PREFIX } from "../onnx/onnx-name.js";
import { type AutoencoderSettings, parseOnnxAutoencoder } from "./autoencoder-name.js";
import { PUBLISHED, publishedAutoencoder } from "./published.js";

/**
 * The autoencoder that a name stands for.
 *
 * @throws {UsageError} an unknown name, with the nearest known one, or settings as `parseOnnxAutoencoder` refuses them.
 * @throws {DataError} a YAML file that cannot be read.
 */
export function parseAutoencoder(name: string): AutoencoderSettings {
  if (name.startsWith(ONNX_PREFIX)) return parseOnnxAutoencoder(name);
  const known = Object.keys(PUBLISHED);
  if (known.includes(name)) return publishedAutoencoder(name);
  const nearest = nearestName(name, known);
  throw new UsageError(
    `unknown autoencoder "${name}"; there are: ${ONNX_PREFIX}ENCODER#OUTPUT?…, ${known.join(", ")}`,
    {
      hint: nearest === undefined ? `a file is named ${ONNX_PREFIX}FILE` : `did you mean "${nearest}"?`,
    },
  );
}
