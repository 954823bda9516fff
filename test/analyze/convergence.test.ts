import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { ConvergenceAnalysis } from "../../src/analyze/convergence.js";
import { firstReach } from "../../src/analyze/reach.js";
import { runCli } from "../cli/run-cli.js";
import { ARMS, evaluationOf, metrics, temporaryFolder } from "../report/fixture.js";
import { writeFinishedRun } from "./fixture.js";

describe("where a curve first is as good", () => {
  const points = [10, 20, 30, 40].map((step, i) => ({ step, value: [8, 6, 7, 3][i]! }));

  test("between two points by a straight line, the first time", () => {
    expect(firstReach(points, 7, "lower")).toEqual({ step: 15, isBound: false });
    expect(firstReach(points, 5, "lower")).toEqual({ step: 35, isBound: false });
    expect(firstReach(points, 6, "lower")).toEqual({ step: 20, isBound: false });
  });

  test("at the first point it is a bound, beyond all points it is not reached", () => {
    expect(firstReach(points, 8, "lower")).toEqual({ step: 10, isBound: true });
    expect(firstReach(points, 2.9, "lower")).toBeNull();
    expect(firstReach([], 1, "lower")).toBeNull();
  });

  test("the other way where higher is better", () => {
    const rising = points.map(({ step, value }) => ({ step, value: -value }));
    expect(firstReach(rising, -5, "higher")).toEqual({ step: 35, isBound: false });
    expect(firstReach(rising, -9, "higher")).toEqual({ step: 10, isBound: true });
  });
});

const STEPS = [100, 200, 300, 400];
const CURVES: Readonly<Record<string, readonly number[]>> = {
  control: [90, 70, 60, 50],
  "sift-repa": [80, 60, 40, 30],
  "sift-irepa": [50, 30, 20, 10],
  "hog-repa": [95, 80, 70, 65],
};

const { sampler: SAMPLER, protocol: PROTOCOL } = evaluationOf("control", {});

/** A run with distances along its training. @param conditions laid over how they were measured. */
async function convergedRun(seed = 0, add = 0, curves = CURVES, conditions: object = {}): Promise<string> {
  const folder = await writeFinishedRun({ seed });
  for (const { name } of ARMS) {
    const { samples, reference, weights, sampler, network, protocol } = evaluationOf(name, {});
    const points = STEPS.map((step, i) => {
      const distance = curves[name]![i]! + (name === "sift-repa" ? add : 0);
      return { step, metrics: metrics(distance, distance / 1000, 0.5, 0.5) };
    });
    const record = {
      format: "descry-convergence-1",
      arm: name,
      samples,
      reference,
      weights,
      sampler,
      network,
      protocol,
      ...conditions,
      points,
    };
    writeFileSync(path.join(folder, "arms", name, "convergence.json"), JSON.stringify(record));
  }
  return folder;
}

const run = (argv: readonly string[]) => runCli(["analyze", "convergence", ...argv], temporaryFolder());
const analyze = async (...argv: string[]) => {
  const { code, stdout, stderr } = await run([...argv, "--json"]);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout) as ConvergenceAnalysis & { files: string[] };
};
const speedUps = ({ groups }: ConvergenceAnalysis) =>
  Object.fromEntries(groups[0]!.arms.map(({ label, seeds }) => [label, seeds.map(({ speedUp }) => speedUp)]));

describe("convergence", () => {
  test("speed-up is the ratio of the steps to the control's last value", async () => {
    const analysis = await analyze(await convergedRun());
    expect(analysis.metric).toEqual({ key: "frechet_distance", label: "Fréchet distance", direction: "lower" });
    // 50 is reached by the control after 400 steps, by sift-repa half way between 200 and 300, by sift-irepa at the first look.
    expect(speedUps(analysis)).toEqual({ control: [1], "sift-repa": [1.6], "sift-irepa": [4], "hog-repa": [null] });
    const [, repa, irepa, hog] = analysis.groups[0]!.arms;
    expect(repa!.seeds[0]!.reached).toEqual({ step: 250, isBound: false });
    expect(irepa!.seeds[0]!.reached).toEqual({ step: 100, isBound: true });
    expect(hog!.seeds[0]!).toMatchObject({ goal: 50, reached: null });
    const csv = readFileSync(analysis.files.find((file) => file.endsWith("/convergence.csv"))!, "utf8").split("\r\n");
    expect(csv[2]).toBe("made-up,sift-repa,0,frechet_distance,50,250,false,1.6");
  });

  test("a control that was there before its end counts from there", async () => {
    const early = { ...CURVES, control: [90, 40, 60, 50] };
    // 50 lies 4/5 of the way from 90 down to 40.
    expect(speedUps(await analyze(await convergedRun(0, 0, early)))["sift-repa"]![0]).toBeCloseTo(180 / 250, 12);
  });

  test("another value, another metric", async () => {
    const folder = await convergedRun();
    expect(speedUps(await analyze(folder, "--to", "60"))["sift-repa"]).toEqual([1.5]);
    expect((await analyze(folder, "--metric", "kid")).metric.key).toBe("kid");
  });

  test("of several seeds mean and range, and in how many it was reached", async () => {
    const { code, stdout } = await run([await convergedRun(0), await convergedRun(1, 25)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^sift-repa +42\.50 \(30\.00–55\.00\) +250, in 1 of 2 seeds +1\.60×$/m);
    expect(stdout).toMatch(/^sift-irepa +10\.00 \(10\.00–10\.00\) +≤ 100 \(100–100\) +≥ 4\.00× \(4\.00×–4\.00×\)$/m);
    expect(stdout).toMatch(/^hog-repa +65\.00 .* not reached +–$/m);
    expect(stdout).toContain("256 samples against 744 real images by random-vgg, a proxy, ema weights");
  });

  test("without evaluations along training it is the smoothed loss, and says so", async () => {
    const folder = await writeFinishedRun();
    const analysis = await analyze(folder);
    expect(analysis.metric.key).toBe("denoising_loss");
    expect(analysis.what).toMatch(
      /^nothing was evaluated along training \(evaluate\.every\), so this is the training loss/,
    );
    expect(analysis.groups[0]!.arms[0]!.seeds[0]!.points).toHaveLength(60);
    // The made-up losses fall faster from arm to arm.
    const [, first, second, third] = Object.values(speedUps(analysis)).flat() as number[];
    expect([first! > 1, second! > first!, third! > second!]).toEqual([true, true, true]);
  });

  test("statistics that do not say of how many images they are have no number of real images", async () => {
    const { what } = await analyze(await convergedRun(0, 0, CURVES, { reference: null }));
    expect(what).toBe("256 samples against the statistics of a reference file by random-vgg, a proxy, ema weights");
  });

  test.each([
    ["reference", { reference: null }],
    ["weights", { weights: "model" }],
    ["sampler.name", { sampler: { ...SAMPLER, name: "sde" } }],
    ["sampler.steps, sampler.guidance", { sampler: { ...SAMPLER, steps: 250, guidance: 4 } }],
    ["protocol.neighbours", { protocol: { ...PROTOCOL, neighbours: 5 } }],
  ])("runs that differ in %s are refused", async (keys, conditions) => {
    const { code, stderr } = await run([await convergedRun(), await convergedRun(1, 0, CURVES, conditions)]);
    expect(stderr).toMatch(/^descry: control of \w+ was evaluated otherwise than control of \w+: /);
    expect(stderr).toContain(`: ${keys} — `);
    expect(code).toBe(2);
  });

  test("runs may differ in their seeds", async () => {
    const seeds = { sampler: { ...SAMPLER, seed: 1 }, protocol: { ...PROTOCOL, seed: 1 } };
    await analyze(await convergedRun(), await convergedRun(1, 0, CURVES, seeds));
  });

  test("mistakes are told in one line", async () => {
    const folder = await convergedRun();
    const refused = async (argv: readonly string[], message: RegExp) => {
      const { code, stderr } = await run(argv);
      expect(stderr).toMatch(message);
      expect(stderr).toMatch(/^descry: [^\n]+\n$/);
      expect(code).toBe(2);
    };
    await refused(
      [folder, "--metric", "fid"],
      /no arm has "fid" along its training — there are: frechet_distance, kid, /,
    );
    await refused([folder, "--to", "low"], /--to: wanted a number, got "low"/);
    await refused([await writeFinishedRun({ arms: ARMS.slice(1) })], /has no control, so there is no speed-up over it/);
    const file = path.join(folder, "arms", "hog-repa", "convergence.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"samples":256', '"samples":99'));
    await refused([folder], /hog-repa was evaluated otherwise than control: samples — evaluate them alike, or analyze/);
    writeFileSync(file, "{");
    await refused([folder], /convergence\.json: is not valid JSON — remove it, and evaluate again/);
  });
});

test("a report tells which arms of its curve were measured otherwise, and not that seeds differ", async () => {
  const caption = async (...runs: string[]) => {
    const file = path.join(temporaryFolder(), "report.html");
    const { code, stderr } = await runCli(["report", ...runs, "--out", file, "--quiet"], temporaryFolder());
    expect([code, stderr]).toEqual([0, ""]);
    return /along training\.<\/strong>(.*?)<\/figcaption>/.exec(readFileSync(file, "utf8"))?.[1];
  };
  const control = await convergedRun();
  const other = (steps: object) => convergedRun(1, 0, CURVES, { sampler: { ...SAMPLER, ...steps, seed: 1 } });
  expect(await caption(control, await other({ steps: 250 }))).toMatch(
    /the same noise at every step\. Measured otherwise, and not comparable: control \(sampler\.steps\); sift-repa \(/,
  );
  expect(await caption(control, await other({}))).toMatch(/the same noise at every step\.$/);
});
