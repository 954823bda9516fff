import { type ComparedArm, type Comparison, compareArms, evaluationNames } from "./compare-arms.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { METRICS, type MetricInfo } from "./metrics.js";
import type { RunRecord } from "./read-run.js";

/** Metrics that fit beside each other in 80 columns. */
const SHOWN = new Set(["frechet_distance", "kid", "precision", "recall"]);

/**
 * The result of a run as a small aligned text table, without a line feed at its end: one row an arm with its metrics and its
 * gain in the first of them, and a line that says how they were measured.
 */
export function formatTerminalTable(run: RunRecord): string {
  const comparison = compareArms(run, evaluationNames(run)[0] ?? "evaluation");
  const shown = METRICS.filter(({ key }) => SHOWN.has(key));
  const [headline] = shown;
  const arrows = { lower: " ↓", higher: " ↑" };
  const header = [
    "arm",
    ...shown.map((one) => one.short + (one.direction === null ? "" : arrows[one.direction])),
    "gain",
  ];
  const rows = comparison.arms.map((row) =>
    row.evaluation === null
      ? [row.arm.name, "not evaluated"]
      : [row.arm.name, ...shown.map((metric) => shownValue(row, metric)), gainOf(row, headline!)],
  );
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.filter(({ length }) => length > 2).map((row) => row[column]!.length)),
  );
  widths[0] = Math.max(header[0]!.length, ...rows.map((row) => row[0]!.length));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(cells.length === 2 ? 0 : widths[i]!)))
      .join("  ")
      .trimEnd();
  const end = conditionsOf(comparison);
  return [line(header), ...rows.map(line), ...(end === null ? [] : [end])].join("\n");
}

function shownValue({ cells }: ComparedArm, { key }: MetricInfo): string {
  const cell = cells.find(({ metric }) => metric.key === key);
  return cell?.value == null ? "–" : formatNumber(cell.value);
}

function gainOf(row: ComparedArm, { key }: MetricInfo): string {
  if (row.isControl) return "control";
  const gain = row.cells.find(({ metric }) => metric.key === key)?.gain;
  return gain?.relative == null ? "–" : formatPercent(gain.relative);
}

function conditionsOf({ arms }: Comparison): string | null {
  const evaluation = arms.find((row) => row.evaluation !== null)?.evaluation;
  if (evaluation == null) return null;
  const { network, samples, reference } = evaluation;
  const proxy = network.proxy ? ", a proxy: not comparable with published numbers" : "";
  return `${samples} samples against ${reference} real images by ${network.name}${proxy}; gain in FD over the control`;
}
