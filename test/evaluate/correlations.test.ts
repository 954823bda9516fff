import { describe, expect, test } from "vitest";
import { NumericError, ShapeError } from "../../data/errors.js";
import { pearson, ranks, spearman } from "../../src/evaluate/correlations.js";
import { incompleteBeta, logGamma } from "../../src/evaluate/incomplete-beta.js";

// Expected values: SciPy 1.17.1 (scipy.stats.pearsonr, spearmanr; scipy.special.betainc, gammaln).
const relative = (got: number, want: number) => Math.abs(got - want) / Math.max(Math.abs(want), Number.MIN_VALUE);

describe("pearson and spearman", () => {
  const [x, y] = [
    [1, 2, 2, 3, 5, 8, 8, 8],
    [2, 1, 4, 3, 7, 5, 9, 9],
  ];

  test("are SciPy's, with ties", () => {
    const [linear, rank] = [pearson(x, y), spearman(x, y)];
    expect(relative(linear.coefficient, 0.8470816329550289)).toBeLessThan(1e-13);
    expect(relative(linear.p, 0.007945700846283349)).toBeLessThan(1e-12);
    expect(relative(rank.coefficient, 0.8521116419926434)).toBeLessThan(1e-13);
    expect(relative(rank.p, 0.007215795134069643)).toBeLessThan(1e-12);
  });

  test("are SciPy's for four and for three points, negative ones too", () => {
    const [a, b] = [
      [0.1, 0.4, -2, 3],
      [1, -1, 0.5, 0.25],
    ];
    expect(relative(pearson(a, b).coefficient, -0.15885458588852225)).toBeLessThan(1e-13);
    expect(relative(pearson(a, b).p, 0.8411454141114778)).toBeLessThan(1e-12);
    expect(relative(spearman(a, b).coefficient, -0.6)).toBeLessThan(1e-13);
    expect(relative(spearman(a, b).p, 0.4)).toBeLessThan(1e-12);
    expect(relative(pearson([1, 2, 3], [1, 3, 2]).p, 2 / 3)).toBeLessThan(1e-12);
  });

  test("are ±1 on lines and monotone curves", () => {
    expect(pearson([1, 2, 4], [3, 5, 9])).toMatchObject({
      coefficient: expect.closeTo(1, 12),
      p: expect.closeTo(0, 6),
    });
    expect(spearman([1, 2, 3, 4], [-1, -10, -100, -1000]).coefficient).toBeCloseTo(-1, 12);
    expect(pearson([1, 2, 3, 4], [-1, -10, -100, -1000]).coefficient).toBeGreaterThan(-0.9);
    expect(pearson([1, 2], [5, 3])).toEqual({ coefficient: expect.closeTo(-1, 12), p: 1, count: 2 });
  });

  test("do not change under scaling, even to extreme sizes", () => {
    const want = pearson(x, y).coefficient;
    expect(
      pearson(
        x.map((value) => 1e200 * value),
        y.map((value) => 1e-200 * value + 0),
      ).coefficient,
    ).toBeCloseTo(want, 12);
  });

  test("ranks share their mean where values are equal", () => {
    expect([...ranks([10, 20, 20, 5, 20])]).toEqual([2, 4, 4, 1, 4]);
  });

  test("refuse what they are not defined for", () => {
    expect(() => pearson([1, 2], [1])).toThrow(ShapeError);
    expect(() => pearson([1], [1])).toThrow(/at least 2 points, got 1/);
    expect(() => pearson([1, 1, 1], [1, 2, 3])).toThrow(/all values of x are 1/);
    expect(() => spearman([1, 2, 3], [1, Number.NaN, 3])).toThrow(NumericError);
  });
});

describe("incompleteBeta and logGamma", () => {
  test.each([
    [12.5, 0.5, 0.18, 8.494942987565049e-11],
    [0.5, 0.5, 0.3, 0.36901011956554536],
    [2, 3, 0.5, 0.6875],
    [100, 0.5, 0.99, 0.1567758654244408],
    [1, 0.5, 1e-9, 5.00000000125e-10],
    [49, 0.5, 1e-4, 8.039710863291853e-198],
    [300, 700, 0.31, 0.7564186827315443],
    [5, 0.5, 0.999999, 0.9975390657812117],
  ])("I_x(%f, %f) at %f", (a, b, x, want) => {
    expect(relative(incompleteBeta(x, a, b), want)).toBeLessThan(1e-12);
    expect(incompleteBeta(1 - x, b, a)).toBeCloseTo(1 - want, 12);
  });

  test.each([
    [0.1, 2.252712651734206],
    [0.5, 0.5723649429247],
    [3.7, 1.428072326665388],
    [10.5, 13.940625219403763],
    [100.25, 360.28455963776423],
  ])("ln Γ(%f)", (z, want) => {
    expect(relative(logGamma(z), want)).toBeLessThan(1e-13);
  });

  test("refuses arguments out of range", () => {
    expect(() => incompleteBeta(1.1, 1, 1)).toThrow(NumericError);
    expect([incompleteBeta(0, 2, 3), incompleteBeta(1, 2, 3)]).toEqual([0, 1]);
  });
});
