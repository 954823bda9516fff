/** @file What a run's results came from, each with the hash by which it can be recognised. */
import { existsSync } from "node:fs";
import path from "node:path";
import { hashFile } from "../../data/hash-file.js";
import { formatCount } from "./format-number.js";
import type { RunRecord } from "./read-run.js";

/** One thing that results came from. */
export interface HashedInput {
  readonly what: string;
  readonly name: string;
  /** SHA-256 (hex), or a key of the cache, which is a hash of everything that changes what is cached; null: not there to be hashed. */
  readonly hash: string | null;
}

/**
 * The data set, the caches, the weights that samples were drawn from, and the networks of the evaluations. First weights are not
 * among them: they follow from the seed.
 *
 * @throws {DataError} a checkpoint that cannot be read.
 */
export async function reproductionHashes({ caches, arms }: RunRecord): Promise<HashedInput[]> {
  const inputs: HashedInput[] = [];
  const add = (what: string, name: string, hash: string | null) => inputs.push({ what, name, hash });
  if (caches !== null) {
    const { source, images, latents, targets } = caches;
    add(
      "data set",
      `${source.name}, ${formatCount(source.length)} images${leftOut(source.skipped)}`,
      source.fingerprint,
    );
    add("cached images", source.name, images.key);
    if (latents !== undefined) {
      add("cached latents", latents.autoencoder, latents.key);
      add("encoder of the latents", latents.autoencoder, latents.encoderSha256);
      add("decoder of the latents", latents.autoencoder, latents.decoderSha256);
    }
    for (const [target, { key }] of Object.entries(targets)) add("cached features", target, key);
  }
  for (const { name, imported, samples, folder } of arms) {
    if (imported !== null) add("imported weights", `${name}: ${imported.file}`, imported.sha256);
    const checkpoint = samples?.checkpoint;
    if (imported !== null || checkpoint == null) continue;
    const file = path.join(folder, checkpoint);
    add("checkpoint of the samples", `${name}: ${checkpoint}`, existsSync(file) ? await hashFile(file) : null);
  }
  const evaluations = arms.flatMap(({ evaluations: ofArm }) => ofArm.map(({ record }) => record));
  for (const { network } of evaluations) add("network of the evaluation", network.name, network.sha256);
  return inputs.filter((one, i) => inputs.findIndex((other) => JSON.stringify(other) === JSON.stringify(one)) === i);
}

function leftOut(skipped: readonly string[]): string {
  return skipped.length === 0 ? "" : `, ${formatCount(skipped.length)} undecodable left out`;
}
