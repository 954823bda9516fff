import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { NumericError, ShapeError } from "../../data/errors.js";

/** Scores of tokens on their first principal components. */
export interface PrincipalComponents {
  /** [tokens, count] float64, row-major; components that the tokens do not have are zero. */
  readonly scores: Float64Array;
  /** Share of the variance of each component, 0..1; zeros where all tokens are equal. */
  readonly shares: Float64Array;
}

/**
 * Principal components of the tokens of one image.
 *
 * The tokens are centred over space, Y = X − mean(X); the scores are U·S of Y = U·S·Vᵀ, from the eigenvectors of the smaller of
 * the Gram matrices Y·Yᵀ (T×T) and Yᵀ·Y (D×D). A component's sign is free; here the entry of largest magnitude of its score is
 * positive, the first one in a tie, so that equal tokens always give the same picture.
 *
 * @param tokens [tokens, dim] float32, row-major. Read only.
 * @param count  how many components.
 * @throws {ShapeError} `tokens` is not so long. @throws {NumericError} a token that is not finite.
 */
export function principalComponents(
  tokens: Float32Array,
  [rows, dim]: readonly [tokens: number, dim: number],
  count = 3,
): PrincipalComponents {
  if (tokens.length !== rows * dim || rows < 1 || dim < 1) {
    throw new ShapeError(`principal components: want ${rows}×${dim} values, got ${tokens.length}`);
  }
  const bad = tokens.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new NumericError(
      `principal components: token ${Math.floor(bad / dim)} has ${tokens[bad]} in channel ${bad % dim}`,
    );
  }
  const centred = centre(tokens, rows, dim);
  const scores = new Float64Array(rows * count);
  const shares = new Float64Array(count);
  const total = centred.reduce((sum, value) => sum + value * value, 0);
  // Equal tokens leave rounding noise of about 1e-7 of their magnitude, which must not become a picture.
  const magnitude = tokens.reduce((sum, value) => sum + value * value, 0);
  if (total <= 1e-12 * magnitude) return { scores, shares };
  const byTokens = rows <= dim;
  const side = byTokens ? rows : dim;
  const gram = byTokens ? products(centred, rows, dim, "rows") : products(centred, rows, dim, "columns");
  const decomposition = new EigenvalueDecomposition(new Matrix(gram), { assumeSymmetric: true });
  const order = [...decomposition.realEigenvalues.keys()].sort(
    (a, b) => decomposition.realEigenvalues[b]! - decomposition.realEigenvalues[a]!,
  );
  for (let k = 0; k < Math.min(count, side); k++) {
    const value = Math.max(0, decomposition.realEigenvalues[order[k]!]!);
    if (value <= 1e-10 * total) break;
    shares[k] = value / total;
    const vector = decomposition.eigenvectorMatrix.getColumn(order[k]!);
    const score = byTokens
      ? vector.map((entry) => entry * Math.sqrt(value))
      : Array.from({ length: rows }, (_, row) => {
          let sum = 0;
          for (let d = 0; d < dim; d++) sum += centred[row * dim + d]! * vector[d]!;
          return sum;
        });
    const sign = signOf(score);
    for (let row = 0; row < rows; row++) scores[row * count + k] = sign * score[row]!;
  }
  return { scores, shares };
}

function centre(tokens: Float32Array, rows: number, dim: number): Float64Array {
  const centred = Float64Array.from(tokens);
  for (let d = 0; d < dim; d++) {
    let mean = 0;
    for (let row = 0; row < rows; row++) mean += tokens[row * dim + d]! / rows;
    for (let row = 0; row < rows; row++) centred[row * dim + d]! -= mean;
  }
  return centred;
}

/** Y·Yᵀ of the rows, or Yᵀ·Y of the columns. */
function products(values: Float64Array, rows: number, dim: number, of: "rows" | "columns"): number[][] {
  const [side, inner] = of === "rows" ? [rows, dim] : [dim, rows];
  const [step, stride] = of === "rows" ? [dim, 1] : [1, dim];
  const gram = Array.from({ length: side }, () => new Array<number>(side).fill(0));
  for (let i = 0; i < side; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += values[i * step + k * stride]! * values[j * step + k * stride]!;
      gram[i]![j] = sum;
      gram[j]![i] = sum;
    }
  }
  return gram;
}

function signOf(score: readonly number[]): 1 | -1 {
  let largest = 0;
  // A mirror image of equal magnitude may come out larger by a rounding error; that must not turn the sign.
  for (const value of score) if (Math.abs(value) > Math.abs(largest) * (1 + 1e-6)) largest = value;
  return largest < 0 ? -1 : 1;
}

/**
 * Scores → colours: the first three components as red, green and blue, each between its 2nd and 98th percentile; a component
 * that is zero everywhere is medium grey.
 *
 * @returns [tokens,3] uint8 RGB.
 */
export function colourComponents(scores: Float64Array, count = 3): Uint8Array {
  const rows = scores.length / count;
  const colours = new Uint8Array(rows * 3).fill(128);
  for (let k = 0; k < Math.min(3, count); k++) {
    const column = Float64Array.from({ length: rows }, (_, row) => scores[row * count + k]!);
    const sorted = Float64Array.from(column).sort();
    const low = percentile(sorted, 0.02);
    const high = percentile(sorted, 0.98);
    if (high <= low) continue;
    for (let row = 0; row < rows; row++) {
      const share = (column[row]! - low) / (high - low);
      colours[row * 3 + k] = Math.round(255 * Math.min(1, Math.max(0, share)));
    }
  }
  return colours;
}

/** Linear between the two nearest ranks. */
function percentile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  return sorted[below]! + (at - below) * (sorted[Math.ceil(at)]! - sorted[below]!);
}
