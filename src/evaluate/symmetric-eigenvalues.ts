/**
 * Eigenvalues of a symmetric matrix, in float64, without the eigenvectors (which would cost six times as much: at
 * 1024×1024, 11 s in ml-matrix).
 *
 * Householder reflections make the matrix tridiagonal, QL steps with implicit Wilkinson shifts make that diagonal.
 *
 * @param matrix [size, size] row-major; only the lower triangle is read. Overwritten.
 * @returns [size], in descending order; each is off by no more than about size · 2⁻⁵² of the largest magnitude.
 * @throws {NumericError} the matrix holds values that are not finite, or so large that their squares are not.
 * @source Golub & Van Loan, Matrix Computations, 4th ed., algorithms 5.1.1, 8.3.1 and 8.3.2.
 */
import { NumericError } from "../../data/errors.js";

export function symmetricEigenvalues(matrix: Float64Array, size: number): Float64Array {
  const { diagonal, below } = tridiagonalize(matrix, size);
  if (![diagonal, below].every((values) => values.every(Number.isFinite))) {
    throw new NumericError(`eigenvalues: the ${size}×${size} matrix is not finite, or too large`);
  }
  diagonalize(diagonal, below);
  return diagonal.sort().reverse();
}

interface Tridiagonal {
  /** [size] */
  readonly diagonal: Float64Array;
  /** [size]: element i stands at (i + 1, i); the last is 0. */
  readonly below: Float64Array;
}

/**
 * Reduce from the last row upwards, so that only contiguous rows of the lower triangle are walked: with
 * H = I − β v vᵀ, p = β A v and w = p − (β pᵀv / 2) v, the rest becomes H A H = A − v wᵀ − w vᵀ.
 */
function tridiagonalize(a: Float64Array, size: number): Tridiagonal {
  const diagonal = new Float64Array(size);
  const below = new Float64Array(size);
  const w = new Float64Array(size);
  for (let k = size - 1; k >= 1; k--) {
    diagonal[k] = a[k * size + k]!;
    const v = a.subarray(k * size, k * size + k); // the row left of the diagonal; all but its last element is to vanish
    const last = v[k - 1]!;
    let scale = 0;
    for (let i = 0; i < k - 1; i++) scale = Math.max(scale, Math.abs(v[i]!));
    if (scale === 0) {
      below[k - 1] = last;
      continue;
    }
    scale = Math.max(scale, Math.abs(last));
    let squares = 0;
    for (let i = 0; i < k; i++) {
      v[i] = v[i]! / scale;
      squares += v[i]! * v[i]!;
    }
    const norm = last > 0 ? -Math.sqrt(squares) : Math.sqrt(squares); // the sign that does not cancel
    below[k - 1] = norm * scale;
    const beta = 1 / (squares - v[k - 1]! * norm); // 2 / vᵀv with v[k−1] as set below
    v[k - 1] = v[k - 1]! - norm;
    // p = β A v from the lower triangle: row i serves as row and as column.
    w.fill(0, 0, k);
    for (let i = 0; i < k; i++) {
      const row = i * size;
      const vi = v[i]!;
      let sum = a[row + i]! * vi;
      for (let j = 0; j < i; j++) {
        const aij = a[row + j]!;
        sum += aij * v[j]!;
        w[j] = w[j]! + aij * vi;
      }
      w[i] = w[i]! + sum;
    }
    let overlap = 0;
    for (let i = 0; i < k; i++) {
      w[i] = w[i]! * beta;
      overlap += w[i]! * v[i]!;
    }
    const half = (beta * overlap) / 2;
    for (let i = 0; i < k; i++) w[i] = w[i]! - half * v[i]!;
    for (let i = 0; i < k; i++) {
      const row = i * size;
      const [vi, wi] = [v[i]!, w[i]!];
      for (let j = 0; j <= i; j++) a[row + j] = a[row + j]! - vi * w[j]! - wi * v[j]!;
    }
  }
  diagonal[0] = a[0] ?? 0;
  return { diagonal, below };
}

/** Steps of one eigenvalue; two or three are usual. */
const MAX_STEPS = 60;

/** QL with implicit shifts, in place: `d` becomes the eigenvalues. */
function diagonalize(d: Float64Array, e: Float64Array): void {
  const size = d.length;
  // What is below the rounding of the largest elements is noise, which would never become small beside the smallest ones.
  let norm = 0;
  for (let i = 0; i < size; i++) norm = Math.max(norm, Math.abs(d[i]!) + Math.abs(e[i]!));
  const noise = Number.EPSILON * norm;
  for (let start = 0; start < size; start++) {
    for (let step = 0; ; step++) {
      let end = start;
      while (end < size - 1 && Math.abs(e[end]!) > noise) end++;
      if (end === start) break;
      if (step === MAX_STEPS) throw new NumericError(`eigenvalues: no convergence in ${MAX_STEPS} steps at ${start}`);
      // Wilkinson's shift: the eigenvalue of the leading 2×2 block that is nearest to its corner.
      const delta = (d[start + 1]! - d[start]!) / (2 * e[start]!);
      const shift = d[start]! - e[start]! / (delta + Math.sign(delta || 1) * Math.hypot(delta, 1));
      let bulge = d[end]! - shift;
      let [cosine, sine, carry] = [1, 1, 0];
      let i = end - 1;
      for (; i >= start; i--) {
        const across = sine * e[i]!;
        const along = cosine * e[i]!;
        const radius = Math.hypot(bulge, across);
        e[i + 1] = radius;
        if (radius === 0) {
          d[i + 1] = d[i + 1]! - carry;
          break;
        }
        sine = across / radius;
        cosine = bulge / radius;
        const rest = d[i + 1]! - carry;
        const mixed = (d[i]! - rest) * sine + 2 * cosine * along;
        carry = sine * mixed;
        d[i + 1] = rest + carry;
        bulge = cosine * mixed - along;
      }
      e[end] = 0;
      if (i >= start) continue; // a radius of zero split the block: look again
      d[start] = d[start]! - carry;
      e[start] = bulge;
    }
  }
}
