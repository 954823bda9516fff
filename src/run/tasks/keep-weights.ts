import { mkdir } from "node:fs/promises";
import path from "node:path";
import { readCheckpointWeights, type WeightsName } from "../../sample/network.js";
import { writeCheckpointFile } from "../../train/checkpoint.js";

/**
 * Keep one set of a checkpoint's weights, without the state of the optimizer and without projectors: a quarter of its size. The file
 * is sampled from as the checkpoint is.
 *
 * @param to its folder is made if absent.
 * @throws {DataError} the checkpoint is damaged, or the file cannot be written.
 */
export async function keepWeights(checkpoint: string, to: string, weights: WeightsName): Promise<void> {
  const { parameters, metadata } = await readCheckpointWeights(checkpoint, weights);
  const state = Object.fromEntries(Object.entries(parameters).map(([name, tensor]) => [`${weights}/${name}`, tensor]));
  await mkdir(path.dirname(to), { recursive: true });
  await writeCheckpointFile(to, {
    step: Number(metadata["step"]),
    state,
    config: JSON.parse(metadata["config"]!),
    configHash: metadata["configHash"]!,
  });
}
