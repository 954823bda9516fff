import { describe, expect, test } from "vitest";
import { curveChart, gainChart, prefixIds, scatterChart } from "../../src/report/charts.js";
import { meanCurve, smooth, smoothingWindow, thin } from "../../src/report/smooth.js";
import { findAll, parseHtml, textOf } from "./check-html.js";

const parse = (svg: string) => parseHtml(`<!doctype html>\n${svg}`);
const line = (values: readonly number[]) => values.map((value, i) => ({ step: i + 1, value }));

/** Points of the paths of a stroke colour. */
function pathsOf(
  svg: string,
  stroke: string,
): { points: [number, number][]; width: string; dash: string | undefined }[] {
  return findAll(parse(svg), "path")
    .filter(({ attributes }) => attributes["stroke"] === stroke)
    .map(({ attributes }) => ({
      points: [...attributes["d"]!.matchAll(/[ML](-?[\d.e-]+),(-?[\d.e-]+)/g)].map(([, x, y]) => [
        Number(x),
        Number(y),
      ]),
      width: attributes["stroke-width"]!,
      dash: attributes["stroke-dasharray"],
    }));
}

describe("curves", () => {
  test("raw and smoothed lines of each arm, in its colour and dashes; the control in ink", async () => {
    const svg = await curveChart({
      series: [
        { label: "control", colour: null, repetitions: [line([4, 3, 2, 1])] },
        { label: "b", colour: 1, repetitions: [line([5, 4, 3, 2]), line([7, 6, 5, 4])] },
      ],
      yTitle: "loss",
    });
    const control = pathsOf(svg, "currentColor").filter(({ points }) => points.length === 4);
    expect(control.map(({ width }) => width)).toEqual(["0.8", "2"]);
    // Down on the page is less: a straight fall stays straight when it is smoothed.
    const ys = control[1]!.points.map(([, y]) => y);
    expect(ys[1]! - ys[0]!).toBeCloseTo(ys[3]! - ys[2]!, 6);
    expect(ys[3]).toBeGreaterThan(ys[0]!);
    const other = pathsOf(svg, "var(--series-2)");
    expect(other.map(({ width, points }) => [width, points.length])).toEqual([
      ["0.8", 4],
      ["0.8", 4],
      ["2", 4],
    ]);
    // The bold line is the mean of both repetitions.
    const [first, second, mean] = other.map(({ points }) => points[2]![1]);
    expect(mean).toBeCloseTo((first! + second!) / 2, 6);
    expect(other[2]!.dash).toBe("7,3");
    expect(textOf(parse(svg))).toContain("training step");
  });

  test("an SVG stands alone in a page: no namespaces, no fonts, no addresses", async () => {
    const svg = await curveChart({
      series: [{ label: "a & <b>", colour: 0, repetitions: [line([1, 2])] }],
      yTitle: "<y>",
    });
    expect(svg).not.toMatch(/xmlns|https?:|font-family/);
    expect(textOf(parse(svg))).toContain("<y>");
  });

  test.each([
    ["one point", [1]],
    ["equal values", [2, 2, 2]],
    ["negative values", [-1, -3]],
  ])("%s", async (_, values) => {
    const svg = await curveChart({
      series: [{ label: "a", colour: 0, repetitions: [line(values)] }],
      yTitle: "y",
      zeroLine: true,
    });
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test("ids get their prefix, references too", () => {
    expect(prefixIds('<g id="a"/><g clip-path="url(#a)" data-id="b"/>', "f-")).toBe(
      '<g id="f-a"/><g clip-path="url(#f-a)" data-id="b"/>',
    );
  });
});

describe("gain bars", () => {
  test("better is to the right of zero, worse to the left, lengths in proportion", async () => {
    const svg = await gainChart([
      { label: "up", colour: 0, percent: 10, std: null, text: "+10.0 %" },
      { label: "down", colour: 1, percent: -5, std: null, text: "−5.0 %" },
    ]);
    const bars = findAll(parse(svg), "path")
      .filter(({ attributes }) => attributes["fill"]?.startsWith("var(--series"))
      .map(({ attributes }) => /^M([\d.]+),[\d.]+h([\d.]+)v/.exec(attributes["d"]!)!.slice(1).map(Number));
    const [up, down] = bars;
    expect(up![0]).toBeCloseTo(down![0]! + down![1]!, 6); // both begin at zero
    expect(up![1]! / down![1]!).toBeCloseTo(2, 6);
    const text = textOf(parse(svg));
    for (const said of ["up", "down", "+10.0 %", "−5.0 %"]) expect(text).toContain(said);
  });

  test.each([
    ["nothing gained", [0]],
    ["all worse", [-3, -20]],
    ["over seeds", [3, -1]],
  ])("%s", async (name, gains) => {
    const svg = await gainChart(
      gains.map((percent, i) => ({
        label: `${i}`,
        colour: i,
        percent,
        std: name === "over seeds" ? 2 : null,
        text: "t",
      })),
    );
    expect(svg).not.toMatch(/NaN|Infinity/);
  });
});

test("scatter: one labelled point an arm", async () => {
  const svg = await scatterChart(
    [
      { label: "a", colour: 0, x: 0.1, y: 3 },
      { label: "b", colour: 1, x: 0.5, y: -3 },
      { label: "c", colour: 2, x: 0.3, y: 1 },
    ],
    { x: "LDS", y: "gain" },
  );
  const filled = findAll(parse(svg), "path").filter(({ attributes }) => attributes["fill"]?.startsWith("var(--series"));
  expect(filled).toHaveLength(3);
  expect(textOf(parse(svg))).toMatch(/LDS.*gain|gain.*LDS/s);
});

describe("smoothing", () => {
  test("a straight line stays what it is, to its ends", () => {
    const points = line(Array.from({ length: 20 }, (_, i) => 3 - 0.5 * i));
    for (const [i, { value }] of smooth(points, 7).entries()) expect(value).toBeCloseTo(3 - 0.5 * i, 12);
  });

  test("inside it is the centred moving average", () => {
    const values = [5, 1, 4, 1, 5, 9, 2, 6];
    const smoothed = smooth(line(values), 3);
    for (let i = 1; i < 7; i++) {
      expect(smoothed[i]!.value).toBeCloseTo((values[i - 1]! + values[i]! + values[i + 1]!) / 3, 12);
    }
  });

  test("windows are odd, and at least 1", () => {
    expect([1, 29, 30, 300, 6000].map(smoothingWindow)).toEqual([1, 1, 3, 21, 401]);
    expect(smooth(line([1, 5]), 1).map(({ value }) => value)).toEqual([1, 5]);
    expect(smooth([], 3)).toEqual([]);
  });

  test("thinning keeps the mean and the order; short curves stay", () => {
    const points = line(Array.from({ length: 1000 }, (_, i) => i % 10));
    const few = thin(points, 100);
    expect(few).toHaveLength(100);
    expect(few.every(({ value }) => value === 4.5)).toBe(true);
    expect(few[0]!.step).toBe(5.5);
    expect(thin(points.slice(0, 50), 100)).toEqual(points.slice(0, 50));
  });

  test("the mean of curves is over the steps that all have", () => {
    const mean = meanCurve([line([1, 2, 3]), line([3, 4])]);
    expect(mean).toEqual([
      { step: 1, value: 2 },
      { step: 2, value: 3 },
    ]);
  });
});
