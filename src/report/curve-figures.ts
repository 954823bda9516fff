/** @file The curves and bars of a report as figures, each with a caption and a text for those who cannot see it. */
import { evaluationNames, realImages, unlikeBesidesSeeds } from "./compare-arms.js";
import { curveOf, pointsOf } from "./convergence-record.js";
import { drawGroup } from "./draw-group.js";
import { packFigure } from "./figure-json.js";
import { type CurveSeries, type CurvesFigure, type Figure, figureSpec, type GainBar } from "./figure-specs.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { gainOf } from "./gain-interval.js";
import { type Html, html, trusted } from "./html.js";
import { metricsIn } from "./metrics.js";
import type { RunRecord } from "./read-run.js";
import type { StepRecord } from "./records.js";
import { prefixIds, renderSpec } from "./render-figure.js";
import type { LabelledArm, RunGroup } from "./run-groups.js";
import { summarizeSeeds } from "./seed-summary.js";
import { type CurvePoint, thin } from "./smooth.js";
import { swatch } from "./tables.js";

/** Points of a line that the page carries: enough to look into, few enough for long trainings. */
const MOST_CARRIED = 1500;

/** Draws figures one after the other, so that ids in their SVGs differ. */
export class FigureMaker {
  private count = 0;

  /** @param drawn draw them here; without it they are empty until the page's script has drawn them. */
  constructor(private readonly drawn = true) {}

  /** @param alt what the figure shows, in words. */
  async figure(figure: Figure, title: string, caption: string, alt: string): Promise<Html> {
    this.count += 1;
    const svg = this.drawn ? prefixIds(await renderSpec(figureSpec(figure)), `figure-${this.count}-`) : "";
    const image = trusted(svg.replace("<svg ", '<svg aria-hidden="true" '));
    return html`<figure class="chart"><figcaption><strong>${title}</strong> ${caption}</figcaption><div class="plot ${figure.kind}" role="img" aria-label="${alt}">${image}</div><script type="application/json">${trusted(packFigure(figure))}</script></figure>`;
  }
}

/** The arms and their lines. */
export function legend(arms: readonly LabelledArm[]): Html {
  const seeds = arms.some(({ repetitions }) => repetitions.length > 1);
  return html`<ul class="legend" aria-label="Lines of the charts">${arms.map(({ colour, label }) => html`<li data-label="${label}">${swatch(colour)}<span class="name">${label}</span></li>`)}</ul>
<p class="note">Faint: each logged step${seeds && " of each seed"}. Bold: smoothed<span data-smoothing=""> over a fifteenth of the steps</span>${seeds && ", mean over seeds"}.</p>`;
}

/** What the curves can be looked at with; shown by the page's script. */
export const CURVE_CONTROLS = html`<div class="controls curve-controls" role="group" aria-label="Curves" hidden="">
<label>Smoothing <input type="range" name="smoothing" min="0" max="30" step="0.5" value="6.5" aria-valuetext="6.5 % of the steps"> <output>6.5 %</output></label>
<label><input type="checkbox" name="logSteps"> log steps</label>
<label><input type="checkbox" name="logValues"> log values</label>
<span class="range"><label>Steps <input type="number" name="first" min="1" step="1" aria-label="First step"></label> <label>to <input type="number" name="last" min="1" step="1" aria-label="Last step"></label> <button type="button" name="all">All</button></span>
<span class="hint">Drag over a chart to zoom in, double-click to see all again.</span>
</div>`;

/** Loss, difference from the control and alignment over training steps; empty where nothing was logged. */
export async function trainingFigures(groups: readonly RunGroup[], maker: FigureMaker): Promise<Html[]> {
  const arms = groups.flatMap((group) => group.arms);
  const figures: Html[] = [];
  const measured = convergenceSeries(arms);
  if (measured !== null) {
    const { metric, series, conditions } = measured;
    figures.push(
      await maker.figure(
        curves(series, metric.label),
        `${metric.label} along training.`,
        conditions,
        describeEnds(`${metric.label} over training steps`, series),
      ),
    );
  }
  const denoising = seriesOf(arms, (line) => line.denoising_loss);
  if (denoising.length > 0) {
    figures.push(
      await maker.figure(
        curves(denoising, "denoising loss"),
        "Denoising loss.",
        "",
        describeEnds("Denoising loss over training steps", denoising),
      ),
    );
  }
  const paired = groups.flatMap(pairedSeries);
  if (paired.length > 0) {
    figures.push(
      await maker.figure(
        curves(paired, "difference from the control", { zeroLine: true, raw: false }),
        "Denoising loss minus the control’s.",
        "Below zero: denoises better than the control, on the same images, noise and times.",
        describeEnds("Difference in denoising loss from the control over training steps", paired),
      ),
    );
  }
  const alignment = seriesOf(arms, (line) => line.alignment_loss);
  if (alignment.length > 0) {
    figures.push(
      await maker.figure(
        curves(alignment, "minus mean cosine"),
        "Alignment loss.",
        "−1 is perfect. Levels of different targets do not rank them.",
        describeEnds("Alignment loss over training steps", alignment),
      ),
    );
  }
  const norms = seriesOf(arms, (line) => line.grad_norm);
  if (norms.length > 0) {
    figures.push(
      await maker.figure(
        curves(norms, "gradient norm"),
        "Gradient norm before clipping.",
        "",
        describeEnds("Gradient norm over training steps", norms),
      ),
    );
  }
  return figures;
}

function curves(
  series: readonly CurveSeries[],
  yTitle: string,
  { zeroLine = false, raw = true }: { readonly zeroLine?: boolean; readonly raw?: boolean } = {},
): CurvesFigure {
  return { kind: "curves", series, yTitle, zeroLine, raw };
}

function seriesOf(arms: readonly LabelledArm[], pick: (line: StepRecord) => number | undefined): CurveSeries[] {
  return arms.flatMap(({ label, colour, repetitions }) => {
    const curves = repetitions
      .map(({ metrics }) =>
        metrics.flatMap((line): CurvePoint[] => {
          const value = pick(line);
          return value === undefined ? [] : [{ step: line.step, value }];
        }),
      )
      .filter(({ length }) => length > 0);
    return curves.length === 0
      ? []
      : [{ label, colour, repetitions: curves.map((points) => thin(points, MOST_CARRIED)) }];
  });
}

/** The first metric that was measured along training, of all arms that have it; null where none was. */
function convergenceSeries(arms: readonly LabelledArm[]) {
  const records = arms.flatMap(({ repetitions }) => repetitions.flatMap(({ convergence }) => convergence ?? []));
  const points = pointsOf(records);
  const metric = metricsIn(points).find(({ key }) => points.some(({ metrics }) => metrics[key] != null));
  if (metric === undefined) return null;
  const series = arms.flatMap(({ label, colour, repetitions }): CurveSeries[] => {
    const curves = repetitions
      .map(({ convergence }) => curveOf(convergence, metric.key))
      .filter(({ length }) => length > 0);
    return curves.length === 0 ? [] : [{ label, colour, repetitions: curves }];
  });
  const [first] = records;
  const { samples, reference, network, weights } = first!;
  const conditions = `${samples} samples against ${realImages(reference)} by ${network.name}${network.proxy ? " (proxy)" : ""}, ${weights} weights; the same noise at every step.`;
  const unlike = arms.flatMap(({ label, repetitions }) => {
    const keys = repetitions.flatMap(({ convergence }) =>
      convergence === null ? [] : unlikeBesidesSeeds(first!, convergence),
    );
    return keys.length === 0 ? [] : [`${label} (${[...new Set(keys)].join(", ")})`];
  });
  const warning = unlike.length === 0 ? "" : ` Measured otherwise, and not comparable: ${unlike.join("; ")}.`;
  return { metric, series, conditions: conditions + warning };
}

function pairedSeries(group: RunGroup): CurveSeries[] {
  const control = group.arms.find(({ isControl }) => isControl);
  if (control === undefined) return [];
  return group.arms.flatMap((arm) => {
    if (arm.isControl) return [];
    const curves = arm.repetitions
      .map((repetition, i) => {
        const yardstick = new Map(control.repetitions[i]!.metrics.map((line) => [line.step, line.denoising_loss]));
        return repetition.metrics.flatMap((line): CurvePoint[] => {
          const other = yardstick.get(line.step);
          return other === undefined ? [] : [{ step: line.step, value: line.denoising_loss - other }];
        });
      })
      .filter(({ length }) => length > 0);
    const repetitions = curves.map((points) => thin(points, MOST_CARRIED));
    return curves.length === 0 ? [] : [{ label: arm.label, colour: arm.colour, repetitions }];
  });
}

function describeEnds(what: string, series: readonly CurveSeries[]): string {
  const ends = series.map(({ label, repetitions }) => {
    const last = repetitions[0]!.slice(-Math.max(1, Math.round(repetitions[0]!.length / 10)));
    const mean = last.reduce((sum, { value }) => sum + value, 0) / last.length;
    return `${label} ends at ${formatNumber(mean)}`;
  });
  return `${what}: ${ends.join(", ")}.`;
}

/** One bar chart a metric: the gain of each arm over its control. Metrics without gains leave no chart. */
export async function gainFigures(groups: readonly RunGroup[], maker: FigureMaker): Promise<Html[]> {
  const rows = groups.flatMap((group) => {
    const name = evaluationNames(group.runs[0]!)[0];
    if (name === undefined) return [];
    return summarizeSeeds(group, name).map((row, i) => ({ ...row, group, evaluation: name, arm: group.arms[i]! }));
  });
  const metrics = rows.flatMap(({ cells }) => cells.map(({ metric }) => metric));
  const figures: Html[] = [];
  for (const key of new Set(metrics.map((metric) => metric.key))) {
    const metric = metrics.find((one) => one.key === key)!;
    const hasIntervals = groups.some((group) =>
      rows.some((row) => row.group === group && drawGroup(group, row.evaluation, key) !== null),
    );
    const bars = rows.flatMap(({ group, evaluation, arm, cells }): GainBar[] => {
      const cell = cells.find((one) => one.metric.key === key);
      if (cell?.relative == null) return [];
      const { mean, std } = cell.relative;
      const interval = gainOf(drawGroup(group, evaluation, key), arm.name)?.relativeInterval ?? null;
      const spread = std === null || hasIntervals ? null : { low: mean - std, high: mean + std };
      const ends = interval ?? spread;
      const rule = ends === null ? null : { low: ends.low * 100, high: ends.high * 100 };
      return [{ label: arm.label, colour: arm.colour, percent: mean * 100, rule, text: formatPercent(mean) }];
    });
    if (bars.length === 0) continue;
    const words = bars.map(
      ({ label, text, rule }) =>
        `${label} ${text}${rule === null ? "" : ` (${formatPercent(rule.low / 100)} to ${formatPercent(rule.high / 100)})`}`,
    );
    const what = hasIntervals ? "Rule: 95 % interval." : "Rule: one standard deviation over seeds.";
    figures.push(
      await maker.figure(
        { kind: "gains", bars },
        `${metric.label}.`,
        bars.some(({ rule }) => rule !== null) ? what : "",
        `Gain in ${metric.label} over the control, positive is better: ${words.join(", ")}.`,
      ),
    );
  }
  return figures;
}

/** Spatial structure of the targets against the gain of the arms that were aligned to them; empty with fewer than three arms. */
export async function structureFigures(run: RunRecord, group: RunGroup, maker: FigureMaker): Promise<Html[]> {
  const name = evaluationNames(run)[0];
  if (run.targets === null || name === undefined) return [];
  const { targets } = run.targets;
  const rows = summarizeSeeds(group, name);
  const figures: Html[] = [];
  for (const [key, title] of [
    ["lds", "LDS"],
    ["rmsc", "RMSC"],
  ] as const) {
    const points = group.arms.flatMap(({ label, colour, repetitions }, i) => {
      const align = repetitions[0]!.align;
      const alpha = (align?.["spatialNorm"] as number | null | undefined) ?? null;
      const target = targets.find((one) => one.target === align?.target && one.spatialNorm === alpha);
      const gain = rows[i]!.cells.find(({ metric }) => metric.key === "frechet_distance")?.relative?.mean;
      const structure = target?.metrics[key];
      return structure == null || gain == null ? [] : [{ label, colour, x: structure, y: gain * 100 }];
    });
    if (points.length < 3 || new Set(points.map(({ x }) => x)).size < 3) continue;
    figures.push(
      await maker.figure(
        { kind: "scatter", points, xTitle: `${title} of the target`, yTitle: "gain in Fréchet distance, %" },
        `${title} against gain.`,
        `${points.length} arms: too few for a correlation.`,
        `${title} of the target and gain in Fréchet distance: ${points.map(({ label, x, y }) => `${label} ${formatNumber(x, 3)} and ${formatPercent(y / 100)}`).join(", ")}.`,
      ),
    );
  }
  return figures;
}
