import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { UsageError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import { cknna, findNeighbours } from "../../src/probe/cknna.js";

interface Score {
  code: number;
  paper: number;
}

/** Of numpy with dense matrices, see `probe-numbers.py`. */
const { cknna: reference } = JSON.parse(readFileSync(new URL("probe-numbers.json", import.meta.url), "utf8")) as {
  cknna: {
    images: number;
    a: number[];
    b: number[];
    c: number[];
    scores: { k: number; related: Score; unrelated: Score }[];
  };
};
const N = reference.images;
const [a, b, c] = [reference.a, reference.b, reference.c].map((values) => Float32Array.from(values)) as [
  Float32Array,
  Float32Array,
  Float32Array,
];
const score = (x: Float32Array, y: Float32Array, k: number, count = N) =>
  cknna(findNeighbours(x, count, k), findNeighbours(y, count, k));

test.each(reference.scores)("both variants are numpy's, k = $k", ({ k, related, unrelated }) => {
  for (const [other, want] of [
    [b, related],
    [c, unrelated],
  ] as const) {
    const found = score(a, other, k);
    expect(found.code).toBeCloseTo(want.code, 9);
    expect(found.paper).toBeCloseTo(want.paper, 9);
    // The formula has no order of the two; the code has, a little.
    expect(score(other, a, k).paper).toBeCloseTo(want.paper, 9);
  }
});

test("1 with itself, whatever the scale and the rotation; near 0 with what has nothing to do with it", () => {
  const count = 300;
  const x = randomStream(1, "x", 0).normal(count * 2);
  const turned = x.map((_, i) => 7 * (i % 2 === 0 ? 0.6 * x[i]! - 0.8 * x[i + 1]! : 0.8 * x[i - 1]! + 0.6 * x[i]!));
  for (const value of Object.values(score(x, turned, 10, count))) expect(value).toBeCloseTo(1, 3);
  const other = randomStream(2, "y", 0).normal(count * 2);
  for (const value of Object.values(score(x, other, 10, count))) expect(Math.abs(value)).toBeLessThan(0.1);
});

test("a representation that is the same for all images has no neighbours to agree about", () => {
  const flat = new Float32Array(N * 2).fill(0.3);
  expect(score(a, flat, 10)).toEqual({ code: Number.NaN, paper: Number.NaN });
});

test.each([
  [1, N, /k of 2 or more neighbours, got 1/],
  [10, 11, /at least 12 images for 10 neighbours, got 11/],
])("refuses k = %d of %d images", (k, count, message) => {
  const few = a.slice(0, count * 5);
  expect(() => findNeighbours(few, count, k)).toThrow(UsageError);
  expect(() => findNeighbours(few, count, k)).toThrow(message);
});
