/**
 * @file Improved precision and recall: how much of the samples lies on the manifold of the reference, and the other way round.
 * The manifold of a set is the union of balls, one around each point, that reach its k-th nearest other point.
 *
 * @source Kynkäänniemi et al. 2019, Improved Precision and Recall Metric for Assessing Generative Models, arXiv 1904.06991,
 * equations 1 and 2.
 *
 * Known difference: the evaluation tool of ADM compares distances in float16 where they fit; here everything is float64.
 */
import { ShapeError } from "../../data/errors.js";
import { checkPair, type FeatureMatrix, type ProductBlock, visitProducts } from "./feature-matrix.js";

export interface PrecisionRecall {
  /** Share of the samples within the reference's manifold, 0…1: fidelity. */
  readonly precision: number;
  /** Share of the reference within the samples' manifold, 0…1: diversity. */
  readonly recall: number;
}

/**
 * Precision and recall.
 *
 * @param reference [n, D]; n > neighbours. @param samples [m, D]; m > neighbours.
 * @param neighbours k of the radius; a point is not its own neighbour. @default 3
 * @throws {ShapeError} too few vectors, or dimensions that differ. @throws {NumericError} features that are not finite.
 */
export function precisionRecall(reference: FeatureMatrix, samples: FeatureMatrix, neighbours = 3): PrecisionRecall {
  if (!Number.isInteger(neighbours) || neighbours < 1) {
    throw new ShapeError(`precision and recall: neighbours must be a whole number from 1, got ${neighbours}`);
  }
  checkPair(reference, samples, neighbours + 1);
  const [referenceRadii, sampleRadii] = [radii(reference, neighbours), radii(samples, neighbours)];
  const covered = new Uint8Array(reference.count);
  const faithful = new Uint8Array(samples.count);
  visitDistances(reference, samples, false, (i, j, distance) => {
    if (distance <= referenceRadii[i]!) faithful[j] = 1;
    if (distance <= sampleRadii[j]!) covered[i] = 1;
  });
  return { precision: share(faithful), recall: share(covered) };
}

const share = (flags: Uint8Array): number => flags.reduce((sum, flag) => sum + flag, 0) / flags.length;

/** Squared distance of each point to its k-th nearest other point. */
function radii(set: FeatureMatrix, neighbours: number): Float64Array {
  // Per point the k smallest distances so far, ascending.
  const nearest = new Float64Array(set.count * neighbours).fill(Number.POSITIVE_INFINITY);
  const offer = (point: number, distance: number): void => {
    let at = (point + 1) * neighbours - 1;
    if (distance >= nearest[at]!) return;
    for (; at > point * neighbours && nearest[at - 1]! > distance; at--) nearest[at] = nearest[at - 1]!;
    nearest[at] = distance;
  };
  visitDistances(set, set, true, (i, j, distance) => {
    offer(i, distance);
    offer(j, distance);
  });
  return Float64Array.from({ length: set.count }, (_, i) => nearest[(i + 1) * neighbours - 1]!);
}

/** Below this share of ‖u‖² + ‖v‖², their difference from 2⟨u, v⟩ has lost digits and is computed again from u − v. */
const CANCELLED = 1e-6;

/** Squared distances of all pairs; `below`: of those with i > j. The same bits for (u, v) as for (v, u). */
function visitDistances(
  a: FeatureMatrix,
  b: FeatureMatrix,
  below: boolean,
  visit: (i: number, j: number, distance: number) => void,
): void {
  const [aSquares, bSquares] = [squares(a), squares(b)];
  visitProducts(
    a,
    b,
    ({ values, width, rowStart, rows, columnStart, columns }: ProductBlock) => {
      for (let i = 0; i < rows; i++) {
        const end = below ? Math.min(columns, rowStart + i - columnStart) : columns;
        for (let j = 0; j < end; j++) {
          const [row, column] = [rowStart + i, columnStart + j];
          const sum = aSquares[row]! + bSquares[column]!;
          const distance = sum - 2 * values[i * width + j]!;
          visit(row, column, distance > CANCELLED * sum ? distance : exactDistance(a, row, b, column));
        }
      }
    },
    { lower: below },
  );
}

function squares({ data, count, dim }: FeatureMatrix): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => {
    let sum = 0;
    for (let d = i * dim; d < (i + 1) * dim; d++) sum += data[d]! * data[d]!;
    return sum;
  });
}

function exactDistance(a: FeatureMatrix, i: number, b: FeatureMatrix, j: number): number {
  let sum = 0;
  for (let d = 0; d < a.dim; d++) sum += (a.data[i * a.dim + d]! - b.data[j * b.dim + d]!) ** 2;
  return sum;
}
