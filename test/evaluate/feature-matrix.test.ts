/** @file The products that all generation metrics are made of, against plain sums in the same order: the same bits. */
import { expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { type FeatureMatrix, visitProducts } from "../../src/evaluate/feature-matrix.js";

function matrix(name: string, count: number, dim: number): FeatureMatrix {
  return { data: randomStream(1, name, 0).normal(count * dim), count, dim };
}

function plainProduct(a: FeatureMatrix, i: number, b: FeatureMatrix, j: number): number {
  let sum = 0;
  for (let d = 0; d < a.dim; d++) sum += a.data[i * a.dim + d]! * b.data[j * b.dim + d]!;
  return sum;
}

function products(a: FeatureMatrix, b: FeatureMatrix, lower = false): Float64Array {
  const all = new Float64Array(a.count * b.count).fill(Number.NaN);
  visitProducts(
    a,
    b,
    ({ values, width, rowStart, rows, columnStart, columns }) => {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) all[(rowStart + i) * b.count + columnStart + j] = values[i * width + j]!;
      }
    },
    { lower },
  );
  return all;
}

// Not whole tiles of 4, chunks of 128 channels or blocks of 256 vectors, and just those; one block after a larger one.
test.each([
  [1, 1, 1],
  [5, 3, 7],
  [256, 4, 128],
  [259, 3, 129],
  [2, 517, 300],
])("%i × %i vectors of %i channels: every product, summed in the order of the channels", (n, m, dim) => {
  const [a, b] = [matrix("a", n, dim), matrix("b", m, dim)];
  const expected = Float64Array.from({ length: n * m }, (_, at) => plainProduct(a, Math.floor(at / m), b, at % m));
  expect(products(a, b)).toEqual(expected);
});

test("float64 vectors keep their digits", () => {
  const fine = { data: Float64Array.of(1 + 2 ** -40, 2 ** -30), count: 1, dim: 2 };
  expect(products(fine, fine)).toEqual(Float64Array.of((1 + 2 ** -40) ** 2 + 2 ** -60));
});

test("lower: all pairs with row ≥ column, with the bits of their mirror images", () => {
  const set = matrix("a", 600, 31);
  const all = products(set, set);
  const lower = products(set, set, true);
  for (let i = 0; i < 600; i++) {
    for (let j = 0; j <= i; j++) {
      if (lower[i * 600 + j] !== all[j * 600 + i]) throw new Error(`${i}, ${j}: ${lower[i * 600 + j]}`);
    }
  }
});
