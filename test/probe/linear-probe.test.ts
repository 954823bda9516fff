import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { NumericError, UsageError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import { openLinearClassifier } from "../../src/probe/linear-classifier.js";
import { linearProbe } from "../../src/probe/linear-probe.js";
import { minimize } from "../../src/probe/minimize.js";
import { splitLabels } from "../../src/probe/split-labels.js";
import { wilsonInterval } from "../../src/probe/wilson-interval.js";

interface Fit {
  weightDecay: number;
  weight: number[];
  bias: number[];
  loss: number;
  trainAccuracy: number;
  accuracy: number;
}

/** Of scikit-learn, see `probe-numbers.py`. */
const { probe: reference } = JSON.parse(readFileSync(new URL("probe-numbers.json", import.meta.url), "utf8")) as {
  probe: { features: number[]; labels: number[]; train: number; fits: Fit[] };
};
const [N, D, K] = [120, 7, 4];
const labels = Int32Array.from(reference.labels);
const features = Float32Array.from(reference.features);
const rows = (from: number, to: number) => Uint32Array.from({ length: to - from }, (_, i) => from + i);
const split = { train: rows(0, reference.train), validation: rows(reference.train, N) };

/** By its definition. */
function standardized(): Float32Array {
  const result = new Float32Array(N * D);
  for (let d = 0; d < D; d++) {
    const train = Array.from({ length: reference.train }, (_, i) => features[i * D + d]!);
    const mean = train.reduce((a, b) => a + b) / train.length;
    const deviation = Math.sqrt(train.reduce((sum, x) => sum + (x - mean) ** 2, 0) / train.length);
    for (let i = 0; i < N; i++) result[i * D + d] = deviation < 1e-6 ? 0 : (features[i * D + d]! - mean) / deviation;
  }
  return result;
}

describe("linear probing", () => {
  test("the classifier at the minimum is scikit-learn's, at every weight decay", async () => {
    const train = {
      features: standardized().subarray(0, reference.train * D),
      labels: labels.subarray(0, reference.train),
    };
    const rest = { features: standardized().subarray(reference.train * D), labels: labels.subarray(reference.train) };
    // Fewer at once than there are: batches, the last of them padded.
    const classifier = await openLinearClassifier({ dim: D, classes: K, examples: 33, threads: 1 });
    for (const fit of reference.fits) {
      const { point, value, isConverged } = await minimize(
        (at) => classifier.evaluate(at, train, fit.weightDecay),
        new Float64Array((D + 1) * K),
        { tolerance: 1e-6, maxIterations: 500 },
      );
      expect(isConverged).toBe(true);
      expect(value).toBeCloseTo(fit.loss, 6);
      for (const [i, want] of [...fit.weight, ...fit.bias].entries())
        expect(Math.abs(point[i]! - want)).toBeLessThan(2e-3);
      expect((await classifier.accuracy(point, train)).share).toBeCloseTo(fit.trainAccuracy, 10);
      expect((await classifier.accuracy(point, rest)).share).toBeCloseTo(fit.accuracy, 10);
    }
    await classifier.dispose();
  });

  test("the best validation accuracy is at least that of every single weight decay, with its own interval", async () => {
    const found = await linearProbe({ features, labels }, { split, classes: K, name: "x", threads: 1 });
    expect(found.accuracy).toBeGreaterThanOrEqual(Math.max(...reference.fits.map(({ accuracy }) => accuracy)));
    expect(found).toMatchObject(wilsonInterval(Math.round(found.accuracy * 40), 40));
    expect(found.isConverged).toBe(true);
    // The same again to the bit; and channels of any unit are the same.
    const scaled = features.map((value, i) => value * 2 ** (i % D));
    for (const one of [features, scaled]) {
      expect(await linearProbe({ features: one, labels }, { split, classes: K, name: "x", threads: 1 })).toEqual(found);
    }
  });

  test("noise is at chance, labels that a channel tells are found", async () => {
    const many = Int32Array.from({ length: 600 }, (_, i) => i % 3);
    const halves = splitLabels(many, 0.5, 1);
    const noise = randomStream(5, "noise", 0).normal(600 * 8);
    const blind = await linearProbe(
      { features: noise, labels: many },
      { split: halves, classes: 3, name: "noise", threads: 1 },
    );
    expect(blind.low).toBeLessThan(1 / 3);
    expect(blind.high).toBeGreaterThan(1 / 3);
    const telling = noise.map((value, i) => (i % 8 === 7 ? many[Math.floor(i / 8)]! : value));
    const seeing = await linearProbe(
      { features: telling, labels: many },
      { split: halves, classes: 3, name: "told", threads: 1 },
    );
    expect(seeing.accuracy).toBe(1);
    expect(seeing.high).toBe(1);
  });

  test("a feature that is not finite is named", async () => {
    const broken = features.with(2 * D + 3, Number.NaN);
    const probing = linearProbe({ features: broken, labels }, { split, classes: K, name: "sift", threads: 1 });
    await expect(probing).rejects.toThrow(NumericError);
    await expect(probing).rejects.toThrow("probe sift: feature 3 of image 2 is NaN");
  });
});

describe("minimize", () => {
  test("finds the minimum of Rosenbrock's valley in 10 variables", async () => {
    const n = 10;
    const { point, isConverged } = await minimize(
      async (x) => {
        let value = 0;
        const gradient = new Float64Array(n);
        for (let i = 0; i + 1 < n; i++) {
          const bend = x[i + 1]! - x[i]! ** 2;
          value += 100 * bend ** 2 + (1 - x[i]!) ** 2;
          gradient[i]! += -400 * x[i]! * bend - 2 * (1 - x[i]!);
          gradient[i + 1]! += 200 * bend;
        }
        return { value, gradient };
      },
      new Float64Array(n).fill(-1),
      { tolerance: 1e-8, maxIterations: 1000 },
    );
    expect(isConverged).toBe(true);
    for (const part of point) expect(part).toBeCloseTo(1, 6);
  });

  test("says when it has not arrived", async () => {
    const evaluate = async (x: Float64Array) => ({
      value: Math.cosh(x[0]!),
      gradient: Float64Array.of(Math.sinh(x[0]!)),
    });
    const { iterations, isConverged } = await minimize(evaluate, Float64Array.of(8), {
      tolerance: 1e-9,
      maxIterations: 2,
    });
    expect([iterations, isConverged]).toEqual([2, false]);
  });
});

describe("the split", () => {
  const unequal = Int32Array.from({ length: 100 }, (_, i) => (i < 60 ? 0 : i < 99 ? 1 : 2));

  test("keeps the same share of each class, every image once, the only one of a class to learn from", () => {
    const { train, validation } = splitLabels(unequal, 0.2, 3);
    expect([...train, ...validation].sort((a, b) => a - b)).toEqual(Array.from(unequal.keys()));
    const counts = [0, 1, 2].map((label) => Array.from(validation).filter((row) => unequal[row] === label).length);
    expect(counts).toEqual([12, 8, 0]);
    expect(splitLabels(unequal, 0.2, 3).validation).toEqual(validation);
    expect(splitLabels(unequal, 0.2, 4).validation).not.toEqual(validation);
  });

  test("of few images of a class keeps one at least, and never all", () => {
    const pairs = Int32Array.of(0, 0, 1, 1);
    for (const share of [0.01, 0.99]) expect(splitLabels(pairs, share, 0).validation).toHaveLength(2);
  });

  test.each<[string, Int32Array, RegExp]>([
    ["one class", new Int32Array(9), /two classes or more, got 9 of 1/],
    ["single images", Int32Array.of(0, 1, 2), /one image only/],
  ])("refuses %s", (_, wrong, message) => {
    expect(() => splitLabels(wrong, 0.2, 0)).toThrow(UsageError);
    expect(() => splitLabels(wrong, 0.2, 0)).toThrow(message);
  });
});

/** hits, trials, ends: `scipy.stats.binomtest(hits, trials).proportion_ci(method="wilson")`, SciPy 1.17.1. */
const WILSON = [
  [0, 20, 0, 0.16112515805281935],
  [7, 40, 0.08745413746035918, 0.3194999033178771],
  [40, 40, 0.9123783988027133, 1],
  [731, 1000, 0.702670228864586, 0.7575618087150874],
] as const;

test.each(WILSON)("Wilson's interval of %d of %d is SciPy's", (hits, trials, low, high) => {
  const interval = wilsonInterval(hits, trials);
  expect(interval.low).toBeCloseTo(low, 12);
  expect(interval.high).toBeCloseTo(high, 12);
});
