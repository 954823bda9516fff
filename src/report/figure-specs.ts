/**
 * @file The figures of a report as pure functions from data to Vega-Lite. `render-figure.ts` draws them into the page as it is
 * written, the page's own script draws them again in the browser, to be looked into. Colours are those of the page that a figure
 * stands in (`currentColor` and `--series-N`), so that it follows the dark theme and print; dashes say the same as colours.
 */
import type { TopLevelSpec } from "vega-lite";
import { ARM_COLOURS } from "./arm-colours.js";
import type { Interval } from "./interval.js";
import { type CurvePoint, meanCurve, smooth, smoothingWindow, thin, USUAL_SMOOTHING } from "./smooth.js";

/** Of the lines of arms: where colours repeat, the dashes differ. */
const DASHES: readonly (readonly number[])[] = [
  [1, 0],
  [7, 3],
  [2, 2],
  [9, 3, 2, 3],
];
/** A gain's rule is drawn to this many times the largest gain. */
const RULE_REACH = 3;
/** Points of a drawn line: more cannot be seen. */
const MOST_POINTS = 300;

/** Colour of an arm; null is the control. */
export function seriesColour(colour: number | null): string {
  return colour === null ? "currentColor" : `var(--series-${(colour % ARM_COLOURS.length) + 1})`;
}

/** Dashes of an arm's line, in pixels on and off. */
export function seriesDash(colour: number | null): readonly number[] {
  return colour === null ? DASHES[0]! : DASHES[colour % DASHES.length]!;
}

/** Any figure, as the page carries it. */
export type Figure = CurvesFigure | GainsFigure | ScatterFigure;

/** A line of a chart: one arm, its repetitions drawn faintly, their smoothed mean boldly. */
export interface CurveSeries {
  readonly label: string;
  readonly colour: number | null;
  readonly repetitions: readonly (readonly CurvePoint[])[];
}

/** Curves over training steps. */
export interface CurvesFigure {
  readonly kind: "curves";
  readonly series: readonly CurveSeries[];
  readonly yTitle: string;
  /** Draw a line at 0. */
  readonly zeroLine: boolean;
  /** Draw the single values of each step. */
  readonly raw: boolean;
}

/** A bar of the gain chart. */
export interface GainBar {
  readonly label: string;
  readonly colour: number | null;
  /** Gain in per cent of the control; positive is better. */
  readonly percent: number;
  /** Ends of a rule through the end of the bar, in the same unit: the 95 % interval, or a standard deviation to both sides. */
  readonly rule: Interval | null;
  /** How it is written beside the bar. */
  readonly text: string;
}

/** Bars of the gain over the control, one an arm; to the right is better. */
export interface GainsFigure {
  readonly kind: "gains";
  readonly bars: readonly GainBar[];
}

/** A point of the scatter of a target's structure against what it was good for. */
export interface ScatterPoint {
  readonly label: string;
  readonly colour: number | null;
  readonly x: number;
  readonly y: number;
}

/** Labelled points. */
export interface ScatterFigure {
  readonly kind: "scatter";
  readonly points: readonly ScatterPoint[];
  readonly xTitle: string;
  readonly yTitle: string;
}

/** How curves are looked at. */
export interface CurveView {
  /** Share of the steps that the bold lines are smoothed over, 0..1. */
  readonly smoothing: number;
  readonly logSteps: boolean;
  /** Only where all values are positive. */
  readonly logValues: boolean;
  /** First and last step shown; null: all. */
  readonly range: readonly [first: number, last: number] | null;
  /** Labels of arms that are left out. */
  readonly hidden: ReadonlySet<string>;
}

export const USUAL_VIEW: CurveView = {
  smoothing: USUAL_SMOOTHING,
  logSteps: false,
  logValues: false,
  range: null,
  hidden: new Set(),
};

/** A bold line as it is drawn. */
export interface DrawnLine {
  readonly label: string;
  readonly points: readonly CurvePoint[];
}

/** Name of the parameter that holds the step under the cursor, and of the one that holds a dragged range. */
export const CURSOR = "read_at";
export const BRUSH = "brush";

/** The specification of a figure. @param widthPx of the plot without its axes. */
export function figureSpec(figure: Figure, widthPx?: number): TopLevelSpec {
  switch (figure.kind) {
    case "curves":
      return curvesSpec(figure, USUAL_VIEW, { ...(widthPx === undefined ? {} : { widthPx }) });
    case "gains":
      return gainsSpec(figure, widthPx);
    case "scatter":
      return scatterSpec(figure, widthPx);
  }
}

/** The bold lines of a view: smoothed means of the repetitions, thinned to what can be seen. */
export function boldLines({ series }: CurvesFigure, { smoothing, range, hidden }: CurveView): DrawnLine[] {
  return series
    .filter(({ label }) => !hidden.has(label))
    .map(({ label, repetitions }) => {
      const window = Math.min(...repetitions.map(({ length }) => smoothingWindow(length, smoothing)));
      const mean = meanCurve(repetitions.map((points) => smooth(points, window)));
      return { label, points: thin(within(mean, range), MOST_POINTS) };
    });
}

function within(points: readonly CurvePoint[], range: CurveView["range"]): readonly CurvePoint[] {
  return range === null ? points : points.filter(({ step }) => step >= range[0] && step <= range[1]);
}

/**
 * Curves as somebody looks at them.
 *
 * @param interactive with a cursor (parameter `read_at`, a step or null) and a range to drag (parameter `brush`).
 */
export function curvesSpec(
  figure: CurvesFigure,
  view: CurveView,
  {
    widthPx = 470,
    heightPx = 230,
    interactive = false,
  }: { readonly widthPx?: number; readonly heightPx?: number; readonly interactive?: boolean } = {},
): TopLevelSpec {
  const { series, yTitle, zeroLine } = figure;
  const shown = series.filter(({ label }) => !view.hidden.has(label));
  const faint = figure.raw
    ? shown.flatMap(({ label, repetitions }) =>
        repetitions.flatMap((points, repetition) =>
          thin(within(points, view.range), MOST_POINTS).map((point) => ({
            ...point,
            label,
            id: `${label}\n${repetition}`,
          })),
        ),
      )
    : [];
  const bold = boldLines(figure, view).flatMap(({ label, points }) => points.map((point) => ({ ...point, label })));
  const points = [...faint, ...bold];
  const isPositive = points.every(({ value }) => value > 0);
  const x = {
    field: "step",
    type: "quantitative",
    title: "training step",
    scale: {
      domain: extent(points.map(({ step }) => step)),
      nice: false,
      ...(view.logSteps ? { type: "log" as const } : {}),
    },
    axis: { grid: false, tickCount: 6, tickMinStep: 1, format: ",d" },
  } as const;
  const y = {
    field: "value",
    type: "quantitative",
    title: yTitle,
    scale: {
      domain: extent([...points.map(({ value }) => value), ...(zeroLine ? [0] : [])]),
      nice: true,
      ...(view.logValues && isPositive ? { type: "log" as const } : {}),
    },
    axis: { tickCount: 6 },
  } as const;
  const color = { field: "label", type: "nominal", scale: colourScale(series), legend: null } as const;
  const underCursor = { data: { name: "bold" }, transform: [{ filter: `datum.step === ${CURSOR}` }] };
  return {
    width: widthPx,
    height: heightPx,
    ...(interactive ? { params: [{ name: CURSOR, value: null }] } : {}),
    layer: [
      ...(zeroLine ? [zeroRule("y")] : []),
      ...(figure.raw
        ? [
            {
              data: { values: faint },
              mark: { type: "line" as const, strokeWidth: 0.8, opacity: 0.22 },
              encoding: { x, y, color, detail: { field: "id", type: "nominal" as const } },
            },
          ]
        : []),
      {
        data: { values: bold, name: "bold" },
        mark: { type: "line", strokeWidth: 2 },
        encoding: { x, y, color, strokeDash: dashEncoding(series) },
        ...(interactive
          ? { params: [{ name: BRUSH, select: { type: "interval" as const, encodings: ["x" as const] } }] }
          : {}),
      },
      ...(interactive
        ? [
            {
              ...underCursor,
              mark: { type: "rule" as const, strokeWidth: 1, opacity: 0.35 },
              encoding: { x },
            },
            {
              ...underCursor,
              mark: { type: "point" as const, filled: true, size: 46, opacity: 1 },
              encoding: { x, y, color },
            },
          ]
        : []),
    ],
  };
}

/** Smallest and largest; a little around them where they are one. */
function extent(values: readonly number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const room = low === high ? Math.abs(low) / 10 || 1 : 0;
  return [low - room, high + room];
}

/** Bars of gains. */
function gainsSpec({ bars }: GainsFigure, widthPx = 360): TopLevelSpec {
  // An interval of very few seeds may be wide: its rule is cut off rather than every bar made small.
  const reach = RULE_REACH * Math.max(...bars.map(({ percent }) => Math.abs(percent)));
  const cut = (value: number) => Math.max(-reach, Math.min(reach, value));
  const ends = bars.flatMap(({ percent, rule }) => [percent, cut(rule?.low ?? percent), cut(rule?.high ?? percent)]);
  const isFlat = ends.every((end) => end === 0);
  const low = isFlat ? -1 : Math.min(0, ...ends);
  const high = isFlat ? 1 : Math.max(0, ...ends);
  const room = isFlat ? 0 : 0.3 * (high - low);
  const values = bars.map(({ rule, ...bar }) => {
    const [low, high] = [cut(rule?.low ?? bar.percent), cut(rule?.high ?? bar.percent)];
    return {
      ...bar,
      from: rule?.low,
      to: rule?.high,
      low,
      high,
      end: bar.percent < 0 ? Math.min(low, bar.percent) : Math.max(high, bar.percent),
    };
  });
  const y = {
    field: "label",
    type: "nominal",
    sort: null,
    title: null,
    axis: { labelLimit: 340, ticks: false, domain: false, labelPadding: 6 },
  } as const;
  const domain: [number, number] = [low < 0 ? low - room : 0, high > 0 ? high + room : 0];
  const scale = { domain, nice: false };
  const x = {
    field: "percent",
    type: "quantitative",
    title: "gain over the control, %",
    scale,
    axis: { tickCount: 4 },
  } as const;
  const tooltip = [
    { field: "label", type: "nominal" as const, title: "arm" },
    { field: "percent", type: "quantitative" as const, title: "gain, %", format: "+.4~r" },
    ...(bars.some(({ rule }) => rule !== null)
      ? [
          { field: "from", type: "quantitative" as const, title: "from", format: "+.3~r" },
          { field: "to", type: "quantitative" as const, title: "to", format: "+.3~r" },
        ]
      : []),
  ];
  const label = (side: "left" | "right") => ({
    transform: [{ filter: side === "right" ? "datum.percent >= 0" : "datum.percent < 0" }],
    mark: {
      type: "text" as const,
      align: side === "right" ? ("left" as const) : ("right" as const),
      dx: side === "right" ? 4 : -4,
    },
    encoding: {
      y,
      x: { field: "end", type: "quantitative" as const, scale, title: x.title },
      text: { field: "text", type: "nominal" as const },
    },
  });
  return {
    width: widthPx,
    height: { step: 26 },
    data: { values },
    layer: [
      {
        mark: { type: "bar", height: { band: 0.62 }, fillOpacity: 0.85 },
        encoding: { y, x, tooltip, color: { field: "label", type: "nominal", scale: colourScale(bars), legend: null } },
      },
      ...(bars.some(({ rule }) => rule !== null)
        ? [
            {
              mark: { type: "rule" as const, strokeWidth: 1.5 },
              encoding: {
                y,
                x: { field: "low", type: "quantitative" as const, scale, title: x.title },
                x2: { field: "high" },
              },
            },
          ]
        : []),
      zeroRule("x"),
      label("right"),
      label("left"),
    ],
  };
}

/** A scatter of labelled points. */
function scatterSpec({ points, xTitle, yTitle }: ScatterFigure, widthPx = 430): TopLevelSpec {
  const x = {
    field: "x",
    type: "quantitative",
    title: xTitle,
    scale: { zero: false, padding: 24 },
    axis: { tickCount: 5, grid: false },
  } as const;
  const y = {
    field: "y",
    type: "quantitative",
    title: yTitle,
    scale: { zero: false, padding: 16 },
    axis: { tickCount: 5 },
  } as const;
  const tooltip = [
    { field: "label", type: "nominal" as const, title: "arm" },
    { field: "x", type: "quantitative" as const, title: xTitle, format: ".4~r" },
    { field: "y", type: "quantitative" as const, title: yTitle, format: ".4~r" },
  ];
  return {
    width: widthPx,
    height: 220,
    data: { values: points as ScatterPoint[] },
    layer: [
      {
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: {
          x,
          y,
          tooltip,
          color: { field: "label", type: "nominal", scale: colourScale(points), legend: null },
        },
      },
      { mark: { type: "text", dy: -10 }, encoding: { x, y, text: { field: "label", type: "nominal" } } },
    ],
  };
}

function zeroRule(channel: "x" | "y") {
  return {
    data: { values: [{}] },
    mark: { type: "rule" as const, strokeWidth: 1, opacity: 0.6 },
    encoding: channel === "x" ? { x: { datum: 0 } } : { y: { datum: 0 } },
  };
}

function colourScale(items: readonly { readonly label: string; readonly colour: number | null }[]) {
  return { domain: items.map(({ label }) => label), range: items.map(({ colour }) => seriesColour(colour)) };
}

function dashEncoding(items: readonly { readonly label: string; readonly colour: number | null }[]) {
  return {
    field: "label",
    type: "nominal" as const,
    legend: null,
    scale: {
      domain: items.map(({ label }) => label),
      range: items.map(({ colour }) => [...seriesDash(colour)]),
    },
  };
}
