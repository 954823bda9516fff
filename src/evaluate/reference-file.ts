/**
 * @file Reference files of the ADM evaluation suite: an npz file with images, uint8 [n, size, size, 3], under `arr_0`, and statistics of
 * them or of the larger set that they are from: `mu` [D], `sigma` [D, D] of the features, `mu_s`, `sigma_s` of the spatial ones. Either
 * may be missing.
 *
 * Files written here have one more array, `descry`: what the statistics are of, as JSON. One without it is taken to be of the ADM suite's
 * own network, and serves no other.
 *
 * @source github.com/openai/guided-diffusion, evaluations.
 */
import { z } from "zod";
import { DataError } from "../../data/errors.js";
import { hashFile } from "../../data/hash-file.js";
import { listNpz, type NpyInput, readNpz } from "../../data/npz.js";
import type { FeatureNetwork } from "./feature-network.js";
import { type Gaussian, gaussianFrom } from "./frechet-distance.js";
import { type ImageSet, imagesOfNpz } from "./image-set.js";

/** What the statistics of a file are of. */
const describedSchema = z.object({
  network: z.string(),
  /** Of the network with its weights and preprocessing. */
  sha256: z.string(),
  source: z.string(),
  /** Of the data set. */
  fingerprint: z.string(),
  sizePx: z.int().min(1),
  /** Images that the statistics are of. */
  images: z.int().min(2),
});
export type DescribedStatistics = z.output<typeof describedSchema>;

export interface ReferenceStatistics {
  readonly features: Gaussian;
  /** Absent where the file has none. */
  readonly spatial?: Gaussian;
  /** Images that they are of; null: the file does not say. */
  readonly images: number | null;
}

export interface ReferenceFile {
  /** Of the file. */
  readonly sha256: string;
  readonly images?: ImageSet;
  /** Those for a network; undefined where the file has none for it, but images. @throws {DataError} statistics that do not fit, and no images. */
  statisticsFor(network: FeatureNetwork): Promise<ReferenceStatistics | undefined>;
}

/** @throws {DataError} a file that cannot be read, or with neither images nor statistics. */
export async function openReferenceFile(path: string): Promise<ReferenceFile> {
  const names = new Set((await listNpz(path)).map(({ name }) => name));
  const images = await imagesOfNpz(path);
  const hasStatistics = names.has("mu") && names.has("sigma");
  if (images === undefined && !hasStatistics) {
    throw new DataError(
      `${path}: holds ${[...names].join(", ") || "nothing"}; wanted arr_0 (images), or mu and sigma`,
      {
        hint: "such files are those of the ADM evaluation suite; descry reference writes one of your own images",
      },
    );
  }
  const described = names.has("descry") ? await readDescribed(path) : undefined;
  return {
    sha256: await hashFile(path),
    ...(images === undefined ? {} : { images }),
    async statisticsFor(network) {
      const unfit = hasStatistics ? reasonAgainst(described, network) : "has no statistics";
      if (unfit !== undefined) {
        if (images !== undefined) return undefined;
        throw new DataError(`${path}: ${unfit}`, {
          hint: "it has no images either, from which they could be computed",
        });
      }
      const features = await readGaussian(path, ["mu", "sigma"], network, network.dim);
      const hasSpatial = network.spatialDim !== undefined && names.has("mu_s") && names.has("sigma_s");
      return {
        features,
        ...(hasSpatial ? { spatial: await readGaussian(path, ["mu_s", "sigma_s"], network, network.spatialDim!) } : {}),
        images: described?.images ?? null,
      };
    },
  };
}

/** Why the statistics are not those of a network; undefined: they are. */
function reasonAgainst(described: DescribedStatistics | undefined, network: FeatureNetwork): string | undefined {
  if (described === undefined) {
    return network.proxy
      ? `its statistics do not say of which network they are: only inception-adm takes them, got ${network.name}`
      : undefined;
  }
  return described.sha256 === network.sha256
    ? undefined
    : `its statistics are of ${described.network} (${described.sha256.slice(0, 12)}), not of ${network.name} (${network.sha256.slice(0, 12)})`;
}

async function readDescribed(path: string): Promise<DescribedStatistics> {
  const { data } = (await readNpz(path, ["descry"]))["descry"]!;
  try {
    return describedSchema.parse(JSON.parse(Buffer.from(data as Uint8Array).toString("utf8")));
  } catch (cause) {
    throw new DataError(`${path}: the array descry does not say what the statistics are of`, {
      hint: "write the file again: descry reference",
      cause,
    });
  }
}

async function readGaussian(
  path: string,
  names: readonly [mean: string, covariance: string],
  network: FeatureNetwork,
  dim: number,
): Promise<Gaussian> {
  const arrays = await readNpz(path, names);
  const [mean, covariance] = names.map((name, i) => {
    const { data, shape, dtype } = arrays[name]!;
    const wanted = i === 0 ? [dim] : [dim, dim];
    if (shape.join() !== wanted.join() || (dtype !== "<f8" && dtype !== "<f4")) {
      throw new DataError(
        `${path}: ${name} is ${dtype} [${shape.join(", ")}], ${network.name} wants floats [${wanted.join(", ")}]`,
      );
    }
    return Float64Array.from(data as Float64Array);
  });
  return gaussianFrom(mean!, covariance!);
}

/** The array that says what the statistics of a file are of. */
export function describedArray(described: DescribedStatistics): NpyInput {
  const data = new Uint8Array(Buffer.from(JSON.stringify(described), "utf8"));
  return { data, shape: [data.length] };
}
