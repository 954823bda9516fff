import { describe, expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { drawArms } from "../../src/report/draw-arms.js";
import type { GroupDraws } from "../../src/report/draw-group.js";
import { gainInterval } from "../../src/report/gain-interval.js";
import { METRICS } from "../../src/report/metrics.js";
import { recoveries } from "../../src/report/recovery.js";

const SAMPLES = 400;

/** Arms with these means and independent influences of these standard deviations, the control first. */
function group(
  arms: Readonly<Record<string, readonly [mean: number, std: number]>>,
  key = "frechet_distance",
): GroupDraws {
  const influences = Object.values(arms).map(([, std], a) => {
    const draws = randomStream(1, "test/recovery", a).normal(SAMPLES);
    const mean = draws.reduce((sum, value) => sum + value, 0) / SAMPLES;
    return draws.map((value) => std * (value - mean));
  });
  const deviations = drawArms(
    Object.values(arms).map(([mean], a) => ({ values: [mean], influences: [influences[a]!] })),
    { sharedNoise: true },
  )!;
  const [control, ...others] = Object.entries(arms).map(([name, [mean]], a) => ({
    name,
    values: [mean],
    mean,
    draws: deviations[a]!.map((deviation) => mean + deviation),
  }));
  return { metric: METRICS.find((one) => one.key === key)!, seeds: 1, control: control!, arms: others };
}

/** Fieller's interval of (c − x)/(c − y), independent normal means: the ρ with (a − ρ b)² ≤ z² Var(a − ρ b). */
function fieller(
  [c, sc]: readonly [number, number],
  [x, sx]: readonly [number, number],
  [y, sy]: readonly [number, number],
) {
  const z = 1.959964 / Math.sqrt(SAMPLES);
  const [a, b] = [c - x, c - y];
  const [aa, bb, ab] = [sc ** 2 + sx ** 2, sc ** 2 + sy ** 2, sc ** 2].map((one) => one * z * z) as [
    number,
    number,
    number,
  ];
  const [p, q, r] = [b * b - bb, a * b - ab, a * a - aa];
  const root = Math.sqrt(q * q - p * r);
  return { low: (q - root) / p, high: (q + root) / p };
}

describe("gains", () => {
  test("closed form: gain, share and interval, positive better in both directions", () => {
    const draws = group({ control: [10, 4], sift: [8, 3] });
    const gain = gainInterval(draws, draws.arms[0]!);
    expect(gain).toMatchObject({ absolute: 2, relative: 0.2, isDistinguishable: true });
    const half = (1.96 * 5) / 20; // √(4² + 3²) over √400
    expect(Math.abs((gain.interval.high - gain.interval.low) / (2 * half) - 1)).toBeLessThan(0.1);
    expect(gain.interval.low).toBeGreaterThan(0);
    expect((gain.interval.low + gain.interval.high) / 2).toBeCloseTo(2, 0);
    // 1 − x/c: its standard deviation is that of (c·dx − x·dc)/c², √((10·3)² + (8·4)²)/100/20
    const share = (1.96 * Math.hypot(30, 32)) / 100 / 20;
    expect(Math.abs((gain.relativeInterval!.high - gain.relativeInterval!.low) / (2 * share) - 1)).toBeLessThan(0.1);

    const higher = group({ control: [10, 4], sift: [8, 3] }, "precision");
    const loss = gainInterval(higher, higher.arms[0]!);
    expect(loss).toMatchObject({ absolute: -2, relative: -0.2, isDistinguishable: true });
    expect(loss.interval.high).toBeLessThan(0);
  });

  test("an interval that holds 0 is not distinguishable; a control that may be 0 has no share", () => {
    const near = group({ control: [10, 20], sift: [9, 20] });
    expect(gainInterval(near, near.arms[0]!)).toMatchObject({ absolute: 1, isDistinguishable: false });
    const zero = group({ control: [0.1, 4], sift: [-3, 1] });
    expect(gainInterval(zero, zero.arms[0]!)).toMatchObject({ isDistinguishable: true, relativeInterval: null });
  });

  test("two arms beside each other: over the one that is named", () => {
    const draws = group({ control: [10, 1], sift: [8, 1], hog: [8.02, 1] });
    const [sift, hog] = draws.arms;
    expect(gainInterval(draws, sift!, hog!).absolute).toBeCloseTo(0.02, 12);
    expect(gainInterval(draws, sift!, hog!).isDistinguishable).toBe(false);
  });
});

describe("what an arm recovers", () => {
  const control = [10, 4] as const;
  const sift = [8.5, 3] as const;
  const deep = [7, 5] as const;

  test("is a share of the named arm's gain, with Fieller's interval", () => {
    const draws = group({ control, sift, deep });
    const { reference, isLargest, arms } = recoveries(draws, "deep")!;
    expect([reference, isLargest]).toEqual(["deep", false]);
    expect(arms!.map(({ arm, share }) => [arm, share])).toEqual([["sift", 0.5]]);
    const want = fieller(control, sift, deep);
    const { low, high } = arms![0]!.interval;
    // The draws have the means of 2000 resamples; ends are known to about 5 % of the width.
    const width = want.high - want.low;
    expect(Math.abs(low - want.low) / width).toBeLessThan(0.06);
    expect(Math.abs(high - want.high) / width).toBeLessThan(0.06);
  });

  test("of the largest gain, if none is named; an arm that loses recovers less than nothing", () => {
    const { reference, isLargest, arms } = recoveries(group({ control, sift, deep, worse: [13, 1] }))!;
    expect([reference, isLargest]).toEqual(["deep", true]);
    expect(arms!.map(({ arm, share }) => [arm, share])).toEqual([
      ["sift", 0.5],
      ["worse", -1],
    ]);
    expect(arms![1]!.interval.high).toBeLessThan(0);
  });

  test("is the same where higher is better", () => {
    const mirrored = group({ control: [-10, 4], sift: [-8.5, 3], deep: [-7, 5] }, "precision");
    const { reference, arms } = recoveries(mirrored)!;
    expect(reference).toBe("deep");
    expect(arms![0]!.share).toBeCloseTo(0.5, 12);
    expect(arms![0]!.interval.low).toBeGreaterThan(0);
  });

  test("is not defined where the whole may be nothing, or is a loss", () => {
    expect(recoveries(group({ control, sift, deep: [9.8, 5] }), "deep")).toMatchObject({
      reference: "deep",
      arms: null,
    });
    expect(recoveries(group({ control, sift, deep: [14, 1] }), "deep")).toMatchObject({ arms: null });
  });

  test("has no other arm, or none of that name: nothing", () => {
    expect(recoveries(group({ control, sift }))).toBeNull();
    expect(recoveries(group({ control, sift, deep }), "control")).toBeNull();
  });

  test("draws that turn the whole into a loss go to the end that the ratio goes to, and leave the interval finite", () => {
    // The gain of 0.6 has the standard deviation 0.3: some draws are below 0.
    const draws = group({ control: [10, 1], sift: [8, 1], deep: [9.4, 5.9] });
    const { arms } = recoveries(draws, "deep")!;
    expect(arms).not.toBeNull();
    expect(draws.control.draws.some((from, r) => from < draws.arms[1]!.draws[r]!)).toBe(true);
    const want = fieller([10, 1], [8, 1], [9.4, 5.9]);
    expect(arms![0]!.interval.low / want.low).toBeCloseTo(1, 0);
    expect(arms![0]!.interval.high).toBeGreaterThan(10);
    expect(Number.isFinite(arms![0]!.interval.high)).toBe(true);
  });
});
