import { describe, expect, test } from "vitest";
import { packFigure, unpackFigure } from "../../src/report/figure-json.js";
import {
  boldLines,
  type CurvesFigure,
  curvesSpec,
  type Figure,
  figureSpec,
  type GainBar,
  type ScatterPoint,
  USUAL_VIEW,
} from "../../src/report/figure-specs.js";
import { prefixIds, renderSpec } from "../../src/report/render-figure.js";
import { meanCurve, smooth, smoothingWindow, thin } from "../../src/report/smooth.js";
import { findAll, parseHtml, textOf } from "./check-html.js";

const parse = (svg: string) => parseHtml(`<!doctype html>\n${svg}`);
const line = (values: readonly number[]) => values.map((value, i) => ({ step: i + 1, value }));

const draw = (figure: Figure) => renderSpec(figureSpec(figure));
const curveChart = (figure: Pick<CurvesFigure, "series" | "yTitle"> & Partial<CurvesFigure>) =>
  draw({ kind: "curves", zeroLine: false, raw: true, ...figure });
const gainChart = (bars: readonly GainBar[]) => draw({ kind: "gains", bars });
const scatterChart = (points: readonly ScatterPoint[], { x, y }: { x: string; y: string }) =>
  draw({ kind: "scatter", points, xTitle: x, yTitle: y });

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
      { label: "up", colour: 0, percent: 10, rule: null, text: "+10.0 %" },
      { label: "down", colour: 1, percent: -5, rule: null, text: "−5.0 %" },
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
        rule: name === "over seeds" ? { low: percent - 2, high: percent + 90 } : null,
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

describe("how curves are looked at", () => {
  const figure: CurvesFigure = {
    kind: "curves",
    yTitle: "loss",
    zeroLine: false,
    raw: true,
    series: [
      { label: "control", colour: null, repetitions: [line(Array.from({ length: 200 }, (_, i) => 1 + ((i * 7) % 5)))] },
      { label: "b", colour: 0, repetitions: [line(Array.from({ length: 100 }, (_, i) => 10 - i / 20))] },
    ],
  };
  const look = (view: Partial<typeof USUAL_VIEW>) => renderSpec(curvesSpec(figure, { ...USUAL_VIEW, ...view }));

  test("more smoothing, less to and fro; none leaves the values", () => {
    const travel = (smoothing: number) => {
      const { points } = boldLines(figure, { ...USUAL_VIEW, smoothing })[0]!;
      return points.slice(1).reduce((sum, { value }, i) => sum + Math.abs(value - points[i]!.value), 0);
    };
    expect(travel(0)).toBeGreaterThan(2 * travel(0.05));
    expect(travel(0.05)).toBeGreaterThan(2 * travel(0.3));
    expect(boldLines(figure, { ...USUAL_VIEW, smoothing: 0 })[0]!.points).toEqual(figure.series[0]!.repetitions[0]);
  });

  test("a range shows these steps over the whole width; smoothing still sees those beyond", async () => {
    const zoomed = { ...USUAL_VIEW, range: [51, 60] as const };
    const { points } = boldLines(figure, zoomed)[0]!;
    expect(points.map(({ step }) => step)).toEqual([51, 52, 53, 54, 55, 56, 57, 58, 59, 60]);
    expect(points).toEqual(boldLines(figure, USUAL_VIEW)[0]!.points.slice(50, 60));
    const [first] = pathsOf(await look({ range: [51, 60] }), "var(--series-1)").filter(({ width }) => width === "2");
    expect(first!.points[0]![0]).toBeCloseTo(0, 6);
    expect(first!.points.at(-1)![0]).toBeCloseTo(470, 6);
  });

  test("log steps put equal ratios at equal distances; log values need positive ones", async () => {
    const xs = pathsOf(await look({ logSteps: true, smoothing: 0 }), "currentColor").find(
      ({ width }) => width === "2",
    )!.points;
    expect(xs[9]![0] - xs[0]![0]).toBeCloseTo(xs[99]![0] - xs[9]![0], 1);
    const ys = pathsOf(await look({ logValues: true, smoothing: 0 }), "currentColor").find(
      ({ width }) => width === "2",
    )!.points;
    const at = (value: number) => ys[figure.series[0]!.repetitions[0]!.findIndex((point) => point.value === value)]![1];
    expect(at(1) - at(2)).toBeCloseTo(at(2) - at(4), 1);
    const mixed = { ...figure, series: [{ ...figure.series[0]!, repetitions: [line([-1, 1, 3])] }] };
    const svg = await renderSpec(curvesSpec(mixed, { ...USUAL_VIEW, smoothing: 0, logValues: true }));
    const [left, middle, right] = pathsOf(svg, "currentColor").find(({ width }) => width === "2")!.points;
    expect(left![1] - middle![1]).toBeCloseTo(middle![1] - right![1], 6);
  });

  test("a hidden arm is gone, the others keep their colours", async () => {
    const svg = await look({ hidden: new Set(["control"]) });
    expect(pathsOf(svg, "var(--series-1)")).toHaveLength(2);
    expect(pathsOf(svg, "currentColor").filter(({ width }) => width === "2")).toEqual([]);
  });

  test("what the page carries is the figure, to six digits, and cannot end its script", () => {
    const given = { ...figure, yTitle: "</script><b>" };
    expect(packFigure(given)).not.toContain("<");
    expect(unpackFigure(packFigure(given))).toEqual(given);
    const long = unpackFigure(
      packFigure({ ...figure, series: [{ label: "a", colour: 1, repetitions: [line([0.123456789])] }] }),
    );
    expect((long as CurvesFigure).series[0]!.repetitions[0]![0]!.value).toBe(0.123457);
  });
});

/** Numbers of an SVG to one decimal: what cannot be seen is no difference. */
const rounded = (svg: string) => svg.replace(/-?\d+\.\d+/g, (number) => String(Number(Number(number).toFixed(1))));

test.each<[string, Figure]>([
  [
    "curves",
    {
      kind: "curves",
      yTitle: "difference",
      zeroLine: true,
      raw: true,
      series: [
        { label: "control", colour: null, repetitions: [line([3, 1, 2, 1, 0.5])] },
        { label: "sift", colour: 0, repetitions: [line([2, 2, 0, -1]), line([3, 1, 1, 0])] },
      ],
    },
  ],
  [
    "gains",
    {
      kind: "gains",
      bars: [
        { label: "sift", colour: 0, percent: 12.5, rule: { low: 9.5, high: 15.5 }, text: "+12.5 %" },
        { label: "hog", colour: 1, percent: -4, rule: { low: -5, high: -3 }, text: "−4.0 %" },
      ],
    },
  ],
  [
    "scatter",
    {
      kind: "scatter",
      xTitle: "LDS",
      yTitle: "gain, %",
      points: [
        { label: "sift", colour: 0, x: 0.2, y: 3 },
        { label: "hog", colour: 1, x: 0.4, y: -1 },
      ],
    },
  ],
])("%s look as they did", async (name, figure) => {
  await expect(rounded(await draw(figure)).replaceAll("><", ">\n<")).toMatchFileSnapshot(`snapshots/${name}.svg`);
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
    expect([1, 29, 30, 300, 6000].map((points) => smoothingWindow(points))).toEqual([1, 1, 3, 21, 401]);
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
