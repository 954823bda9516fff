/**
 * @file The first principal components of a descriptor, over a data set. Owns `pcaN(TARGET)`; which images it is fitted to is
 * decided in `fit-descriptor.ts`.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { UsageError } from "../../data/errors.js";
import { openFeatureComputer } from "../compute-features.js";
import type { Descriptor, FeatureComputerOptions, OpenedDescriptor } from "../descriptor.js";
import { type CombinationFamily, mapTokens, onePart } from "./combination.js";

/** Tokens that the components are computed from; evenly spaced ones where there are more. */
const MOST_TOKENS = 16_384;
const VERSION = 1;

interface Basis {
  /** [D] */
  readonly mean: Float64Array;
  /** [count,D], rows of unit length, by falling variance. */
  readonly components: Float64Array;
}

/**
 * The tokens of a descriptor on the first principal components of all tokens of a sample of images.
 *
 *   y = V (x − mean),  V: [count,D], the eigenvectors of the covariance with the largest eigenvalues
 *
 * The components are not whitened: each keeps its variance. The mean of the data set is gone, which alone raises contrasts: the
 * cosines are not those of the part even with all D components. A component's sign is free; its largest entry is positive here.
 */
function pca(count: number, part: Descriptor): OpenedDescriptor {
  const facts = {
    name: `pca${count}(${part.name})`,
    dim: count,
    version: VERSION,
    summary: `the first ${count} principal components of ${part.name} over the data set`,
  };
  return {
    ...facts,
    version: VERSION + part.version,
    async fit(images, imageCount, options, rows) {
      const fitted = part.fit === undefined ? part : await part.fit(images, imageCount, options, rows);
      const basis = principalBasis(await tokensOf(fitted, images, imageCount, options, rows), part.dim, count);
      return mapTokens(fitted, facts, ({ tokens }) => project(tokens, basis));
    },
    async open() {
      throw new UsageError(`${facts.name} has to be fitted to images before it is computed`);
    },
  };
}

async function tokensOf(
  descriptor: Descriptor,
  images: Uint8Array,
  count: number,
  options: FeatureComputerOptions,
  rows: readonly number[] | undefined,
): Promise<Float32Array> {
  const computer = await openFeatureComputer(descriptor, options);
  try {
    return await computer.compute(images, count, rows);
  } finally {
    await computer.dispose();
  }
}

function principalBasis(tokens: Float32Array, dim: number, count: number): Basis {
  const all = tokens.length / dim;
  const rows = Math.min(all, MOST_TOKENS);
  const matrix = new Matrix(rows, dim);
  for (let row = 0; row < rows; row++) {
    const from = Math.floor(((row + 0.5) * all) / rows) * dim;
    matrix.setRow(row, tokens.subarray(from, from + dim));
  }
  const mean = Float64Array.from(matrix.mean("column"));
  const centred = matrix.subRowVector([...mean]);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(centred.transpose().mmul(centred), {
    assumeSymmetric: true,
  });
  const order = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b]! - realEigenvalues[a]!);
  const components = new Float64Array(count * dim);
  for (let k = 0; k < count; k++) {
    const vector = eigenvectorMatrix.getColumn(order[k]!);
    const largest = vector.reduce((most, entry) => (Math.abs(entry) > Math.abs(most) ? entry : most), 0);
    for (let d = 0; d < dim; d++) components[k * dim + d] = largest < 0 ? -vector[d]! : vector[d]!;
  }
  return { mean, components };
}

/** [N,D] → [N,count] */
function project(tokens: Float32Array, { mean, components }: Basis): Float32Array {
  const dim = mean.length;
  const count = components.length / dim;
  const rows = tokens.length / dim;
  const scores = new Float32Array(rows * count);
  const centred = new Float64Array(dim);
  for (let row = 0; row < rows; row++) {
    for (let d = 0; d < dim; d++) centred[d] = tokens[row * dim + d]! - mean[d]!;
    for (let k = 0; k < count; k++) {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += components[k * dim + d]! * centred[d]!;
      scores[row * count + k] = sum;
    }
  }
  return scores;
}

export const pcaFamily: CombinationFamily = {
  name: "pca",
  targets: [
    {
      pattern: "pcaN(TARGET)",
      summary: "the first N principal components of a target over the data set, such as pca64(sift)",
      dim: "N",
    },
  ],
  combine(number, parts) {
    const part = onePart("pca64(sift)", parts);
    const count = Number(number);
    if (!/^\d+$/.test(number) || count < 1 || count > part.dim) {
      throw new UsageError(
        `pca: wanted how many components of ${part.name} behind the name, 1 to ${part.dim}, got "${number}"`,
        { hint: `for example pca${Math.min(64, part.dim)}(${part.name})` },
      );
    }
    return pca(count, part);
  },
};
