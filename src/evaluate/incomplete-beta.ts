/**
 * @file The regularised incomplete beta function, of which the distributions of Student's t and of F are made.
 */
import { NumericError } from "../../data/errors.js";

/**
 * I_x(a, b) for 0 ≤ x ≤ 1 and a, b > 0, to about 13 digits.
 *
 * @throws {NumericError} arguments out of range.
 * @source DLMF 8.17.22 (continued fraction) and 8.17.4 (I_x(a,b) = 1 − I_{1−x}(b,a), used where the fraction converges faster),
 * https://dlmf.nist.gov/8.17; evaluated by the modified Lentz algorithm, Thompson & Barnett 1986.
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (!(x >= 0 && x <= 1 && a > 0 && b > 0)) throw new NumericError(`incomplete beta: I_x(${a}, ${b}) at x = ${x}`);
  if (x === 0 || x === 1) return x;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b);
  return (Math.exp(front) / a) * continuedFraction(x, a, b);
}

/** 1/(1+ d₁/(1+ d₂/(1+ …))) with the coefficients of DLMF 8.17.23. */
function continuedFraction(x: number, a: number, b: number): number {
  const guard = (value: number): number => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let numerator = 1;
  let denominator = 0;
  let value = 1;
  for (let k = 1; k <= 10_000; k++) {
    const m = Math.floor(k / 2);
    const coefficient =
      k % 2 === 0
        ? (m * (b - m) * x) / ((a + k - 1) * (a + k))
        : -((a + m) * (a + b + m) * x) / ((a + k - 1) * (a + k));
    numerator = guard(1 + coefficient / numerator);
    denominator = 1 / guard(1 + coefficient * denominator);
    const factor = numerator * denominator;
    value *= factor;
    if (Math.abs(factor - 1) < Number.EPSILON) break;
  }
  return 1 / value;
}

/**
 * ln Γ(z) for z > 0, to about 15 digits.
 *
 * @source DLMF 5.11.1 (Stirling's series), after moving z beyond 10 with Γ(z + 1) = z Γ(z).
 */
export function logGamma(z: number): number {
  let shift = 0;
  let at = z;
  for (; at < 10; at++) shift += Math.log(at);
  const inverse = 1 / (at * at);
  const series =
    (1 / 12 -
      inverse *
        (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse * (1 / 1188 - inverse * (691 / 360360)))))) /
    at;
  return (at - 0.5) * Math.log(at) - at + Math.log(2 * Math.PI) / 2 + series - shift;
}
