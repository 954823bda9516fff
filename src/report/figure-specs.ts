/**
 * @file The figures of a report: data in, the text of an SVG out, by Vega-Lite and Vega without a canvas. Colours are those of the
 * page that the SVG stands in (`currentColor` and `--series-N`), so that a figure follows dark mode and print; line dashes say
 * the same as colours.
 */
import { logger, parse, Error as VegaError, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { type CurvePoint, meanCurve, smooth, smoothingWindow, thin } from "./smooth.js";

/** Colours of arms that are no controls; then they repeat, with other dashes. Defined in `style.ts`. */
export const SERIES_COLOURS = 7;
const DASHES: readonly (readonly number[])[] = [
  [1, 0],
  [7, 3],
  [2, 2],
  [9, 3, 2, 3],
];
/** Points of a drawn line: more cannot be seen and make the file large. */
const MOST_POINTS = 300;

/** Colour of an arm; null is the control. */
export function seriesColour(colour: number | null): string {
  return colour === null ? "currentColor" : `var(--series-${(colour % SERIES_COLOURS) + 1})`;
}

/** Dashes of an arm's line, in pixels on and off. */
export function seriesDash(colour: number | null): readonly number[] {
  return colour === null ? DASHES[0]! : DASHES[colour % DASHES.length]!;
}

/** A line of a chart: one arm, its repetitions drawn faintly, their smoothed mean boldly. */
export interface CurveSeries {
  readonly label: string;
  readonly colour: number | null;
  readonly repetitions: readonly (readonly CurvePoint[])[];
}

export interface CurveChartOptions {
  readonly series: readonly CurveSeries[];
  readonly yTitle: string;
  /** Draw a line at 0. */
  readonly zeroLine?: boolean;
  /** Draw the single values of each step. @default true */
  readonly raw?: boolean;
  readonly widthPx?: number;
  readonly heightPx?: number;
}

/** Curves over training steps. */
export function curveChart(options: CurveChartOptions): Promise<string> {
  const { series, yTitle, zeroLine = false, raw = true, widthPx = 470, heightPx = 230 } = options;
  const faint = raw
    ? series.flatMap(({ label, repetitions }) =>
        repetitions.flatMap((points, repetition) =>
          thin(points, MOST_POINTS).map((point) => ({ ...point, label, id: `${label}\n${repetition}` })),
        ),
      )
    : [];
  const bold = series.flatMap(({ label, repetitions }) => {
    const window = Math.min(...repetitions.map(({ length }) => smoothingWindow(length)));
    const mean = meanCurve(repetitions.map((points) => smooth(points, window)));
    return thin(mean, MOST_POINTS).map((point) => ({ ...point, label }));
  });
  const x = {
    field: "step",
    type: "quantitative",
    title: "training step",
    scale: { nice: false, zero: false },
    axis: { grid: false, tickCount: 6, tickMinStep: 1, format: ",d" },
  } as const;
  const y = {
    field: "value",
    type: "quantitative",
    title: yTitle,
    scale: { zero: false },
    axis: { tickCount: 6 },
  } as const;
  const colour = { field: "label", type: "nominal", scale: colourScale(series), legend: null } as const;
  return renderSpec({
    width: widthPx,
    height: heightPx,
    layer: [
      ...(zeroLine ? [zeroRule("y")] : []),
      ...(raw
        ? [
            {
              data: { values: faint },
              mark: { type: "line" as const, strokeWidth: 0.8, opacity: 0.22 },
              encoding: { x, y, color: colour, detail: { field: "id", type: "nominal" as const } },
            },
          ]
        : []),
      {
        data: { values: bold },
        mark: { type: "line", strokeWidth: 2 },
        encoding: { x, y, color: colour, strokeDash: dashEncoding(series) },
      },
    ],
  });
}

/** A bar of the gain chart. */
export interface GainBar {
  readonly label: string;
  readonly colour: number | null;
  /** Gain in per cent of the control; positive is better. */
  readonly percent: number;
  /** Standard deviation over seeds, in the same unit; null for one seed. */
  readonly std: number | null;
  /** How it is written beside the bar. */
  readonly text: string;
}

/** Bars of the gain over the control, one an arm; to the right is better. */
export function gainChart(bars: readonly GainBar[], widthPx = 360): Promise<string> {
  const ends = bars.flatMap(({ percent, std }) => [percent - (std ?? 0), percent + (std ?? 0)]);
  const isFlat = ends.every((end) => end === 0);
  const low = isFlat ? -1 : Math.min(0, ...ends);
  const high = isFlat ? 1 : Math.max(0, ...ends);
  const room = isFlat ? 0 : 0.3 * (high - low);
  const values = bars.map((bar) => ({
    ...bar,
    low: bar.percent - (bar.std ?? 0),
    high: bar.percent + (bar.std ?? 0),
    end: bar.percent < 0 ? bar.percent - (bar.std ?? 0) : bar.percent + (bar.std ?? 0),
  }));
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
  return renderSpec({
    width: widthPx,
    height: { step: 26 },
    data: { values },
    layer: [
      {
        mark: { type: "bar", height: { band: 0.62 }, fillOpacity: 0.85 },
        encoding: { y, x, color: { field: "label", type: "nominal", scale: colourScale(bars), legend: null } },
      },
      ...(bars.some(({ std }) => std !== null)
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
  });
}

/** A point of the scatter of a target's structure against what it was good for. */
export interface ScatterPoint {
  readonly label: string;
  readonly colour: number | null;
  readonly x: number;
  readonly y: number;
}

/** Labelled points. */
export function scatterChart(
  points: readonly ScatterPoint[],
  titles: { readonly x: string; readonly y: string },
  widthPx = 430,
): Promise<string> {
  const x = {
    field: "x",
    type: "quantitative",
    title: titles.x,
    scale: { zero: false, padding: 24 },
    axis: { tickCount: 5, grid: false },
  } as const;
  const y = {
    field: "y",
    type: "quantitative",
    title: titles.y,
    scale: { zero: false, padding: 16 },
    axis: { tickCount: 5 },
  } as const;
  return renderSpec({
    width: widthPx,
    height: 220,
    data: { values: points as ScatterPoint[] },
    layer: [
      {
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: { x, y, color: { field: "label", type: "nominal", scale: colourScale(points), legend: null } },
      },
      { mark: { type: "text", dy: -10 }, encoding: { x, y, text: { field: "label", type: "nominal" } } },
    ],
  });
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

const INK = "currentColor";
const CONFIG: NonNullable<TopLevelSpec["config"]> = {
  aria: false,
  background: "transparent",
  font: "inherit",
  view: { stroke: null },
  axis: {
    labelColor: INK,
    titleColor: INK,
    tickColor: INK,
    domainColor: INK,
    gridColor: INK,
    gridOpacity: 0.13,
    tickOpacity: 0.4,
    domainOpacity: 0.4,
    labelOpacity: 0.85,
    labelFontSize: 11.5,
    titleFontSize: 12,
    titleFontWeight: "normal",
    titlePadding: 8,
  },
  text: { color: INK, fontSize: 11.5 },
  rule: { color: INK },
};

/**
 * A Vega-Lite specification → the text of an SVG that can stand in a page beside others: it refers to nothing outside.
 *
 * @throws {Error} what Vega warns of: a figure with a warning is a mistake of this file.
 */
export async function renderSpec(spec: TopLevelSpec): Promise<string> {
  const warnings: string[] = [];
  const listen = logger(VegaError);
  for (const level of ["warn", "error"] as const) {
    listen[level] = (...said: readonly unknown[]) => {
      warnings.push(said.map(String).join(" "));
      return listen;
    };
  }
  const { spec: vegaSpec } = compile({ ...spec, config: CONFIG } as TopLevelSpec, { logger: listen });
  const view = new View(parse(vegaSpec), { renderer: "none", logger: listen });
  const svg = await view.toSVG();
  view.finalize();
  if (warnings.length > 0) throw new Error(`chart: ${warnings.join("; ")}`);
  return svg.replace(/ xmlns(:xlink)?="[^"]*"/g, "").replace(/ font-family="inherit"/g, "");
}

/** Give the ids inside an SVG a prefix, so that several can stand in one page. */
export function prefixIds(svg: string, prefix: string): string {
  return svg.replace(/( id="|url\(#)/g, `$1${prefix}`);
}
