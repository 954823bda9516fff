import { describe, expect, test } from "vitest";
import { experimentYaml } from "../../src/report/experiment-yaml.js";
import {
  formatCount,
  formatNumber,
  formatPercent,
  formatSeconds,
  formatSigned,
  formatSpread,
} from "../../src/report/format-number.js";
import { gainText } from "../../src/report/gain-text.js";
import { type PlainCell, type PlainTable, tableCsv, tableLatex, tableMarkdown } from "../../src/report/plain-table.js";
import { readRun } from "../../src/report/read-run.js";
import { groupRuns } from "../../src/report/run-groups.js";
import { formatTerminalTable } from "../../src/report/terminal-table.js";
import { resolveExperiment } from "../../src/run/resolve-experiment.js";
import { EVALUATED, experiment, influences, writeRun } from "./fixture.js";

describe("a gain in a table", () => {
  test.each([
    [{ absolute: 3.2469, relative: 0.053 }, 0.4321, "▲ +5.3 % (+3.25 ± 0.43)"],
    [{ absolute: -3.2469, relative: null }, 13.2, "▼ −3.25 ± 13"],
    [{ absolute: 0, relative: 0 }, 0, "= 0.0 % (0 ± 0)"],
    [{ absolute: 0, relative: null }, null, "= 0"],
  ])("of %j, %d over seeds", (gain, std, shown) => {
    const text = gainText(gain, null, std).text.replace(/<span class="hidden">.*?<\/span>/, "");
    expect(text.replace(/<[^>]*>/g, "").trim()).toBe(shown);
  });
});

describe("terminal table", () => {
  const tableOf = async (folder: string) => formatTerminalTable(groupRuns([await readRun(folder)])[0]!);

  test("aligned columns, gains with signs, conditions below", async () => {
    const { "hog-repa": _, ...evaluated } = EVALUATED;
    const table = await tableOf(await writeRun({ evaluated }));
    expect(table).toBe(
      [
        "arm          FD ↓   KID ↓  precision ↑  recall ↑     gain",
        "control     61.23  0.0512        0.617     0.235  control",
        "sift-repa   57.99  0.0477        0.654     0.213   +5.3 %",
        "sift-irepa  52.35  0.0399        0.668     0.277  +14.5 %",
        "hog-repa    not evaluated",
        "256 samples against 744 real images by random-vgg, a proxy: not comparable with published numbers; gain in FD over the control",
        "no intervals: the evaluation kept no influences of its samples (descry evaluate RUN --again does)",
      ].join("\n"),
    );
  });

  test("gains with their intervals, within 80 columns", async () => {
    const kept = influences({ control: 8, "sift-repa": 80, "sift-irepa": 8, "hog-repa": 8 });
    const lines = (await tableOf(await writeRun({ influences: kept }))).split("\n");
    expect(lines[2]).toMatch(/^sift-repa .* \+5\.3 % \[−\d+\.\d %, \+\d+\.\d %\]$/);
    expect(lines[3]).toMatch(/^sift-irepa .* \+14\.5 % \[\+12\.\d %, \+16\.\d %\]$/);
    for (const line of lines.slice(0, 5)) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines.at(-1)).toMatch(/^in brackets: 95 % interval \(other samples, same training\); where it holds 0/);
  });

  test("nothing evaluated", async () => {
    const table = await tableOf(await writeRun({ evaluated: {} }));
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

const cell = (text: string, rest: Partial<PlainCell> = {}): PlainCell => ({
  text,
  value: null,
  isBest: false,
  extras: [],
  ...rest,
});
const measured = (value: number, text: string, gain?: number, isBest = false): PlainCell => ({
  text,
  value,
  isBest,
  extras: gain === undefined ? [] : [{ name: "gain", value: gain, text: `${gain > 0 ? "+" : "−"}${Math.abs(gain)} %` }],
});
const TABLE: PlainTable = {
  caption: "Generation metrics. The best value is marked.",
  head: ["Arm", "FD ↓", "Recall ↑"],
  rows: [
    [
      cell("control", { extras: [{ name: "how it was measured", value: "random-vgg (proxy) · 256 samples" }] }),
      measured(61.234567891, "61.23"),
      measured(0.2345679, "0.235", undefined, true),
    ],
    [cell("50%_of {all} & ~x"), measured(57.98765432, "57.99", 5.3, true), measured(0.2134567, "0.213", -9)],
    [cell('a,"b"\n|c|'), cell("not evaluated")],
  ],
};

describe("CSV", () => {
  test("every digit, a column for what stands beside, empty where there is nothing", () => {
    const [header, ...rows] = parseCsv(tableCsv(TABLE));
    expect(header).toEqual(["Arm", "Arm how it was measured", "FD ↓", "FD ↓ gain", "Recall ↑", "Recall ↑ gain"]);
    expect(rows[0]).toEqual(["control", "random-vgg (proxy) · 256 samples", "61.234567891", "", "0.2345679", ""]);
    expect(rows[1]).toEqual(["50%_of {all} & ~x", "", "57.98765432", "5.3", "0.2134567", "-9"]);
    expect(rows[2]).toEqual(['a,"b"\n|c|', "", "not evaluated", "", "", ""]);
  });

  test("a text that a spreadsheet would run is none", () => {
    const table = { ...TABLE, rows: [[cell("=cmd()"), measured(-1, "−1"), cell("–")]] };
    expect(parseCsv(tableCsv(table))[1]).toEqual(["'=cmd()", "-1", "–"]);
  });
});

test("Markdown: numbers to the right, best bold, gains in brackets, nothing breaks out of its cell", () => {
  expect(tableMarkdown(TABLE).split("\n").slice(0, 4)).toEqual([
    "| Arm | FD ↓ | Recall ↑ |",
    "| :--- | ---: | ---: |",
    "| control | 61.23 | **0.235** |",
    "| 50%\\_of {all} & ~x | **57.99** (+5.3 %) | 0.213 (−9 %) |",
  ]);
  expect(tableMarkdown({ ...TABLE, rows: [[cell("|c|\nd")]] })).toContain("| \\|c\\| d |  |  |");
});

test("LaTeX: booktabs, best bold, gains, conditions as comments; special characters escaped", () => {
  expect(tableLatex(TABLE)).toBe(
    [
      "% Generation metrics.",
      "% The best value is marked.",
      "% how it was measured: random-vgg (proxy) · 256 samples",
      "\\begin{tabular}{lrr}",
      "\\toprule",
      "Arm & FD $\\downarrow$ & Recall $\\uparrow$ \\\\",
      "\\midrule",
      "control & 61.23 & \\textbf{0.235} \\\\",
      "50\\%\\_of \\{all\\} \\& \\textasciitilde{}x & \\textbf{57.99} {\\small(+5.3\\,\\%)} & 0.213 {\\small($-$9\\,\\%)} \\\\",
      'a,"b" |c| & \\multicolumn{2}{c}{not evaluated} \\\\',
      "\\bottomrule",
      "\\end{tabular}",
      "",
    ].join("\n"),
  );
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
    [-0.00001234, "−1.234e−5"],
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
