import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type ClsMixingAnalysis, parseMix } from "../../src/analyze/cls-mixing.js";
import { runCli } from "../cli/run-cli.js";
import { ARMS, metrics, temporaryFolder } from "../report/fixture.js";
import { arm, writeCachedRun } from "./fixture.js";

const ENCODER = "onnx:models/vit.onnx#tokens?mean=0.5&std=0.5&drop=1";
const mixed = (alpha: number) => `mix(${ENCODER},alpha=${alpha})`;
const PLACES = [
  ["half", mixed(0.5), 25],
  ["pure", ENCODER, 19],
  ["tenth", mixed(0.1), 21],
  ["other", "sift", 40],
] as const;
const ARMS_MIXED = [ARMS[0]!, ...PLACES.map(([name, target]) => arm(name, target))];
const evaluated = Object.fromEntries(PLACES.map(([name, , value]) => [name, metrics(value, 0.05, 0.6, 0.2)]));

test("canonical names of mixtures", () => {
  expect(parseMix("mix(dinov2-vit-b,alpha=0.1)")).toEqual({ encoder: "dinov2-vit-b", alpha: 0.1 });
  expect(parseMix(mixed(0.5))).toEqual({ encoder: ENCODER, alpha: 0.5 });
  expect(parseMix("concat(mix(dinov2-vit-b,alpha=0.1),hog)").alpha).toBe(0);
});

describe("descry analyze cls-mixing", () => {
  test("orders the mixtures of an encoder by alpha, the encoder itself first, with metrics, probe and distance", async () => {
    const run = await writeCachedRun({ arms: ARMS_MIXED, evaluated });
    const probe = path.join(run, "probe.json");
    writeFileSync(
      probe,
      JSON.stringify({
        format: "descry-probe-1",
        rows: [
          { target: ENCODER, pool: "mean", accuracy: 0.7 },
          { target: mixed(0.5), pool: "mean", accuracy: 0.78 },
        ],
      }),
    );
    const cwd = temporaryFolder();
    const { code, stdout } = await runCli(["analyze", "cls-mixing", run, "--probe", probe, "--json"], cwd);
    expect(code).toBe(0);
    const { series, files } = JSON.parse(stdout) as ClsMixingAnalysis & { files: string[] };
    expect(series.map(({ encoder }) => encoder)).toEqual([ENCODER]);
    expect(series[0]!.points.map(({ alpha, value, metrics }) => [alpha, value, metrics["probe_accuracy"]])).toEqual([
      [0, 19, 0.7],
      [0.1, 21, null],
      [0.5, 25, 0.78],
    ]);
    expect(Number.isFinite(series[0]!.points[0]!.metrics["lds_normalized"])).toBe(true);
    expect(files.map((file) => path.basename(file))).toEqual([
      "cls-mixing.csv",
      "cls-mixing.json",
      "cls-mixing.svg",
      "cls-mixing.png",
    ]);
    const text = await runCli(["analyze", "cls-mixing", run, "--quiet"], cwd);
    expect(text.stdout).toMatch(/^onnx:vit\.onnx#tokens, made-up: conv 3×3/);
    expect(text.stdout).toMatch(/^0\.5 .* 25\.00$/m);
  });

  test("runs without mixtures, or with one alpha only, are refused in one line", async () => {
    const none = await writeCachedRun({ arms: [ARMS[0]!, arm("other", "sift")], evaluated });
    const refused = async (run: string) =>
      (await runCli(["analyze", "cls-mixing", run, "--quiet"], temporaryFolder())).stderr;
    expect(await refused(none)).toMatch(
      /^descry: cls-mixing: no arm has a target mix\(ENCODER,alpha=A\) — targets: sift\n$/,
    );
    const one = await writeCachedRun({ arms: [ARMS[0]!, arm("half", mixed(0.5))], evaluated });
    expect(await refused(one)).toMatch(
      /^descry: cls-mixing wants two alphas of one encoder under one recipe, found mix/,
    );
  });
});
