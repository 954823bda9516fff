/**
 * @file Figures that can be looked into. Each is drawn anew from the data beside it, at the width that it has; curves get a cursor
 * (pointer, touch or arrow keys) that reads all arms at a step, and a range to drag for zooming.
 */

import { parse, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compileFigure, keepWarnings } from "../compile-figure.js";
import { unpackFigure } from "../figure-json.js";
import {
  BRUSH,
  boldLines,
  CURSOR,
  type CurvesFigure,
  curvesSpec,
  type DrawnLine,
  type Figure,
  figureSpec,
  seriesColour,
} from "../figure-specs.js";
import { formatCount, formatNumber } from "../format-number.js";
import { curveView, onCurveView, setCurveView } from "./settings.js";
import { hideTooltip, showTooltip, type TooltipRow } from "./tooltip.js";

/** Widest plot, its axes not counted, and the room that axes take. */
const MOST_PX = 620;
const AXES_PX = 62;

/** Draw the figures that are inside of an element. */
export function hydrateFigures(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>("figure.chart")) {
    const data = element.querySelector('script[type="application/json"]');
    const plot = element.querySelector<HTMLElement>(".plot");
    if (data === null || plot === null) continue;
    const figure = unpackFigure(data.textContent!);
    if (figure.kind === "curves") new CurveChart(element, plot, figure);
    else void draw(plot, figureSpec(figure, widthFor(plot, figure)));
  }
}

function widthFor(plot: HTMLElement, figure: Figure): number {
  const labels = figure.kind === "gains" ? Math.max(...figure.bars.map(({ label }) => label.length)) * 6.4 : AXES_PX;
  return Math.max(140, Math.min(MOST_PX, plot.clientWidth) - Math.min(340, labels) - 14);
}

/** Draw a specification in the place of what is there. */
async function draw(plot: HTMLElement, spec: Parameters<typeof compileFigure>[0]): Promise<View> {
  const { said, listen } = keepWarnings();
  const place = document.createElement("div");
  const view = new View(parse(compileFigure(spec, listen), undefined, { ast: true }), {
    renderer: "svg",
    container: place,
    hover: true,
    logger: listen,
    // The page's policy forbids code made of text, which is how Vega would otherwise evaluate its expressions.
    expr: expressionInterpreter,
  });
  view.tooltip((_, event, _item, value: unknown) => {
    if (typeof value !== "object" || value === null) hideTooltip();
    else
      showTooltip(
        Object.entries(value).map(([name, said]) => ({ name, value: String(said) })),
        event as MouseEvent,
      );
  });
  await view.runAsync();
  if (said.length > 0) console.error(`figure: ${said.join("; ")}`);
  place.querySelector("svg")!.setAttribute("aria-hidden", "true");
  plot.replaceChildren(place);
  return view;
}

class CurveChart {
  private view: View | undefined;
  private lines: readonly DrawnLine[] = [];
  private steps: readonly number[] = [];
  private cursor: number | null = null;
  private widthPx = 0;
  private isDrawing = false;
  private isStale = false;
  private readonly slider = document.createElement("input");

  constructor(
    element: HTMLElement,
    private readonly plot: HTMLElement,
    private readonly figure: CurvesFigure,
  ) {
    const { slider } = this;
    slider.type = "range";
    slider.className = "cursor";
    slider.min = "0";
    slider.setAttribute("aria-label", `Read ${figure.yTitle} at a step`);
    slider.addEventListener("input", () => this.moveTo(this.steps[slider.valueAsNumber] ?? null, undefined));
    slider.addEventListener("blur", () => this.moveTo(null, undefined));
    slider.addEventListener("focus", () => this.moveTo(this.steps[slider.valueAsNumber] ?? null, undefined));
    plot.after(slider);
    onCurveView(element, () => this.redraw());
    new ResizeObserver(() => {
      const width = this.plotWidth();
      if (element.isConnected && this.widthPx !== 0 && Math.abs(width - this.widthPx) > 1) this.redraw();
    }).observe(plot);
    this.redraw();
  }

  private plotWidth(): number {
    return Math.max(160, Math.min(MOST_PX, this.plot.clientWidth) - AXES_PX);
  }

  /** One drawing at a time; changes in the meantime lead to one more. */
  private redraw(): void {
    if (this.isDrawing) {
      this.isStale = true;
      return;
    }
    this.isDrawing = true;
    requestAnimationFrame(() => {
      void this.drawNow().finally(() => {
        this.isDrawing = false;
        if (this.isStale) {
          this.isStale = false;
          this.redraw();
        }
      });
    });
  }

  private async drawNow(): Promise<void> {
    this.view?.finalize();
    this.widthPx = this.plotWidth();
    const seen = curveView();
    this.lines = boldLines(this.figure, seen);
    this.steps = [...new Set(this.lines.flatMap(({ points }) => points.map(({ step }) => step)))].sort((a, b) => a - b);
    this.slider.max = String(Math.max(0, this.steps.length - 1));
    const view = await draw(this.plot, curvesSpec(this.figure, seen, { widthPx: this.widthPx, interactive: true }));
    this.view = view;
    view.addEventListener("pointermove", (event) => this.follow(event as PointerEvent));
    this.plot.onpointerleave = () => this.moveTo(null, undefined);
    view.addEventListener("dblclick", () => setCurveView({ range: null }));
    this.plot.onpointerup = () => this.zoom();
  }

  private follow(event: PointerEvent): void {
    const inPlot = this.toPlot(event);
    if (inPlot === null || this.steps.length === 0) {
      this.moveTo(null, undefined);
      return;
    }
    const scale = this.view!.scale("x") as unknown as { invert(px: number): number };
    const at = scale.invert(inPlot);
    const nearest = this.steps.reduce((a, b) => (Math.abs(b - at) < Math.abs(a - at) ? b : a));
    this.moveTo(nearest, event);
  }

  /** Pixels from the left of the plot; null outside of it. */
  private toPlot(event: PointerEvent): number | null {
    const left = this.plot.querySelector("svg")!.getBoundingClientRect().left + this.view!.origin()[0];
    const at = event.clientX - left;
    return at < -4 || at > this.widthPx + 4 ? null : at;
  }

  /** Put the cursor on a step and say what all arms are there. @param at where the pointer is; undefined: by keyboard. */
  private moveTo(step: number | null, at: MouseEvent | undefined): void {
    const { view } = this;
    if (view === undefined) return;
    if (step !== this.cursor) {
      this.cursor = step;
      void view.signal(CURSOR, step).runAsync();
    }
    if (step === null) {
      hideTooltip();
      return;
    }
    const rows = this.read(step);
    this.slider.value = String(this.steps.indexOf(step));
    this.slider.setAttribute("aria-valuetext", rows.map(({ name, value }) => `${name} ${value}`).join(", "));
    showTooltip(rows, at ?? this.pointOf(step));
  }

  private read(step: number): TooltipRow[] {
    const colours = new Map(this.figure.series.map(({ label, colour }) => [label, seriesColour(colour)]));
    return [
      { name: "step", value: formatCount(Math.round(step)) },
      ...this.lines.flatMap(({ label, points }) => {
        const value = valueAt(points, step);
        return value === null ? [] : [{ name: label, value: formatNumber(value), colour: colours.get(label)! }];
      }),
    ];
  }

  /** Where the tooltip of the keyboard's cursor belongs. */
  private pointOf(step: number): { clientX: number; clientY: number } {
    const box = this.plot.getBoundingClientRect();
    const scale = this.view!.scale("x") as unknown as (step: number) => number;
    return { clientX: box.left + this.view!.origin()[0] + scale(step), clientY: box.top + 30 };
  }

  private zoom(): void {
    const brush = this.view?.signal(BRUSH) as { step?: readonly [number, number] } | undefined;
    const dragged = brush?.step;
    if (dragged === undefined) return;
    const [first, last] = [Math.min(...dragged), Math.max(...dragged)];
    if (this.steps.filter((step) => step >= first && step <= last).length >= 2) setCurveView({ range: [first, last] });
  }
}

/** The value of a drawn line at a step, between its points as it is drawn; null outside of it. */
function valueAt(points: DrawnLine["points"], step: number): number | null {
  const after = points.findIndex((point) => point.step >= step);
  if (after < 0) return null;
  const right = points[after]!;
  if (right.step === step) return right.value;
  const left = points[after - 1];
  if (left === undefined) return null;
  return left.value + ((right.value - left.value) * (step - left.step)) / (right.step - left.step);
}
