import type { FeatureNetwork, NetworkOptions } from "./feature-network.js";
import { parseNetworkName, RANDOM_VGG } from "./network-name.js";
import { openOnnxNetwork } from "./networks/onnx-network.js";
import { openRandomVgg } from "./networks/random-vgg.js";

/** Open a network by its name. @throws {UsageError} a name that is not known, or options that are not. @throws {DataError} a model that cannot be read. */
export async function openFeatureNetwork(name: string, options: NetworkOptions = {}): Promise<FeatureNetwork> {
  return parseNetworkName(name) === RANDOM_VGG ? openRandomVgg(options) : openOnnxNetwork(name, options);
}
