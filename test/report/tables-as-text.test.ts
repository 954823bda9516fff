import { describe, expect, test } from "vitest";
import { compareArms } from "../../src/report/compare-arms.js";
import { toCsv } from "../../src/report/csv.js";
import { experimentYaml } from "../../src/report/experiment-yaml.js";
import {
  formatCount,
  formatNumber,
  formatPercent,
  formatSeconds,
  formatSigned,
  formatSpread,
} from "../../src/report/format-number.js";
import { toLatex } from "../../src/report/latex.js";
import { readRun } from "../../src/report/read-run.js";
import { formatTerminalTable } from "../../src/report/terminal-table.js";
import { resolveExperiment } from "../../src/run/resolve-experiment.js";
import { ARMS, EVALUATED, experiment, writeRun } from "./fixture.js";

describe("terminal table", () => {
  test("aligned columns, gains with signs, conditions below", async () => {
    const { "hog-repa": _, ...evaluated } = EVALUATED;
    const table = formatTerminalTable(await readRun(await writeRun({ evaluated })));
    expect(table).toBe(
      [
        "arm          FD ↓   KID ↓  precision ↑  recall ↑     gain",
        "control     61.23  0.0512        0.617     0.235  control",
        "sift-repa   57.99  0.0477        0.654     0.213   +5.3 %",
        "sift-irepa  52.35  0.0399        0.668     0.277  +14.5 %",
        "hog-repa    not evaluated",
        "256 samples against 744 real images by random-vgg, a proxy: not comparable with published numbers; gain in FD over the control",
      ].join("\n"),
    );
  });

  test("nothing evaluated", async () => {
    const table = formatTerminalTable(await readRun(await writeRun({ evaluated: {} })));
    expect(table.split("\n")).toHaveLength(5);
    expect(table).toMatch(/^control +not evaluated$/m);
  });
});

/** A reader of RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  let at = 0;
  while (at < text.length) {
    const quoted = /"((?:[^"]|"")*)"(,|\r\n)/y;
    const plain = /([^",\r\n]*)(,|\r\n)/y;
    quoted.lastIndex = at;
    plain.lastIndex = at;
    const match = quoted.exec(text) ?? plain.exec(text);
    if (match === null) throw new Error(`no field at ${at}: ${text.slice(at, at + 30)}`);
    at += match[0].length;
    rows.at(-1)!.push(match[1]!.replaceAll('""', '"'));
    if (match[2] === "\r\n" && at < text.length) rows.push([]);
  }
  return rows;
}

describe("CSV", () => {
  test("every digit, gains, conditions; empty where not measured", async () => {
    const { "hog-repa": _, ...evaluated } = EVALUATED;
    const [header, ...rows] = parseCsv(toCsv([await readRun(await writeRun({ evaluated }))]));
    expect(rows).toHaveLength(4);
    expect(rows.every((row) => row.length === header!.length)).toBe(true);
    const cell = (row: number, column: string) => rows[row]![header!.indexOf(column)]!;
    expect(Number(cell(2, "frechet_distance"))).toBe(EVALUATED["sift-irepa"]!["frechet_distance"]);
    expect(Number(cell(2, "frechet_distance_gain"))).toBeGreaterThan(0);
    expect(Number(cell(2, "frechet_distance_gain_percent"))).toBeCloseTo(14.5159, 3);
    expect(Number(cell(1, "recall_gain"))).toBeLessThan(0);
    expect(cell(0, "frechet_distance_gain")).toBe("");
    expect(cell(0, "inception_score")).toBe("");
    expect(cell(3, "frechet_distance")).toBe("");
    expect(
      ["network", "proxy", "samples", "reference", "sampler", "sampler_steps", "guidance", "weights", "step"].map(
        (key) => cell(1, key),
      ),
    ).toEqual(["random-vgg", "true", "256", "744", "euler", "25", "1", "ema", "60"]);
  });

  test("names with commas, quotes and line feeds; texts that a spreadsheet would run", async () => {
    const odd = 'a,"b"\nc';
    const arms = [ARMS[0]!, { name: odd, align: { ...ARMS[1]!.align, target: "=cmd()" } }];
    const [header, , row] = parseCsv(toCsv([await readRun(await writeRun({ arms, evaluated: {} }))]));
    expect(row![header!.indexOf("arm")]).toBe(odd);
    expect(row![header!.indexOf("target")]).toBe("'=cmd()");
  });
});

describe("LaTeX", () => {
  test("rows, arrows, bold best, gains, conditions; special characters escaped", async () => {
    const arms = [ARMS[0]!, { name: "50%_of {all} & ~x", align: ARMS[1]!.align }];
    const evaluated = { control: EVALUATED["control"]!, [arms[1]!.name]: EVALUATED["sift-repa"]! };
    const latex = toLatex(compareArms(await readRun(await writeRun({ arms, evaluated }))));
    expect(latex).toContain(
      "Arm & FD $\\downarrow$ & KID $\\downarrow$ & precision $\\uparrow$ & recall $\\uparrow$ \\\\",
    );
    expect(latex).toContain("50\\%\\_of \\{all\\} \\& \\textasciitilde{}x & \\textbf{57.99} {\\small(+5.3\\,\\%)}");
    expect(latex).toContain("0.213 {\\small($-$9.0\\,\\%)}");
    expect(latex).toContain("% random-vgg (proxy) · 256 samples against 744 real");
    expect(latex).toContain("\\begin{tabular}{lrrrr}");
  });
});

describe("the configuration as a file", () => {
  test.each([
    ["custom size", {}],
    ["published size", { size: "S/4", width: 384, depth: 12, heads: 6, patch: 4 }],
  ])("resolves to the same experiment: %s", (_, model) => {
    const original = experiment("photos-classical", 7);
    const given = { ...original, model: { ...original.model, ...model } };
    const { experiment: again } = resolveExperiment(experimentYaml(given as never), "again.yaml");
    expect(JSON.parse(JSON.stringify(again))).toEqual(JSON.parse(JSON.stringify(given)));
  });
});

describe("numbers for people", () => {
  test.each([
    [0, "0"],
    [61.234567, "61.23"],
    [1234.567, "1235"],
    [123456.7, "123457"],
    [1.0000001, "1.000"],
    [0.0512345, "0.0512"],
    [0.5, "0.500"],
    [-9.996, "−9.996"],
    [0.00001234, "1.234e−5"],
    [12345678, "1.235e+7"],
    [Number.NaN, "NaN"],
  ])("%d → %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  test("differences, shares, spreads, counts and times", () => {
    expect([formatSigned(3.2469), formatSigned(-0.021), formatSigned(0)]).toEqual(["+3.25", "−0.021", "0"]);
    expect([0.14516, -0.036, 0.00001, -0.00001, 12.5].map(formatPercent)).toEqual([
      "+14.5 %",
      "−3.6 %",
      "0.0 %",
      "0.0 %",
      "+1,250 %",
    ]);
    expect([formatSpread(0.004321), formatSpread(13.2)]).toEqual(["0.0043", "13"]);
    expect(formatCount(1281167)).toBe("1,281,167");
    expect([0.0042, 0.123, 4.84, 48.2, 200, 7500].map(formatSeconds)).toEqual([
      "4.2 ms",
      "0.12 s",
      "4.8 s",
      "48 s",
      "3 min 20 s",
      "2 h 5 min",
    ]);
  });
});
