import { describe, expect, test } from "vitest";
import { NumericError, ShapeError } from "../../data/errors.js";
import { inceptionScore } from "../../src/evaluate/inception-score.js";
import { matrix, rowsOf, uniforms } from "./support.js";

const oneHot = (count: number, classes: number) =>
  matrix(
    Array.from({ length: count }, (_, i) => Array.from({ length: classes }, (_, c) => (c === i % classes ? 1 : 0))),
  );

describe("inceptionScore", () => {
  test("is the number of classes where every sample is certain and classes are even", () => {
    const score = inceptionScore(oneHot(40, 4), 10);
    expect(score.mean).toBeCloseTo(4, 12);
    expect(score.std).toBeCloseTo(0, 12);
  });

  test("is 1 where all samples look the same, certain or not", () => {
    expect(inceptionScore(matrix(Array.from({ length: 10 }, () => [0.2, 0.3, 0.5])), 2).mean).toBeCloseTo(1, 12);
    expect(inceptionScore(matrix(Array.from({ length: 10 }, () => [0, 1, 0])), 2).mean).toBeCloseTo(1, 12);
  });

  test("is the naive mean of divergences, with population std, groups of uneven size included", () => {
    const uniform = uniforms(3);
    const rows = Array.from({ length: 23 }, () => {
      const raw = Array.from({ length: 5 }, () => uniform() ** 3);
      const sum = raw.reduce((x, y) => x + y);
      return raw.map((value) => value / sum);
    });
    const groups = [rows.slice(0, 7), rows.slice(7, 15), rows.slice(15)];
    const scores = groups.map((group) => {
      const mean = group[0]!.map((_, c) => group.reduce((sum, row) => sum + row[c]!, 0) / group.length);
      const divergences = group.map((row) => row.reduce((sum, p, c) => sum + p * Math.log(p / mean[c]!), 0));
      return Math.exp(divergences.reduce((x, y) => x + y) / group.length);
    });
    const mean = scores.reduce((x, y) => x + y) / 3;
    const score = inceptionScore(matrix(rows), 3);
    expect(score.mean).toBeCloseTo(mean, 12);
    expect(score.std).toBeCloseTo(Math.sqrt(scores.reduce((sum, s) => sum + (s - mean) ** 2, 0) / 3), 12);
    expect(rowsOf(matrix(rows))).toEqual(rows);
  });

  test("refuses fewer samples than groups, logits, negative and non-finite values", () => {
    expect(() => inceptionScore(oneHot(9, 3), 10)).toThrow(ShapeError);
    expect(() => inceptionScore(matrix([[2, 3]]), 1)).toThrow(/row 0 sum to 5 — are these logits\?/);
    expect(() => inceptionScore(matrix([[1.5, -0.5]]), 1)).toThrow(/row 0 has the probability -0.5 for class 1/);
    expect(() => inceptionScore(matrix([[Number.NaN, 1]]), 1)).toThrow(NumericError);
  });
});
