import { alignTable } from "./align-table.js";
import { compareArms, evaluationNames } from "./compare-arms.js";
import { drawGroup, type GroupDraws } from "./draw-group.js";
import { formatNumber, formatPercent, formatSpread } from "./format-number.js";
import type { RunGroup } from "./run-groups.js";
import { type SeedRow, summarizeSeeds } from "./seed-summary.js";
import { conditionsOf, intervalNote, shownInterval, shownMetrics, tableHeader } from "./terminal-table.js";

/** As {@link formatTerminalTable}, each number as mean ± standard deviation over the seeds of a group. */
export function formatSweepTable(group: RunGroup): string {
  const { runs } = group;
  const name = evaluationNames(runs[0]!)[0] ?? "evaluation";
  const comparison = compareArms(runs[0]!, name);
  const shown = shownMetrics(comparison);
  const draws = drawGroup(group, name, shown[0]!.key);
  const lines = summarizeSeeds(group, name).map((row) => {
    const cells = shown.map(({ key }) => row.cells.find(({ metric }) => metric.key === key)?.value ?? null);
    if (cells.every((cell) => cell === null)) return [row.name, "not evaluated"];
    const numbers = cells.map((cell) =>
      cell === null ? "–" : `${formatNumber(cell.mean)}${cell.std === null ? "" : ` ± ${formatSpread(cell.std)}`}`,
    );
    return [row.name, ...numbers, shownGain(row, shown[0]!.key, draws)];
  });
  const seeds = `mean ± standard deviation over ${runs.length} seeds; N of M: seeds in which the arm beat its control`;
  const notes = [conditionsOf(comparison), ...(runs.length === 1 ? [] : [seeds]), intervalNote(comparison, draws)];
  return [alignTable(tableHeader(shown), lines), ...notes.filter((note) => note !== null)].join("\n");
}

function shownGain(row: SeedRow, key: string, draws: GroupDraws | null): string {
  if (row.isControl) return "control";
  const cell = row.cells.find(({ metric }) => metric.key === key);
  if (cell?.relative == null) return "–";
  return `${formatPercent(cell.relative.mean)}${shownInterval(row.name, draws)} (${cell.wins} of ${cell.relative.count})`;
}
