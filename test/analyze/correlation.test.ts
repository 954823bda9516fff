import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { centreDisc } from "../../features/centre-disc.js";
import { type SpatialMetrics, spatialMetrics } from "../../features/spatial-metrics.js";
import type { CorrelationAnalysis } from "../../src/analyze/correlation.js";
import { pearson } from "../../src/evaluate/correlations.js";
import { runCli } from "../cli/run-cli.js";
import { ARMS, metrics, temporaryFolder } from "../report/fixture.js";
import { arm, DIM, GRID, IMAGES, tokensOf, writeCachedRun } from "./fixture.js";

const T = GRID ** 2;
const TARGETS = ["sift", "hog", "noise", "lbp", "dct"];
const CONTROL = ARMS[0]!;
const DISTANCES = [40, 35, 33, 26, 21];
const SAME_RECIPE = [CONTROL, ...TARGETS.map((target) => arm(`${target}-irepa`, target))];
const evaluated = (add: number) => ({
  control: metrics(61, 0.05, 0.6, 0.2),
  ...Object.fromEntries(TARGETS.map((target, k) => [`${target}-irepa`, metrics(DISTANCES[k]! + add, 0.05, 0.6, 0.2)])),
});

/** By its definition: (x − 0.6 · mean over tokens) / (deviation over tokens, n − 1). */
function normalized(tokens: Float32Array): Float32Array {
  return tokens.map((value, at) => {
    const channel = Array.from({ length: T }, (_, t) => tokens[t * DIM + (at % DIM)]!);
    const mean = channel.reduce((a, b) => a + b) / T;
    const std = Math.sqrt(channel.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (T - 1));
    return (value - 0.6 * mean) / (std + 1e-6);
  });
}

/** Mean over the images of the k-th target, of the rows that are images as they are. */
function meanMetric(k: number, key: keyof SpatialMetrics, change = (tokens: Float32Array) => tokens): number {
  const all = tokensOf(k);
  const each = Array.from({ length: IMAGES }, (_, i) => {
    const tokens = change(all.slice(i * T * DIM, (i + 1) * T * DIM));
    return spatialMetrics(tokens, [GRID, GRID], centreDisc([GRID, GRID]))[key];
  });
  return each.reduce((a, b) => a + b) / IMAGES;
}

async function analyze(...argv: string[]) {
  const cwd = temporaryFolder();
  const { code, stdout, stderr } = await runCli(["analyze", "correlation", ...argv, "--json"], cwd);
  expect(stderr).not.toMatch(/^descry: /m);
  expect(code).toBe(0);
  return JSON.parse(stdout) as CorrelationAnalysis & { files: string[] };
}

describe("correlation over runs", () => {
  test("metrics of the cached features, before and after normalization, against the mean over seeds", async () => {
    const runs = [
      await writeCachedRun({ arms: SAME_RECIPE, evaluated: evaluated(0), seed: 0 }),
      await writeCachedRun({ arms: SAME_RECIPE, evaluated: evaluated(4), seed: 1 }),
    ];
    const { groups, leftOut, against, files } = await analyze(...runs);
    expect(leftOut).toEqual([]);
    expect(against).toMatchObject({ key: "frechet_distance", direction: "lower" });
    const [group] = groups;
    expect(groups).toHaveLength(1);
    expect(group!.label).toBe("made-up: conv 3×3, spatial normalization 0.6, coefficient 1, block 3");
    expect(group!.points.map(({ target, value, repetitions }) => [target, value, repetitions])).toEqual(
      TARGETS.map((target, k) => [target, DISTANCES[k]! + 2, 2]),
    );
    for (const key of ["lds", "ldsPaper", "cds", "srss", "rmsc"] as const) {
      const plain = TARGETS.map((_, k) => meanMetric(k, key));
      const after = TARGETS.map((_, k) => meanMetric(k, key, normalized));
      for (const [name, want] of [
        [key, plain],
        [`${key}_normalized`, after],
      ] as const) {
        for (const [k, { metrics }] of group!.points.entries()) expect(metrics[name]).toBeCloseTo(want[k]!, 5);
        const { result } = group!.correlations.find((one) => one.key === name)!;
        expect(result!.pearson.coefficient).toBeCloseTo(pearson(want, DISTANCES).coefficient, 4);
      }
    }
    expect(files.map((file) => path.basename(file))).toEqual([
      "correlation.csv",
      "points.csv",
      "correlation.json",
      "correlation.svg",
      "correlation.png",
    ]);
    for (const file of files) expect(existsSync(file)).toBe(true);

    // The points can be read back as a table, with the same result.
    const again = await analyze("--csv", files[1]!);
    const coefficients = ({ correlations }: (typeof groups)[number]) =>
      correlations.map(({ key, result }) => [key, result?.pearson, result?.spearman.p]);
    expect(coefficients(again.groups[0]!)).toEqual(coefficients(group!));
  });

  test("arms of other recipes are another group, or left out where they are few; probing accuracies come in", async () => {
    const arms = [...SAME_RECIPE, arm("sift-mlp", "sift", { projector: "mlp", kernel: null, spatialNorm: null })];
    const values = { ...evaluated(0), "sift-mlp": metrics(50, 0.05, 0.6, 0.2) };
    const run = await writeCachedRun({ arms, evaluated: values });
    const probe = path.join(run, "probe.json");
    const accuracies = [0.1, 0.4, 0.2, 0.3];
    const rows = [
      { target: TARGETS[4], pool: "cls", accuracy: 0.9 }, // of the class token: not what is compared
      ...accuracies.map((accuracy, k) => ({ target: TARGETS[k], pool: "mean", accuracy })),
    ];
    writeFileSync(probe, JSON.stringify({ format: "descry-probe-1", rows }));
    const { groups, leftOut } = await analyze(run, "--probe", probe, "--against", "kid", "--count", "3");
    expect(groups).toHaveLength(1);
    expect(leftOut).toEqual([
      {
        label: "made-up: mlp, no spatial normalization, coefficient 1, block 3",
        targets: ["sift"],
        why: "wants 3 targets",
      },
    ]);
    const probed = groups[0]!.correlations.find(({ key }) => key === "probe_accuracy")!;
    // All arms have the same KID: there is nothing to correlate with.
    expect(probed).toMatchObject({ targets: 4, result: null, why: "all values are equal" });
    expect(groups[0]!.protocol).toContain("means over 3 cached images, 8×8 tokens");
  });

  test("what cannot be compared is refused in one line", async () => {
    const run = await writeCachedRun({ arms: SAME_RECIPE.slice(0, 3), evaluated: evaluated(0) });
    const refused = async (argv: readonly string[], message: RegExp) => {
      const { code, stderr, stdout } = await runCli(["analyze", "correlation", ...argv], temporaryFolder());
      expect(stderr.replace(/^measure .*\n/gm, "")).toMatch(message);
      expect(stderr).toMatch(/descry: [^\n]+\n$/);
      expect([code, stdout]).toEqual([2, ""]);
    };
    await refused(
      [run],
      /a correlation wants 3 targets with frechet_distance under one recipe, found made-up: .*: sift, hog/,
    );
    await refused([run, "--against", "fid"], /no arm was measured by "fid" — there are: frechet_distance, kid, /);
    await refused([run, "--evaluation", "evaluation-x"], /no arm has an evaluation-x\.json/);
    await refused([], /wanted runs, or --csv FILE/);
    await refused([run, "--probe", "no.json"], /no\.json: there is no such file — wanted probe\.json/);

    const file = path.join(run, "arms", "hog-irepa", "evaluation.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"samples": 256', '"samples": 128'));
    await refused([run], /hog-irepa was evaluated otherwise than control: samples/);
  });
});

describe("correlation over a table", () => {
  const table = (text: string): string => {
    const file = path.join(temporaryFolder(), "points.csv");
    writeFileSync(file, text);
    return file;
  };
  const refused = async (text: string, message: RegExp, ...argv: string[]) => {
    const { code, stderr } = await runCli(["analyze", "correlation", "--csv", table(text), ...argv], temporaryFolder());
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^descry: [^\n]+\n$/);
    expect(code).toBe(2);
  };

  test("published points: quoted targets, empty cells, columns of text passed over", async () => {
    const text =
      'target,who,lds,lp,fid\n"concat(sift,hog)",us,0.5,70,30\na,them,0.4,,35\nb,,0.3,60,42\nc,,0.2,50,\nd,,0.1,80,50\n';
    const { groups, against } = await analyze("--csv", table(text));
    expect(against).toEqual({ key: "fid", label: "FID", direction: "lower" });
    const [group] = groups;
    expect(group!.points.map(({ target }) => target)).toEqual(["concat(sift,hog)", "a", "b", "d"]);
    expect(group!.columns.map(({ key }) => key)).toEqual(["lds", "lp"]);
    const [lds, probe] = group!.correlations;
    expect(lds!.result!.pearson.coefficient).toBeCloseTo(
      pearson([0.5, 0.4, 0.3, 0.1], [30, 35, 42, 50]).coefficient,
      12,
    );
    expect(probe!.targets).toBe(3);
    expect(probe!.result!.pearson.coefficient).toBeCloseTo(pearson([70, 60, 80], [30, 42, 50]).coefficient, 12);
    const chosen = await analyze("--csv", table(text), "--metrics", "lds");
    expect(chosen.groups[0]!.columns.map(({ key }) => key)).toEqual(["lds"]);
  });

  test("mistakes are named by line and column", async () => {
    await refused("target,lds,fid\na,0.1,3\nb,much,4\n", /points\.csv:3: lds: wanted a number or nothing, got "much"/);
    await refused("target,lds,fid\na,0.1,3\na,0.2,4\n", /points\.csv:3: target: "a" stands there twice/);
    await refused("target,lds,fdi\na,0.1,3\n", /has no column "fid" — did you mean "fdi"\? columns: target, lds, fdi/);
    await refused("target,fid\na,3\n", /wanted columns of numbers besides target and fid, found none/);
    await refused('target,lds,fid\n"a,0.1,3\n', /not a table of comma-separated values: .*[Qq]uot/);
    await refused("target,lds,fid\na,0.1\n", /not a table of comma-separated values: /);
    await refused("target,lds,fid\na,0.1,3\n", /wants 3 targets with fid/);
    await refused("target,lds,fid\na,0.1,3\n", /--probe is for runs/, "--probe", "x.json");
  });
});
