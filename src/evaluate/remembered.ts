import type { FeatureMatrix } from "./feature-matrix.js";

/**
 * The same function, which remembers its values for as long as the matrices are in memory: what depends on a reference alone is computed
 * once for all samples that are compared with it.
 */
export function remembered(compute: (matrix: FeatureMatrix) => number): (matrix: FeatureMatrix) => number {
  const known = new WeakMap<FeatureMatrix, number>();
  return (matrix) => {
    const value = known.get(matrix) ?? compute(matrix);
    known.set(matrix, value);
    return value;
  };
}
