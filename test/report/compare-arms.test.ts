import { describe, expect, test } from "vitest";
import { caveatsOf } from "../../src/report/caveats.js";
import { compareArms, describeConditions, unlikeConditions } from "../../src/report/compare-arms.js";
import { gainOver, METRICS, metricsIn } from "../../src/report/metrics.js";
import { readRun, readRuns } from "../../src/report/read-run.js";
import { evaluationSchema } from "../../src/report/records.js";
import { groupRuns } from "../../src/report/run-groups.js";
import { spreadOf, summarizeSeeds } from "../../src/report/seed-summary.js";
import { verdictOf } from "../../src/report/verdict.js";
import { ARMS, EVALUATED, evaluationOf, influences, LOWER_BETTER, metrics, writeRun } from "./fixture.js";

const evaluation = (options = {}) => evaluationSchema.parse(evaluationOf("a", metrics(1, 2, 3, 4), options));

describe("gains", () => {
  test("closed forms: positive is better in both directions", () => {
    expect(gainOver(10, 8, "lower")).toEqual({ absolute: 2, relative: 0.2 });
    expect(gainOver(10, 12, "lower")).toEqual({ absolute: -2, relative: -0.2 });
    expect(gainOver(0.5, 0.6, "higher")!.absolute).toBeCloseTo(0.1, 12);
    expect(gainOver(0.5, 0.4, "higher")!.relative).toBeCloseTo(-0.2, 12);
    // KID can be negative: the share is of its magnitude, so that the sign stays that of the gain.
    expect(gainOver(-0.1, -0.2, "lower")!.relative).toBeCloseTo(1, 12);
    expect(gainOver(0, 3, "lower")).toEqual({ absolute: -3, relative: null });
    expect(gainOver(1, 2, null)).toBeNull();
  });

  test("the directions are those of the literature", () => {
    const directions = Object.fromEntries(METRICS.map(({ key, direction }) => [key, direction]));
    expect(directions).toEqual({
      frechet_distance: "lower",
      spatial_frechet_distance: "lower",
      kid: "lower",
      cmmd: "lower",
      gaussian_mmd: "lower",
      precision: "higher",
      recall: "higher",
      inception_score: "higher",
    });
  });

  test("an unknown metric is listed last, without a direction; spreads are no metrics", () => {
    const metrics = { new_thing: 1, kid: 2, kid_std: 3, frechet_distance: 4 };
    const listed = metricsIn([{ metrics, network: { proxy: true } }]);
    expect(listed.map(({ key }) => key)).toEqual(["frechet_distance", "kid", "new_thing"]);
    expect(listed[2]!.direction).toBeNull();
  });

  test("published names are for the network of published numbers alone", () => {
    const metrics = { frechet_distance: 1, spatial_frechet_distance: 2, kid: 3, inception_score: 4 };
    const names = (...proxies: boolean[]) =>
      metricsIn(proxies.map((proxy) => ({ metrics, network: { proxy } }))).map(({ label }) => label);
    expect(names(false)).toEqual(["FID", "sFID", "KID", "Inception score"]);
    expect(names(true)).toEqual(["Fréchet distance", "Spatial Fréchet distance", "KID", "Class score"]);
    expect(names(false, true)).toEqual(names(true));
  });
});

describe("compareArms", () => {
  test("every gain has the sign of its direction, the control has none, the best is the best", async () => {
    const { arms, control, metrics: listed } = compareArms(await readRun(await writeRun()));
    expect(control!.arm.name).toBe("control");
    expect(control!.cells.every(({ gain }) => gain === null)).toBe(true);
    for (const { arm, cells } of arms.slice(1)) {
      for (const { metric, value, gain } of cells) {
        if (value === null) continue;
        const yardstick = EVALUATED["control"]![metric.key]!;
        const isBetter = LOWER_BETTER.includes(metric.key) ? value < yardstick : value > yardstick;
        expect(gain!.absolute > 0, `${arm.name} ${metric.key}`).toBe(isBetter);
        expect(Math.abs(gain!.absolute)).toBe(Math.abs(value - yardstick));
      }
    }
    for (const [m, { key }] of listed.entries()) {
      if (key === "inception_score") continue;
      const best = arms.filter(({ cells }) => cells[m]!.isBest).map(({ arm }) => arm.name);
      expect(best, key).toEqual(["sift-irepa"]);
    }
  });

  test("equal arms: no gain, and none is best; a tie of two among three is two best", async () => {
    const one = metrics(5, 1, 0.5, 0.5);
    const three = ARMS.slice(0, 3);
    const equal = { control: one, "sift-repa": one, "sift-irepa": one };
    const cells = compareArms(await readRun(await writeRun({ arms: three, evaluated: equal }))).arms.map(
      (row) => row.cells[0]!,
    );
    expect(cells.map(({ isBest }) => isBest)).toEqual([false, false, false]);
    expect(cells[1]!.gain).toEqual({ absolute: 0, relative: 0 });
    const tied = { ...equal, control: metrics(6, 1, 0.5, 0.5) };
    const again = compareArms(await readRun(await writeRun({ arms: three, evaluated: tied }))).arms.map(
      (row) => row.cells[0]!,
    );
    expect(again.map(({ isBest }) => isBest)).toEqual([false, true, true]);
  });

  test("what was not measured says why", async () => {
    const { arms } = compareArms(await readRun(await writeRun()));
    const cell = arms[0]!.cells.find(({ metric }) => metric.key === "inception_score")!;
    expect(cell).toMatchObject({ value: null, gain: null, isBest: false });
    expect(cell.missing).toBe("random-vgg gives no class probabilities");
  });

  test("an arm measured in another way gets no gain and is never best", async () => {
    const folder = await writeRun();
    const { writeFileSync } = await import("node:fs");
    const other = evaluationOf("sift-irepa", EVALUATED["sift-irepa"]!, { evaluation: { samples: 5000 } });
    writeFileSync(`${folder}/arms/sift-irepa/evaluation.json`, JSON.stringify(other));
    const { arms } = compareArms(await readRun(folder));
    expect(arms[2]!.unlike).toEqual(["samples"]);
    expect(arms[2]!.cells.every(({ gain, isBest }) => gain === null && !isBest)).toBe(true);
    expect(arms[1]!.cells[0]!.isBest).toBe(true);
  });

  test.each([
    ["weights", { evaluation: { weights: "model" } }, ["weights"]],
    ["step", { steps: 61 }, ["step"]],
    ["reference", { evaluation: { reference: 10 } }, ["reference"]],
    ["network", { network: { sha256: "ffff" } }, ["network.sha256"]],
    [
      "sampler",
      {
        evaluation: {
          sampler: { name: "euler", steps: 50, guidance: 2, guidanceInterval: [0, 1], path: "linear", seed: 0 },
        },
      },
      ["sampler.steps", "sampler.guidance"],
    ],
    ["protocol", { seed: 4 }, ["protocol.seed"]],
    ["citation", { network: { cite: "other words" } }, []],
  ])("conditions: %s", (_, options, keys) => {
    expect(unlikeConditions(evaluation(), evaluation(options))).toEqual(keys);
  });

  test("conditions in words name network, proxy, counts, sampler, steps, guidance and weights", () => {
    expect(describeConditions(evaluation())).toBe(
      "random-vgg (proxy) · 256 samples against 744 real · euler 25 steps · guidance 1 · ema weights at step 60",
    );
    const sampler = { name: "sde", steps: 250, guidance: 1.8, guidanceInterval: [0, 0.7] };
    expect(describeConditions(evaluation({ evaluation: { sampler }, network: { proxy: false } }))).toBe(
      "random-vgg · 256 samples against 744 real · sde 250 steps · guidance 1.8 for t in [0, 0.7] · ema weights at step 60",
    );
  });

  test("without a control there are no gains, and still a best", async () => {
    const run = await readRun(await writeRun({ arms: ARMS.slice(1) }));
    const { control, arms } = compareArms(run);
    expect(control).toBeNull();
    expect(arms.flatMap(({ cells }) => cells).every(({ gain }) => gain === null)).toBe(true);
    expect(arms[1]!.cells[0]!.isBest).toBe(true);
  });
});

describe("runs together", () => {
  const second = {
    control: metrics(60, 0.05, 0.6, 0.2),
    "sift-repa": metrics(66, 0.06, 0.5, 0.1),
    "hog-repa": metrics(59, 1, 1, 1),
  };
  const first = {
    control: metrics(50, 0.05, 0.6, 0.2),
    "sift-repa": metrics(40, 0.04, 0.7, 0.3),
    "hog-repa": metrics(49, 1, 1, 1),
  };

  test("seeds of one experiment are one group; another experiment is another", async () => {
    const runs = await readRuns([
      await writeRun({ seed: 0 }),
      await writeRun({ name: "other", steps: 61 }),
      await writeRun({ seed: 1, hash: "22222222" }),
    ]);
    const groups = groupRuns(runs);
    expect(groups.map(({ label, runs: members }) => [label, members.length])).toEqual([
      ["photos-classical", 2],
      ["other", 1],
    ]);
    const labels = groups.flatMap(({ arms }) => arms.map(({ label }) => label));
    expect(new Set(labels).size).toBe(8);
    expect(labels[1]).toBe("sift-repa (photos-classical)");
    const colours = groups.flatMap(({ arms }) => arms.map(({ colour }) => colour));
    expect(colours).toEqual([null, 0, 1, 2, null, 3, 4, 5]);
  });

  test("the same seed twice is not a repetition; equal names get the hash", async () => {
    const groups = groupRuns(
      await readRuns([await writeRun({ hash: "aaaaaaaa" }), await writeRun({ hash: "bbbbbbbb" })]),
    );
    expect(groups.map(({ label }) => label)).toEqual(["photos-classical-aaaaaaaa", "photos-classical-bbbbbbbb"]);
  });

  test("means, spreads and wins over seeds, closed form", async () => {
    const runs = await readRuns([
      await writeRun({ seed: 0, evaluated: first }),
      await writeRun({ seed: 1, evaluated: second }),
    ]);
    const rows = summarizeSeeds(groupRuns(runs)[0]!);
    const cell = rows[1]!.cells[0]!;
    expect(cell.value).toMatchObject({ mean: 53, count: 2 });
    expect(cell.value!.std).toBeCloseTo(13 * Math.sqrt(2), 12);
    // Gains: 50 − 40 = 10 and 60 − 66 = −6.
    expect(cell.gain!.mean).toBe(2);
    expect(cell.gain!.std).toBeCloseTo(8 * Math.sqrt(2), 12);
    expect(cell.relative!.mean).toBeCloseTo((0.2 - 0.1) / 2, 12);
    expect(cell.wins).toBe(1);
    expect(rows[3]!.cells[0]!.wins).toBe(2);
    expect(rows[0]!.cells[0]!.gain).toBeNull();
    expect(rows[2]!.cells[0]!.value).toBeNull();
    expect(verdictOf(groupRuns(runs)[0]!)).toMatch(
      /^sift-repa has the lowest .*: 53\.00 against 55\.00 of the control, a difference of 5\.0 %, lower in 1 of 2 seeds\. How far this may be off is not known/,
    );
  });

  test("spread of nothing, of one, of three", () => {
    expect(spreadOf([])).toBeNull();
    expect(spreadOf([7])).toEqual({ mean: 7, std: null, count: 1 });
    expect(spreadOf([1, 2, 3])).toEqual({ mean: 2, std: 1, count: 3 });
  });
});

describe("verdict", () => {
  const verdict = async (options: Parameters<typeof writeRun>[0]) =>
    verdictOf(groupRuns([await readRun(await writeRun(options))])[0]!);

  const KEPT = { control: 8, "sift-repa": 8, "sift-irepa": 8, "hog-repa": 8 };

  test("with intervals: who gains, who loses, and who is not distinguishable from whom", async () => {
    // √2 · 8 / √256 = 0.71 is the standard deviation of a difference: gains of 3.2, 8.9 and −2.2 are known to ±1.4.
    expect(await verdict({ influences: influences(KEPT) })).toMatch(
      /^sift-irepa gains most over the control: a Fréchet distance of 52\.35 against 61\.23, a gain of 14\.5 % \(95 % interval 12\.\d % to 1[67]\.\d %\)\. Also better than the control: sift-repa \(\+5\.3 %\)\. Worse than the control: hog-repa \(−3\.6 %\)\. The intervals are of other samples from the same weights; .* 60 training steps, 256 samples, one seed, random-vgg as a proxy network\.$/,
    );
    const wide = await verdict({ influences: influences({ ...KEPT, "sift-repa": 100, "hog-repa": 100 }) });
    expect(wide).toMatch(/Not distinguishable from sift-irepa: sift-repa and hog-repa\./);
    expect(wide).toMatch(/Not distinguishable from the control: sift-repa \(\+5\.3 %\) and hog-repa \(−3\.6 %\)\./);
    const none = await verdict({ influences: influences({ ...KEPT, control: 300 }) });
    expect(none).toMatch(
      /^None of the 3 aligned arms is distinguishably better than the control, whose Fréchet distance is 61\.23: sift-irepa comes nearest with a gain of 14\.5 % \(95 % interval −\d+\.\d % to \d+\.\d %\)\. Not distinguishable from the control either: sift-repa \(\+5\.3 %\) and hog-repa \(−3\.6 %\)\./,
    );
    const two = { arms: ARMS.slice(0, 2), influences: influences(KEPT) };
    const same = metrics(5, 1, 1, 1);
    expect(await verdict({ ...two, evaluated: { control: same, "sift-repa": same } })).toMatch(
      /^The aligned arm is not distinguishably better than the control, whose Fréchet distance is 5\.000: its gain is 0\.0 %/,
    );
  });

  test("an arm of which no influences were kept is left out of what is said with intervals", async () => {
    const { "sift-irepa": _, ...kept } = KEPT;
    expect(await verdict({ influences: influences(kept) })).toMatch(
      /^sift-repa gains most .*Worse than the control: hog-repa/,
    );
  });

  test("several seeds: intervals of seeds and samples", async () => {
    const { control, "sift-repa": sift } = EVALUATED;
    const run = (seed: number, by: number) => ({
      seed,
      hash: `${seed}`.repeat(8),
      arms: ARMS.slice(0, 2),
      evaluated: { control: control!, "sift-repa": { ...sift!, frechet_distance: sift!["frechet_distance"]! + by } },
      influences: influences(KEPT),
    });
    const seeds = async (...by: number[]) => {
      const folders = [];
      for (const [seed, one] of by.entries()) folders.push(await writeRun(run(seed, one)));
      return verdictOf(groupRuns(await readRuns(folders))[0]!);
    };
    // Gains of 3.2 and 2.2: with two arms, their t interval has one degree of freedom.
    expect(await seeds(0, 1)).toMatch(
      /^The aligned arm is not distinguishably better .*The intervals are of other training seeds and other samples\. .*means over 2 seeds/,
    );
    expect(await seeds(0, 0.1, -0.1, 0)).toMatch(/^sift-repa gains most over the control/);
  });

  test("without intervals: a ranking that is called no finding, and how to get them", async () => {
    expect(await verdict({})).toBe(
      "sift-irepa has the lowest Fréchet distance of 4 arms: 52.35 against 61.23 of the control, a difference of 14.5 %. How far this may be off is not known, so it is no finding: the evaluation kept no influences of its samples (descry evaluate RUN --again does). 60 training steps, 256 samples, one seed, random-vgg as a proxy network.",
    );
    expect(await verdict({ evaluated: { ...EVALUATED, control: metrics(1, 1, 1, 1) } })).toMatch(
      /^None of the 3 aligned arms has a lower Fréchet distance than the control \(1\.000\)\. How far/,
    );
    const worse = { control: metrics(5, 1, 1, 1), "sift-repa": metrics(6, 1, 1, 1) };
    expect(await verdict({ arms: ARMS.slice(0, 2), evaluated: worse })).toMatch(/^The aligned arm has no lower/);
    const same = metrics(5, 1, 1, 1);
    expect(await verdict({ arms: ARMS.slice(0, 2), evaluated: { control: same, "sift-repa": same } })).toMatch(
      /^sift-repa and the control have the same lowest Fréchet distance, 5\.000\./,
    );
  });

  test("says so when the control is missing, is alone, or nothing was measured", async () => {
    expect(await verdict({ arms: ARMS.slice(1) })).toMatch(
      /there is no control arm, so no gain can be stated\. 60 training steps/,
    );
    expect(await verdict({ evaluated: { control: EVALUATED["control"]! } })).toMatch(/^Only one arm can be compared/);
    expect(await verdict({ evaluated: {} })).toMatch(/^No arm has been evaluated yet \(4 of 4 have begun to train\)/);
  });

  test("caveats: notes of the evaluation, KID, the floor, several settings at once", async () => {
    const run = await readRun(await writeRun({ floor: metrics(20, 0.001, 0.8, 0.8) }));
    const said = caveatsOf(groupRuns([run])[0]!).join("\n");
    expect(said).toMatch(/Features of random-vgg: compare arms with each other/);
    expect(said).toMatch(/KID agrees with the Fréchet distance on sift-irepa/);
    expect(said).toMatch(/256 other real images score a Fréchet distance of 20\.00/);
    expect(said).toMatch(/sift-repa and sift-irepa differ in 4 settings at once \(projector mlp → conv, kernel – → 3/);
    expect(said).not.toMatch(/hog-repa differ/);
  });

  test("caveats: KID that disagrees, and a gain within KID's spread", async () => {
    const of = async (kid: number, spread: number) => {
      const arm = { ...EVALUATED["sift-irepa"]!, kid, kid_std: spread };
      const run = await readRun(await writeRun({ evaluated: { ...EVALUATED, "sift-irepa": arm } }));
      return caveatsOf(groupRuns([run])[0]!).join("\n");
    };
    expect(await of(0.06, 0.001)).toMatch(/KID disagrees .*puts sift-repa first, not sift-irepa/);
    expect(await of(0.045, 0.02)).toMatch(/its gain \(0\.0062\) is smaller than the spread .*\(0\.020\)/);
  });
});
