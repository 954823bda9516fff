import { describe, expect, test } from "vitest";
import { NumericError } from "../../data/errors.js";
import { MIN_COSINE, quantise } from "../../data/quantise.js";

function quantised(values: readonly number[], dim: number) {
  const x = Float32Array.from(values);
  const bytes = new Uint8Array(x.length);
  const scales = new Float32Array((2 * x.length) / dim);
  const cosine = quantise(x, dim, { bytes, scales });
  const back = Array.from(
    bytes,
    (byte, i) => byte * scales[2 * Math.floor(i / dim)]! + scales[2 * Math.floor(i / dim) + 1]!,
  );
  return { x, bytes, scales, cosine, back };
}

const cosineOf = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb);
};

/** Numbers with a normal distribution, of a seed. */
function normal(count: number, seed: number): number[] {
  let state = seed * 7919 + 1;
  const uniform = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

describe("quantise", () => {
  test("by hand: the smallest is byte 0, the largest 255, between them to nearest", () => {
    const { bytes, scales, back } = quantised([-1, 50, 49.6, 254, 0, 0, 0, 0], 4);
    expect([...bytes]).toEqual([0, 51, 51, 255, 0, 0, 0, 0]);
    expect([...scales]).toEqual([1, -1, 0, 0]);
    expect(back).toEqual([-1, 50, 50, 254, 0, 0, 0, 0]);
  });

  test("vectors of equal elements come back as they are, zero above all", () => {
    const { back, cosine } = quantised([0, 0, 0, -2.7, -2.7, -2.7, 1e-30, 1e-30, 1e-30], 3);
    expect(back).toEqual([0, 0, 0, ...new Float32Array(3).fill(-2.7), ...new Float32Array(3).fill(1e-30)]);
    expect(cosine).toBe(1);
  });

  test("every element is within half a step, and the cosine that it states is the smallest there is", () => {
    const dim = 96;
    const { x, back, scales, cosine } = quantised(normal(dim * 40, 3), dim);
    const cosines = Array.from({ length: 40 }, (_, i) =>
      cosineOf(x.subarray(i * dim, (i + 1) * dim), back.slice(i * dim, (i + 1) * dim)),
    );
    for (let i = 0; i < x.length; i++) {
      expect(Math.abs(x[i]! - back[i]!)).toBeLessThanOrEqual(scales[2 * Math.floor(i / dim)]! * 0.5001);
    }
    expect(cosine).toBeCloseTo(Math.min(...cosines), 9);
    expect(cosine).toBeGreaterThan(0.9999);
  });

  test("no vector of up to 256 elements can fall below the cosine that is wanted, outliers included", () => {
    for (const dim of [2, 16, 128, 256]) {
      for (const outlier of [0, 1, 10, 1e3, 1e6]) {
        const values = normal(dim, outlier + dim);
        values[0] = outlier;
        values[dim - 1] = -outlier;
        expect(quantised(values, dim).cosine).toBeGreaterThanOrEqual(MIN_COSINE);
      }
    }
  });

  test("a vector that bytes cannot hold well enough is refused, and one that is not finite", () => {
    // The 1 of 4094 elements lies between two steps of 599/255.
    const values = [300, -299, ...new Array<number>(4094).fill(1)];
    expect(() => quantised(values, 4096)).toThrow(NumericError);
    expect(() => quantised(values, 4096)).toThrow(
      /cosine of 0\.9\d+ to its own, want 0\.999 — keep these features as F16/,
    );
    expect(() => quantised([1, Number.NaN], 2)).toThrow(/not finite/);
    expect(() => quantised([1, Infinity], 2)).toThrow(/not finite/);
  });
});
