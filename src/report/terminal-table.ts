import { alignTable } from "./align-table.js";
import { type ComparedArm, type Comparison, compareArms, evaluationNames, realImages } from "./compare-arms.js";
import { drawGroup, type GroupDraws } from "./draw-group.js";
import { formatNumber, formatPercent } from "./format-number.js";
import { gainOf } from "./gain-interval.js";
import { intervalText } from "./gain-text.js";
import { METRICS, type MetricInfo } from "./metrics.js";
import type { RunGroup } from "./run-groups.js";

/** Metrics that fit beside each other in 80 columns. */
const SHOWN = new Set(["frechet_distance", "kid", "precision", "recall"]);

/**
 * The result of a run as a small aligned text table, without a line feed at its end: one row an arm with its metrics and its
 * gain in the first of them, and a line that says how they were measured.
 *
 * @param group of this run alone.
 */
export function formatTerminalTable(group: RunGroup): string {
  const run = group.runs[0]!;
  const name = evaluationNames(run)[0] ?? "evaluation";
  const comparison = compareArms(run, name);
  const shown = shownMetrics(comparison);
  const [headline] = shown;
  const header = tableHeader(shown);
  const draws = drawGroup(group, name, headline!.key);
  const rows = comparison.arms.map((row) =>
    row.evaluation === null
      ? [row.arm.name, "not evaluated"]
      : [row.arm.name, ...shown.map((metric) => shownValue(row, metric)), shownGain(row, headline!, draws)],
  );
  const notes = [conditionsOf(comparison), intervalNote(comparison, draws)];
  return [alignTable(header, rows), ...notes.filter((note) => note !== null)].join("\n");
}

/** The metrics of a table on the terminal, by the names that they have in a comparison; the first is the one that gains are told in. */
export function shownMetrics({ metrics }: Pick<Comparison, "metrics">): MetricInfo[] {
  return METRICS.filter(({ key }) => SHOWN.has(key)).map(
    (known) => metrics.find(({ key }) => key === known.key) ?? known,
  );
}

/** Column titles of such a table. */
export function tableHeader(shown: readonly MetricInfo[]): string[] {
  const arrows = { lower: " ↓", higher: " ↑" };
  return ["arm", ...shown.map((one) => one.short + (one.direction === null ? "" : arrows[one.direction])), "gain"];
}

function shownValue({ cells }: ComparedArm, { key }: MetricInfo): string {
  const cell = cells.find(({ metric }) => metric.key === key);
  return cell?.value == null ? "–" : formatNumber(cell.value);
}

function shownGain(row: ComparedArm, { key }: MetricInfo, draws: GroupDraws | null): string {
  if (row.isControl) return "control";
  const gain = row.cells.find(({ metric }) => metric.key === key)?.gain;
  return gain?.relative == null ? "–" : formatPercent(gain.relative) + shownInterval(row.arm.name, draws);
}

/** ` [+9.1 %, +20.8 %]`, or nothing where it is not known. */
export function shownInterval(arm: string, draws: GroupDraws | null): string {
  const gain = gainOf(draws, arm);
  return gain === null ? "" : ` ${intervalText(gain)}`;
}

/** What the brackets are, or why there are none; null where nothing is compared. */
export function intervalNote({ arms, control }: Comparison, draws: GroupDraws | null): string | null {
  if (draws !== null) {
    const covered = draws.seeds === 1 ? "other samples, same training" : "other seeds and samples";
    return `in brackets: 95 % interval (${covered}); where it holds 0, the arm is not distinguishable from the control`;
  }
  const isCompared = control?.evaluation != null && arms.some((row) => !row.isControl && row.evaluation !== null);
  return isCompared
    ? "no intervals: the evaluation kept no influences of its samples (descry evaluate RUN --again does)"
    : null;
}

/** How the numbers were measured, in a line; null when nothing was. */
export function conditionsOf(comparison: Comparison): string | null {
  const { arms } = comparison;
  const evaluation = arms.find((row) => row.evaluation !== null)?.evaluation;
  if (evaluation == null) return null;
  const { network, samples, reference } = evaluation;
  const proxy = network.proxy ? ", a proxy: not comparable with published numbers" : "";
  const [headline] = shownMetrics(comparison);
  return `${samples} samples against ${realImages(reference)} by ${network.name}${proxy}; gain in ${headline!.short} over the control`;
}
