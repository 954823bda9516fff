import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { AblationAnalysis } from "../../src/analyze/ablation.js";
import { runCli } from "../cli/run-cli.js";
import { ARMS, metrics, temporaryFolder } from "../report/fixture.js";
import { arm, writeFinishedRun } from "./fixture.js";

const MLP = { projector: "mlp", kernel: null };
const PLAIN = { spatialNorm: null };
const GRID_ARMS = [
  ARMS[0]!,
  arm("sift-base", "sift", { ...MLP, ...PLAIN, coefficient: 0.5 }),
  arm("sift-conv", "sift", { ...PLAIN, coefficient: 0.5 }),
  arm("sift-norm", "sift", { ...MLP, coefficient: 0.5 }),
  arm("sift-both", "sift"),
  arm("hog-base", "hog", { ...MLP, ...PLAIN }),
  arm("hog-both", "hog"),
  arm("dct-linear", "dct", { projector: "linear", kernel: null }),
];
const VALUES = { "sift-base": 50, "sift-conv": 45, "sift-norm": 40, "sift-both": 30, "hog-base": 60, "hog-both": 66 };
const evaluated = (add: number) => ({
  control: metrics(80, 0.08, 0.5, 0.2),
  "dct-linear": metrics(70, 0.07, 0.5, 0.2),
  ...Object.fromEntries(Object.entries(VALUES).map(([name, value]) => [name, metrics(value + add, 0.05, 0.6, 0.2)])),
});

const run = (argv: readonly string[], cwd = temporaryFolder()) => runCli(["analyze", "ablation", ...argv], cwd);

describe("ablation", () => {
  test("lays arms of two seeds into Table 2, with gains over the baseline; empty cells and odd knobs are listed", async () => {
    const runs = [
      await writeFinishedRun({ arms: GRID_ARMS, evaluated: evaluated(-1) }),
      await writeFinishedRun({ arms: GRID_ARMS, evaluated: evaluated(1), seed: 1 }),
    ];
    const cwd = temporaryFolder();
    const { code, stdout } = await run([...runs, "--metric", "frechet_distance", "--json"], cwd);
    expect(code).toBe(0);
    const { tables, files } = JSON.parse(stdout) as AblationAnalysis & { files: string[] };
    const [table] = tables;
    expect(tables).toHaveLength(1);
    expect(table!.rows.map(({ target }) => target)).toEqual(["sift", "hog"]);
    const [sift, hog] = table!.rows;
    const { baseline, both } = sift!.cells;
    expect(baseline).toMatchObject({ arm: "sift-base", gains: { frechet_distance: null } });
    expect(baseline!.values["frechet_distance"]).toEqual({ mean: 50, std: Math.SQRT2, count: 2 });
    expect(sift!.cells["+conv"]!.gains["frechet_distance"]).toBeCloseTo(0.1, 12);
    expect(sift!.cells["+norm"]!.gains["frechet_distance"]).toBeCloseTo(0.2, 12);
    expect(both!.gains["frechet_distance"]).toBeCloseTo(0.4, 12);
    expect(hog!.cells["+conv"]).toBeNull();
    expect(hog!.cells.both!.gains["frechet_distance"]).toBeCloseTo(-0.1, 12);
    expect(table!.control!["frechet_distance"]!.mean).toBe(80);
    expect(table!.empty).toEqual(["hog +conv", "hog +norm"]);
    expect(table!.notes).toEqual([
      "dct-linear is left out: its projector is linear",
      "sift-both also differs in coefficient: 1, sift-base has 0.5",
    ]);
    const read = (ending: string) => readFileSync(files.find((file) => file.endsWith(ending))!, "utf8");
    expect(read("ablation.md")).toContain(
      "| sift | 50.00 ± 1.4 | 45.00 ± 1.4 (+10.0 %) | 40.00 ± 1.4 (+20.0 %) | **30.00 ± 1.4** (+40.0 %) |",
    );
    expect(read("ablation.tex")).toContain(
      "hog & \\textbf{60.00 $\\pm$ 1.4} & -- & -- & 66.00 $\\pm$ 1.4 {\\small($-$10.0\\,\\%)} \\\\",
    );
    expect(read("ablation.csv").split("\r\n")[4]).toMatch(
      /^made-up,sift,both,sift-both,frechet_distance,30,1\.41\d+,2,0\.4/,
    );
  });

  test("on the terminal: a table a metric, and what is missing", async () => {
    const folder = await writeFinishedRun({ arms: GRID_ARMS, evaluated: evaluated(0) });
    const { stdout } = await run([folder]);
    expect(stdout).toMatch(/^Fréchet distance ↓, made-up\. .*Without alignment: 80\.00\./);
    expect(stdout).toMatch(/^sift +50\.00 +45\.00 \(\+10\.0 %\) +40\.00 \(\+20\.0 %\) +30\.00 \(\+40\.0 %\)$/m);
    expect(stdout).toMatch(/^KID ↓/m);
    expect(stdout).toContain("no arm for: hog +conv, hog +norm");
  });

  test("two arms for one cell are refused, unless one of them is chosen", async () => {
    const arms = [...GRID_ARMS, arm("sift-both-08", "sift", { spatialNorm: 0.8 })];
    const values = { ...evaluated(0), "sift-both-08": metrics(20, 0.05, 0.6, 0.2) };
    const folder = await writeFinishedRun({ arms, evaluated: values });
    const { code, stderr } = await run([folder]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^descry: sift: two arms for "both": sift-both \(conv 3×3, spatial normalization 0\.6, .*\) and sift-both-08 \(.*0\.8.*--arm NAME[^\n]*\n$/,
    );
    const chosen = await run([folder, "--arm", "sift-base", "--arm", "sift-both-08", "--json"]);
    const { tables } = JSON.parse(chosen.stdout) as AblationAnalysis;
    expect(tables[0]!.rows[0]!.cells.both!.arm).toBe("sift-both-08");
    expect((await run([folder, "--metric", "fid"])).stderr).toMatch(
      /no arm was measured by "fid" — there are: frechet/,
    );
  });
});
