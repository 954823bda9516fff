import type { FeatureNetwork, NetworkOptions } from "./feature-network.js";
import { parseNetworkName } from "./network-name.js";
import { openEncoderNetwork } from "./networks/encoder-network.js";
import { openInception } from "./networks/inception.js";
import { openOnnxNetwork } from "./networks/onnx-network.js";
import { openRandomVgg } from "./networks/random-vgg.js";

/** Open a network by its name. @throws {UsageError} a name that is not known, or options that are not. @throws {DataError} a model that cannot be read. */
export async function openFeatureNetwork(name: string, options: NetworkOptions = {}): Promise<FeatureNetwork> {
  const parsed = parseNetworkName(name);
  switch (parsed.kind) {
    case "random-vgg":
      return openRandomVgg(options);
    case "inception":
      return openInception(options);
    case "encoder":
      return openEncoderNetwork(parsed.encoder, options);
    case "onnx":
      return openOnnxNetwork(name, options);
  }
}
