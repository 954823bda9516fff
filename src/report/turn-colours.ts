import { Matrix, SVD } from "ml-matrix";

/**
 * Turn principal components so that their colours fit those of others as well as a rotation or mirroring of the three can:
 *
 *   Y R with R = U Vᵀ, U S Vᵀ = SVD(Yᵀ Z), each column of Y and Z scaled to unit length.
 *
 * Components have no sign and, where their variances are close, no order of their own: without this a picture would jump between
 * colours from one training step to the next. What the components show is not changed by it.
 *
 * @param scores [tokens,3] float64, columns centred. Read only.
 * @param onto   [tokens,3] float64, columns centred. Read only.
 * @returns [tokens,3] float64; components that `scores` lacks (zeros) take no part.
 * @source orthogonal Procrustes problem: Schönemann, Psychometrika 31 (1966).
 */
export function turnColours(scores: Float64Array, onto: Float64Array): Float64Array {
  const [y, z] = [unitColumns(scores), unitColumns(onto)];
  const { leftSingularVectors, rightSingularVectors } = new SVD(y.transpose().mmul(z), { autoTranspose: true });
  const turned = y.mmul(leftSingularVectors.mmul(rightSingularVectors.transpose()));
  return Float64Array.from(turned.to1DArray());
}

function unitColumns(scores: Float64Array): Matrix {
  const matrix = Matrix.from1DArray(scores.length / 3, 3, scores);
  for (let k = 0; k < 3; k++) {
    const column = matrix.getColumn(k);
    const length = Math.hypot(...column);
    if (length > 0)
      matrix.setColumn(
        k,
        column.map((value) => value / length),
      );
  }
  return matrix;
}
