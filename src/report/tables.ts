/** @file The tables of a report, as HTML. Every number stands with the conditions it was measured under. */
import {
  type ComparedArm,
  type Comparison,
  compareArms,
  describeConditions,
  firstEvaluation,
  type MetricCell,
} from "./compare-arms.js";
import { drawGroup } from "./draw-group.js";
import { seriesColour, seriesDash } from "./figure-specs.js";
import { differingKeys, flattenSettings, showSetting } from "./flatten.js";
import { formatCount, formatNumber, formatPercent, formatSeconds, formatSpread } from "./format-number.js";
import { type GainInterval, gainOf } from "./gain-interval.js";
import { gainText } from "./gain-text.js";
import { type Html, html } from "./html.js";
import type { MetricInfo } from "./metrics.js";
import type { ArmRecord } from "./read-run.js";
import type { TargetsRecord } from "./records.js";
import type { LabelledArm, RunGroup } from "./run-groups.js";
import { type SeedCell, type SeedRow, spreadOf, summarizeSeeds } from "./seed-summary.js";

/** The line that an arm has in the charts. */
export function swatch(colour: number | null): Html {
  return html`<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true"><line x1="0" y1="5" x2="26" y2="5" stroke="${seriesColour(colour)}" stroke-width="2.6" stroke-dasharray="${dashes(colour)}"/></svg>`;
}

function dashes(colour: number | null): string {
  const dash = seriesDash(colour);
  return dash[1] === 0 ? "none" : dash.join(" ");
}

/** An exact number, shown rounded. */
function exact(value: number, shown: string): Html {
  return html`<data value="${value}" title="${value}">${shown}</data>`;
}

function arrow({ direction }: MetricInfo): Html {
  if (direction === null) return html`<small>direction unknown</small>`;
  return direction === "lower" ? html`<small>↓ lower is better</small>` : html`<small>↑ higher is better</small>`;
}

function metricHead(metrics: readonly MetricInfo[]): Html[] {
  return metrics.map(
    (metric) => html`<th scope="col"><abbr title="${metric.meaning}">${metric.label}</abbr>${arrow(metric)}</th>`,
  );
}

/** Metrics of the arms of one run by one evaluation. @param group of this run alone. */
export function metricsTable(group: RunGroup, name: string, caption: string): Html {
  const comparison = compareArms(group.runs[0]!, name);
  const { floor, control } = comparison;
  const metrics = comparison.metrics.filter((_, m) => comparison.arms.some(({ cells }) => cells[m]?.value != null));
  const gainNote =
    control === null
      ? "There is no control arm, so there are no gains."
      : `Gains are over the control of the same run, in per cent of the control’s value and in units of the metric; positive is better. ${intervalNote(group, name)}`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table class="metrics">
<caption>${caption} ${gainNote} The best value of each column is marked; rest the pointer on a number to see all its digits.${unmeasured(comparison, metrics)}</caption>
<thead><tr><th scope="col" class="first">Arm<small>how it was measured</small></th>${metricHead(metrics)}</tr></thead>
<tbody>${comparison.arms.map((row, i) => metricsRow(row, group.arms[i]!, metrics, intervalsOf(group, name, row.arm.name)))}${floor === null ? "" : floorRow(floor, metrics, comparison)}</tbody>
</table></div>`;
}

/** The metrics that no arm has, and why: a sentence instead of empty columns. */
function unmeasured({ metrics, arms }: Comparison, shown: readonly MetricInfo[]): string {
  const said = metrics
    .filter((metric) => !shown.includes(metric))
    .map(({ key, label }) => {
      const cell = arms.flatMap(({ cells }) => cells).find(({ metric }) => metric.key === key);
      return ` ${label}: not measured${cell?.missing == null || cell.missing === "not measured" ? "" : ` (${cell.missing})`}.`;
    });
  return said.join("");
}

function metricsRow(
  row: ComparedArm,
  { name, colour, isControl }: LabelledArm,
  metrics: readonly MetricInfo[],
  intervalOf: GainIntervals,
): Html {
  const head = html`<span class="name">${swatch(colour)}${name}</span>${isControl ? html`<small>control: aligned to nothing</small>` : ""}`;
  if (row.evaluation === null) {
    return html`<tr><th scope="row">${head}</th><td class="text none" colspan="${metrics.length}">not evaluated</td></tr>`;
  }
  const unlike =
    row.unlike.length === 0 ? "" : html`<small class="worse">measured differently: ${row.unlike.join(", ")}</small>`;
  return html`<tr><th scope="row">${head}<small data-extra="how it was measured">${describeConditions(row.evaluation)}</small>${unlike}</th>${row.cells.filter(({ metric }) => metrics.includes(metric)).map((cell) => metricCell(cell, intervalOf))}</tr>`;
}

/** By metric: the gain of an arm with its interval, null where none is known. */
type GainIntervals = (metric: MetricInfo) => GainInterval | null;

function intervalsOf(group: RunGroup, name: string, arm: string): GainIntervals {
  return ({ key }) => gainOf(drawGroup(group, name, key), arm);
}

/** What the intervals of a table are, or why there are none. */
function intervalNote(group: RunGroup, name: string): string {
  if (drawGroup(group, name) === null) {
    return "No intervals are known: the evaluation kept no influences of its samples; descry evaluate RUN --again does.";
  }
  const how =
    group.runs.length === 1
      ? "paired bootstrap over the samples, which share noise and classes; other training seeds are not in them"
      : "of other seeds (Student’s t, the variance pooled over arms) and of other samples (paired bootstrap)";
  return `In brackets 95 % intervals: ${how}. Each is for its own comparison: of twenty arms that do not differ, one is expected to be outside.`;
}

function metricCell(cell: MetricCell, intervalOf: GainIntervals): Html {
  if (cell.value === null) return html`<td><span class="none" title="${cell.missing}">not measured</span></td>`;
  const spread =
    cell.spread === null
      ? ""
      : html` <span title="${cell.metric.spread}" data-extra="±" data-value="${cell.spread}">± ${formatSpread(cell.spread)}</span>`;
  const best = cell.isBest ? html`<span class="hidden"> best</span>` : "";
  return html`<td class="${cell.isBest ? "best" : ""}">${exact(cell.value, formatNumber(cell.value))}${spread}${best}${cell.gain !== null && gainText(cell.gain, intervalOf(cell.metric))}</td>`;
}

function floorRow(
  floor: Readonly<Record<string, number | null>>,
  metrics: readonly MetricInfo[],
  { arms }: Comparison,
): Html {
  const evaluation = arms.find((row) => row.evaluation !== null && row.evaluation.floor !== null)?.evaluation;
  const conditions = evaluation
    ? `${evaluation.network.proxy ? `${evaluation.network.name} (proxy)` : evaluation.network.name} · ${evaluation.samples} other real images against ${evaluation.reference} real`
    : "";
  return html`<tr class="floor"><th scope="row">real images<small>what a perfect model would score: ${conditions}</small></th>${metrics.map(
    ({ key }) => {
      const value = floor[key] ?? null;
      return value === null
        ? html`<td><span class="none">not measured</span></td>`
        : html`<td>${exact(value, formatNumber(value))}</td>`;
    },
  )}</tr>`;
}

/** Means over seeds. */
export function seedTable(group: RunGroup, name: string, caption: string): Html {
  const all = summarizeSeeds(group, name);
  const isMeasured = (_: unknown, m: number) => all.some(({ cells }) => cells[m]!.value !== null);
  const rows = all.map((row) => ({ ...row, cells: row.cells.filter(isMeasured) }));
  const metrics = rows[0]!.cells.map(({ metric }) => metric);
  const evaluation = firstEvaluation(group, name);
  const conditions = evaluation === undefined ? "" : ` Each number: ${describeConditions(evaluation)}.`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table class="metrics">
<caption>${caption} Mean ± standard deviation (n − 1) over ${group.runs.length} seeds. A gain is the mean of the differences from the control of the same seed; positive is better. ${intervalNote(group, name)}${conditions}</caption>
<thead><tr><th scope="col" class="first">Arm</th>${metricHead(metrics)}</tr></thead>
<tbody>${rows.map((row, i) => seedRow(row, group.arms[i]!, rows, intervalsOf(group, name, row.name)))}</tbody>
</table></div>`;
}

function seedRow(
  { cells }: SeedRow,
  { name, colour, isControl }: LabelledArm,
  rows: readonly SeedRow[],
  intervalOf: GainIntervals,
): Html {
  const head = html`<span class="name">${swatch(colour)}${name}</span>${isControl ? html`<small>control: aligned to nothing</small>` : ""}`;
  return html`<tr><th scope="row">${head}</th>${cells.map((cell, m) => seedCell(cell, isBestMean(cell, m, rows), intervalOf))}</tr>`;
}

function isBestMean({ value, metric }: SeedCell, m: number, rows: readonly SeedRow[]): boolean {
  const means = rows.map(({ cells }) => cells[m]?.value?.mean).filter((mean) => mean !== undefined);
  if (value === null || metric.direction === null || new Set(means).size < 2) return false;
  return value.mean === (metric.direction === "lower" ? Math.min(...means) : Math.max(...means));
}

function seedCell({ metric, value, gain, relative, wins }: SeedCell, isBest: boolean, intervalOf: GainIntervals): Html {
  if (value === null) return html`<td><span class="none">not measured</span></td>`;
  const spread = value.std === null ? "" : ` ± ${formatSpread(value.std)}`;
  const said =
    gain !== null &&
    html`${gainText({ absolute: gain.mean, relative: relative?.mean ?? null }, intervalOf(metric), gain.std)}<small>better in ${wins} of ${gain.count}</small>`;
  return html`<td class="${isBest ? "best" : ""}">${exact(value.mean, formatNumber(value.mean))}${spread}${said}</td>`;
}

/** What training came to: last losses and what a step costs. */
export function trainingTable(group: RunGroup): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Training in numbers"><table>
<caption>Training. Losses are means over the last tenth of the logged steps${group.runs.length > 1 ? " and over seeds" : ""}. Arms of one run see the same images, noise and times from the same first weights.</caption>
<thead><tr><th scope="col" class="first">Arm</th><th scope="col">Steps</th><th scope="col">Denoising loss<small>↓ lower is better</small></th><th scope="col">Alignment loss<small>−1 is perfect</small></th><th scope="col">Gradient norm<small>before clipping</small></th><th scope="col">A step<small>median</small></th><th scope="col">All steps</th></tr></thead>
<tbody>${group.arms.map(trainingRow)}</tbody>
</table></div>`;
}

function trainingRow({ name, colour, repetitions }: LabelledArm): Html {
  const head = html`<th scope="row"><span class="name">${swatch(colour)}${name}</span></th>`;
  const logged = repetitions.filter(({ metrics }) => metrics.length > 0);
  if (logged.length === 0) return html`<tr>${head}<td class="text none" colspan="6">nothing logged</td></tr>`;
  const end = (key: "denoising_loss" | "alignment_loss" | "grad_norm") => {
    const means = logged.map((arm) => lastMean(arm, key)).filter((mean) => mean !== null);
    const spread = spreadOf(means);
    if (spread === null) return html`<td>–</td>`;
    return html`<td>${exact(spread.mean, formatNumber(spread.mean))}${spread.std === null ? "" : ` ± ${formatSpread(spread.std)}`}</td>`;
  };
  const seconds = logged.flatMap(({ metrics }) => metrics.map((one) => one.seconds)).sort((a, b) => a - b);
  const median = seconds[Math.floor(seconds.length / 2)]!;
  const steps = Math.max(...logged.map(({ metrics }) => metrics.at(-1)!.step));
  const isComplete = logged.every(({ metrics }) => metrics.length === metrics.at(-1)!.step);
  const total = isComplete ? formatSeconds(seconds.reduce((sum, one) => sum + one, 0) / logged.length) : null;
  return html`<tr>${head}<td>${formatCount(steps)}</td>${end("denoising_loss")}${end("alignment_loss")}${end("grad_norm")}<td>${exact(median, formatSeconds(median))}</td><td>${total ?? html`<abbr title="not every step was logged">about ${formatSeconds(median * steps)}</abbr>`}</td></tr>`;
}

function lastMean({ metrics }: ArmRecord, key: "denoising_loss" | "alignment_loss" | "grad_norm"): number | null {
  const last = metrics.slice(-Math.max(1, Math.round(metrics.length / 10))).map((one) => one[key]);
  const values = last.filter((value) => value !== undefined);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Only the settings in which experiments or aligned arms differ, and the target: one column an arm. What a control lacks is no
 * difference.
 */
export function differenceTable(groups: readonly RunGroup[]): Html {
  const columns = groups.flatMap((group) => {
    const { arms: _, ...experiment } = group.runs[0]!.experiment;
    const shared = flattenSettings({ ...experiment, name: null, seed: null });
    return group.arms.map(({ label, repetitions }) => {
      const { align } = repetitions[0]!;
      return { label, shared, align: align === null ? null : flattenSettings(align) };
    });
  });
  const aligned = columns.flatMap(({ align }) => (align === null ? [] : [align]));
  const own = differingKeys(aligned).filter((key) => key !== "target");
  const rows = [
    ...differingKeys(columns.map(({ shared }) => shared)).map((key) => ({
      key,
      values: columns.map(({ shared }) => showSetting(shared.get(key))),
    })),
    ...(aligned.length === 0 ? [] : ["target", ...own]).map((key) => ({
      key,
      values: columns.map(({ align }) => (align === null && key === "target" ? "none" : showSetting(align?.get(key)))),
    })),
  ];
  if (rows.length === 0) return html`<p>The arms differ in no setting.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Settings that differ"><table>
<caption>The settings in which the arms differ; all others are the same everywhere. A dash: not set.</caption>
<thead><tr><th scope="col" class="first">Setting</th>${columns.map(({ label }) => html`<th scope="col" class="text"><span class="name">${label}</span></th>`)}</tr></thead>
<tbody>${rows.map(({ key, values }) => html`<tr><th scope="row"><code>${key}</code></th>${values.map((value) => html`<td class="text">${value}</td>`)}</tr>`)}</tbody>
</table></div>`;
}

/** Spatial structure of the targets. */
export function targetsTable({ targets, protocol }: TargetsRecord): Html {
  const columns = [
    ["lds", "LDS", "local minus distant similarity"],
    ["cds", "CDS", "how fast similarity falls with distance"],
    ["srss", "SRSS", "similarity within a region minus to the far background"],
    ["rmsc", "RMSC", "contrast of the tokens"],
  ] as const;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Spatial structure"><table>
<caption>Spatial structure of the targets: ${protocol}. In the iREPA paper more structure goes with better generation.</caption>
<thead><tr><th scope="col" class="first">Target</th><th scope="col">Channels</th>${columns.map(([, label, meaning]) => html`<th scope="col"><abbr title="${meaning}">${label}</abbr></th>`)}<th scope="col">Variance shown<small>by three colours</small></th></tr></thead>
<tbody>${targets.map(
    ({ target, spatialNorm, dim, note, metrics, explained }) =>
      html`<tr><th scope="row"><span class="name">${targetLabel(target, spatialNorm)}</span>${note === undefined ? "" : html`<small>${note}</small>`}</th><td>${dim}</td>${columns.map(
        ([key]) => {
          const value = metrics[key];
          return html`<td>${value === null ? html`<span class="none">not measured</span>` : exact(value, value.toFixed(3).replace("-", "−"))}</td>`;
        },
      )}<td>${explained === null ? "–" : formatPercent(explained).replace("+", "")}</td></tr>`,
  )}</tbody>
</table></div>`;
}

/** A target with its normalization. */
export function targetLabel(target: string, spatialNorm: number | null): string {
  return spatialNorm === null ? target : `${target}, spatial norm ${spatialNorm}`;
}
