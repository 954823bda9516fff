/** @file A reference file in the layout of the ADM evaluation suite, of images of one's own: see `reference-file.ts`. */
import { NumericError, ShapeError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import type { NpyInput } from "../../data/npz.js";
import { type NpyStream, writeNpz } from "../../data/write-npz.js";
import { CovarianceSum } from "./covariance-sum.js";
import type { FeatureNetwork } from "./feature-network.js";
import { imagesOfSource } from "./image-set.js";
import { describedArray } from "./reference-file.js";
import { referenceOrder } from "./reference-pool.js";

export interface WriteReferenceOptions {
  readonly source: ImageSource;
  readonly sizePx: number;
  readonly network: FeatureNetwork;
  /** Images that go into the file, drawn without replacement, for precision, recall and KID; 0: statistics alone. */
  readonly images: number;
  /** Of the draw. */
  readonly seed: number;
  readonly outPath: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Write the statistics of all images of a source, and some of the images. Features are not kept: any number of images takes the same
 * memory.
 *
 * @throws {ShapeError} fewer than two images, or more asked for than there are. @throws {NumericError} features that are not finite.
 */
export async function writeReference(options: WriteReferenceOptions): Promise<void> {
  const { source, sizePx, network, images: wanted, seed, outPath, onProgress } = options;
  const { length } = source;
  if (length < 2 || wanted > length) {
    throw new ShapeError(`reference: wants at least ${Math.max(2, wanted)} images, ${source.name} has ${length}`);
  }
  const order = referenceOrder(length, seed);
  const sums = { pool: new CovarianceSum(network.dim), spatial: spatialSum(network) };
  let done = 0;
  for await (const { images, count, size } of imagesOfSource(source, order, sizePx).batches()) {
    const before = done;
    const output = await network.features(images, count, size, (part) => onProgress?.(before + part, length));
    sums.pool.add(output.features);
    if (output.spatial !== undefined) sums.spatial?.add(output.spatial);
    done += count;
  }
  const { name, sha256 } = network;
  const { fingerprint } = source;
  const described = { network: name, sha256, source: source.name, fingerprint, sizePx, images: length };
  const arrays: Record<string, NpyInput | NpyStream> = {};
  if (wanted > 0) {
    const chosen = imagesOfSource(source, order.subarray(0, wanted), sizePx);
    const parts = async function* () {
      for await (const { images } of chosen.batches()) yield images;
    };
    arrays["arr_0"] = { dtype: "|u1", shape: [wanted, sizePx, sizePx, 3], parts: parts() };
  }
  Object.assign(arrays, statistics(network, sums.pool, ["mu", "sigma"]));
  if (sums.spatial !== undefined) Object.assign(arrays, statistics(network, sums.spatial, ["mu_s", "sigma_s"]));
  arrays["descry"] = describedArray(described);
  await writeNpz(outPath, arrays);
}

const spatialSum = ({ spatialDim }: FeatureNetwork): CovarianceSum | undefined =>
  spatialDim === undefined ? undefined : new CovarianceSum(spatialDim);

function statistics(
  { name }: FeatureNetwork,
  sum: CovarianceSum,
  [meanName, covarianceName]: readonly [string, string],
): Record<string, NpyInput> {
  const { dim } = sum;
  const { mean, covariance } = sum.result();
  for (let i = 0; i < dim; i++) {
    if (!Number.isFinite(covariance[i * dim + i]!)) throw new NumericError(`${name}: channel ${i} is not finite`);
    for (let j = 0; j < i; j++) covariance[j * dim + i] = covariance[i * dim + j]!;
  }
  return { [meanName]: { data: mean, shape: [dim] }, [covarianceName]: { data: covariance, shape: [dim, dim] } };
}
