import { UsageError } from "../../data/errors.js";
import type { Descriptor, OpenedDescriptor } from "../descriptor.js";
import { type CombinationFamily, mapTokens, onePart } from "./combination.js";

/** A Gaussian over more tokens than any grid has would be a mean. */
const MAX_SIGMA = 64;

/**
 * A descriptor whose channels are blurred over the grid: neighbours become alike, which raises what LDS measures, and detail goes.
 *
 *   y[r,c] = Σ_r' Σ_c' g(r − r') g(c − c') x[r',c'],  g(k) ∝ exp(−k² / 2σ²)
 *
 * The weights of each token sum to 1 over the tokens that there are: nothing is invented beyond the border.
 *
 * @param sigma σ, in tokens.
 */
function blur(sigma: number, part: Descriptor): OpenedDescriptor {
  const facts = {
    name: `blur${sigma}(${part.name})`,
    dim: part.dim,
    version: 1,
    summary: `${part.name}, blurred over the grid by a Gaussian of σ = ${sigma} tokens`,
  };
  return mapTokens(part, facts, ({ tokens, count, grid: [rows, cols] }) => {
    const [down, across] = [blurWeights(rows, sigma), blurWeights(cols, sigma)];
    const { dim } = part;
    for (let i = 0; i < count; i++) {
      const image = tokens.subarray(i * rows * cols * dim, (i + 1) * rows * cols * dim);
      blurLines(image, down, { lines: 1, step: cols * dim });
      blurLines(image, across, { lines: rows, step: dim });
    }
    return tokens;
  });
}

/** [size,size]: row = token of the result, weights of sum 1. */
function blurWeights(size: number, sigma: number): Float64Array {
  const weights = new Float64Array(size * size);
  for (let to = 0; to < size; to++) {
    const line = Float64Array.from({ length: size }, (_, from) => Math.exp(-((to - from) ** 2) / (2 * sigma ** 2)));
    const sum = line.reduce((a, b) => a + b);
    for (let from = 0; from < size; from++) weights[to * size + from] = line[from]! / sum;
  }
  return weights;
}

/** Products of the weights with lines of places, each place `step` numbers long: [lines, places, step], in place. */
function blurLines(
  values: Float32Array,
  weights: Float64Array,
  { lines, step }: { lines: number; step: number },
): void {
  const size = Math.sqrt(weights.length);
  const sum = new Float64Array(step);
  for (let line = 0; line < lines; line++) {
    const own = values.subarray(line * size * step, (line + 1) * size * step);
    const before = own.slice();
    for (let to = 0; to < size; to++) {
      sum.fill(0);
      for (let from = 0; from < size; from++) {
        const weight = weights[to * size + from]!;
        for (let k = 0; k < step; k++) sum[k]! += weight * before[from * step + k]!;
      }
      own.set(sum, to * step);
    }
  }
}

export const blurFamily: CombinationFamily = {
  name: "blur",
  targets: [
    {
      pattern: "blurS(TARGET)",
      summary: "a target blurred over the grid by a Gaussian of σ = S tokens, such as blur2(hog)",
      dim: "same",
    },
  ],
  combine(number, parts) {
    const sigma = Number(number);
    if (!/^\d+(\.\d+)?$/.test(number) || !(sigma > 0 && sigma <= MAX_SIGMA)) {
      throw new UsageError(
        `blur: wanted σ in tokens behind the name, above 0 and up to ${MAX_SIGMA}, got "${number}"`,
        {
          hint: "for example blur2(hog)",
        },
      );
    }
    return blur(sigma, onePart("blur2(hog)", parts));
  },
};
