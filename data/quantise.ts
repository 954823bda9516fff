import { NumericError } from "./errors.js";

/** Cosine that a vector of bytes has to the vector that it stands for, at least. */
export const MIN_COSINE = 0.999;

/**
 * Vectors as bytes: q = round((x − offset) / scale), with the offset its smallest element and the scale a 255th of its range, so that
 * x ≈ q · scale + offset. A vector of equal elements, zero above all, comes back as it is.
 *
 * A pair for each vector and not for each channel needs no pass over the data set before, and bounds the error. An element is off by
 * half a step at most, the squared range is at most twice the squared norm: so the cosine is at least √(1 − dim / 130 050), which is
 * above `MIN_COSINE` for every vector of up to 256 elements. What came of it: bench/NOTES.md.
 *
 * @param values [count, dim] float32.
 * @param bytes  [count, dim], written.
 * @param scales [count, 2]: scale and offset, written.
 * @returns the smallest cosine between a vector and what comes back of it; 1 without vectors.
 * @throws {NumericError} an element that is not finite, or a cosine below `MIN_COSINE`: says what to do.
 */
export function quantise(
  values: Float32Array,
  dim: number,
  { bytes, scales }: { bytes: Uint8Array; scales: Float32Array },
): number {
  let worst = 1;
  for (let first = 0, pair = 0; first < values.length; first += dim, pair += 2) {
    let low = Infinity;
    let high = -Infinity;
    let sum = 0;
    for (let i = first; i < first + dim; i++) {
      const value = values[i]!;
      if (value < low) low = value;
      if (value > high) high = value;
      sum += value;
    }
    if (!Number.isFinite(sum)) throw new NumericError("bytes cannot hold a vector with an element that is not finite");
    scales[pair] = (high - low) / 255;
    scales[pair + 1] = low;
    const scale = scales[pair]!;
    let [dot, before, after] = [0, 0, 0];
    for (let i = first; i < first + dim; i++) {
      const value = values[i]!;
      const byte = scale === 0 ? 0 : Math.min(255, Math.round((value - low) / scale));
      bytes[i] = byte;
      const back = byte * scale + low;
      dot += value * back;
      before += value * value;
      after += back * back;
    }
    const cosine = before === after && dot === before ? 1 : dot / Math.sqrt(before * after);
    if (!(cosine >= MIN_COSINE)) {
      throw new NumericError(`a vector of bytes has a cosine of ${cosine.toFixed(6)} to its own, want ${MIN_COSINE}`, {
        hint: "keep these features as F16",
      });
    }
    if (cosine < worst) worst = cosine;
  }
  return worst;
}
