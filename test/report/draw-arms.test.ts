import { describe, expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { type ArmValues, drawArms } from "../../src/report/draw-arms.js";
import { type Interval, intervalOf } from "../../src/report/interval.js";

/** Normal numbers of a simulation: `normal(7)` are seven of them. */
function normals(simulation: number) {
  const stream = randomStream(simulation, "test/draw-arms", 0);
  return (count: number) => stream.normal(count);
}

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

/** Interval of the second arm's mean minus the first's. */
function difference(arms: readonly ArmValues[], sharedNoise: boolean): Interval {
  const draws = drawArms(arms, { sharedNoise })!;
  const point = mean(arms[1]!.values) - mean(arms[0]!.values);
  const { low, high } = intervalOf(draws[1]!.map((value, r) => value - draws[0]![r]!));
  return { low: point + low, high: point + high };
}

const holds = ({ low, high }: Interval, truth: number) => low <= truth && truth <= high;

/** Share of some simulated experiments whose interval holds the truth. */
function coverage(simulations: number, simulate: (simulation: number) => boolean): number {
  return Array.from({ length: simulations }, (_, i) => simulate(i)).filter(Boolean).length / simulations;
}

/** Standard normal and Student's quantiles at 97.5 %, from SciPy 1.16: `scipy.stats.t.ppf(0.975, df)`. */
const T = { 1: 12.706205, 2: 4.302653, 4: 2.776445, 6: 2.446912, 8: 2.306004 } as const;

describe("one seed", () => {
  const TRUTH = 0.3;
  /** An arm whose value is the mean of its samples: the influence is exact. Half of the noise is shared with the other arm. */
  function experiment(simulation: number, samples: number): ArmValues[] {
    const normal = normals(simulation);
    const shared = normal(samples);
    return [0, TRUTH].map((truth) => {
      const x = normal(samples).map((own, i) => truth + own + shared[i]!);
      return { values: [mean(x)], influences: [x.map((value) => value - mean(x))] };
    });
  }

  test("the interval holds the truth in about 95 of 100 experiments", () => {
    const covered = coverage(100, (i) => holds(difference(experiment(i, 20), true), TRUTH));
    // About 92 % (a percentile interval of 20 is a little narrow), of which 3 standard deviations are 8 %.
    expect(covered).toBeGreaterThan(0.84);
    expect(covered).toBeLessThan(0.99);
  });

  test("samples are paired: what arms share does not widen the interval", () => {
    const arms = experiment(1, 500);
    const { low, high } = difference(arms, true);
    const [a, b] = arms.map(({ influences }) => influences![0]!);
    const spread = Math.sqrt(mean(a!.map((value, i) => (b![i]! - value) ** 2)) / 500);
    expect((high - low) / (2 * 1.96 * spread)).toBeCloseTo(1, 1);
    const alone = Math.sqrt((mean(a!.map((x) => x * x)) + mean(b!.map((x) => x * x))) / 500);
    expect(alone / spread).toBeGreaterThan(1.3); // unpaired it would be this much wider
  });

  test("draws are the same every time, and others with another seed", () => {
    const arms = experiment(2, 30);
    expect(drawArms(arms, { sharedNoise: true })).toEqual(drawArms(arms, { sharedNoise: true }));
    expect(drawArms(arms, { sharedNoise: true, seed: 1 })).not.toEqual(drawArms(arms, { sharedNoise: true }));
  });

  test("more samples than are drawn: neighbours are drawn together, and the spread stays", () => {
    const samples = 4500;
    const normal = normals(5);
    const arms = [0, 1].map((): ArmValues => ({ values: [0], influences: [normal(samples)] }));
    const { low, high } = difference(arms, true);
    expect((high - low) / (2 * 1.96 * Math.sqrt(2 / samples))).toBeCloseTo(1, 1);
  });

  test("is not known without influences", () => {
    const [one, other] = experiment(3, 10);
    expect(drawArms([one!, { ...other!, influences: null }], { sharedNoise: false })).toBeNull();
  });
});

describe("several seeds", () => {
  test.each([
    [2, 2],
    [2, 3],
    [3, 3],
    [7, 2],
    [2, 5],
    [5, 3],
  ] as const)("%i arms and %i seeds: the t interval of the analysis of variance", (arms, seeds) => {
    const normal = normals(arms * 10 + seeds);
    const ofSeeds = normal(seeds);
    const values = Array.from({ length: arms }, () => Array.from(normal(seeds), (rest, s) => 5 * ofSeeds[s]! + rest));
    const rest = values.map((one) =>
      one.map((value, s) => value - mean(one) - mean(values.map((v) => v[s]!)) + mean(values.map(mean))),
    );
    const freedom = ((arms - 1) * (seeds - 1)) as keyof typeof T;
    const variance = rest.flat().reduce((sum, value) => sum + value * value, 0) / freedom;
    const half = T[freedom] * Math.sqrt((2 * variance) / seeds);
    const { low, high } = difference(
      values.map((one) => ({ values: one, influences: null })),
      false,
    );
    // 250 of 10,000 draws lie beyond each end: with one degree of freedom the ends are known to 6 %.
    expect(Math.abs((high - low) / (2 * half) - 1)).toBeLessThan(freedom === 1 ? 0.15 : 0.08);
    expect((low + high) / 2 / half).toBeCloseTo((mean(values[1]!) - mean(values[0]!)) / half, 0);
  });

  const TRUTH = -1;
  /** Two seeds that share the noise of 20 samples; `wide`: how many times as much the second arm's training varies. */
  function experiment(simulation: number, { arms = 4, wide = 1, ofSamples = 1 } = {}): ArmValues[] {
    const normal = normals(simulation);
    const seeds = normal(2);
    return Array.from({ length: arms }, (_, a) => {
      const noise = normal(20);
      const rest = normal(2);
      const influences = [0, 1].map(() => normal(20).map((own, i) => ofSamples * (9 * noise[i]! + own)));
      const values = influences.map(
        (one, s) => a * TRUTH + 3 * seeds[s]! + (a === 1 ? wide : 1) * rest[s]! + mean(one),
      );
      return { values, influences: influences.map((one) => one.map((value) => value - mean(one))) };
    });
  }

  test("two seeds, shared noise: the interval holds the truth in about 95 of 100; without the samples it would not", () => {
    const covered = coverage(50, (i) => holds(difference(experiment(i), true), TRUTH));
    expect(covered).toBeGreaterThan(0.86); // 3 standard deviations are 9 %
    // The noise of 20 samples, 9/√20 in each arm, is twice that of the training, and in no spread of seeds.
    expect(coverage(50, (i) => holds(difference(experiment(i), false), TRUTH))).toBeLessThan(0.75);
  });

  test("an arm of seven whose training varies twice as much: 87 of 100", () => {
    const arms = { arms: 7, wide: 2, ofSamples: 0 };
    expect(coverage(50, (i) => holds(difference(experiment(i, arms), false), TRUTH))).toBeGreaterThan(0.72);
  });

  test("why not a bootstrap over seeds: of two, it holds the truth in 62 of 100", () => {
    const covered = coverage(300, (i) => {
      const [a, b] = experiment(i, { ofSamples: 0 }).map(({ values }) => values);
      const gains = b!.map((value, s) => value - a![s]!);
      const middle = mean(gains);
      // Resampled means are both gains and their mean; √(k/(k−1)) widens them.
      const reach = Math.SQRT2 * Math.abs(gains[0]! - middle);
      return holds({ low: middle - reach, high: middle + reach }, TRUTH);
    });
    expect(covered).toBeLessThan(0.7);
  });
});
