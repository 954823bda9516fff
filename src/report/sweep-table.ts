import { alignTable } from "./align-table.js";
import { compareArms } from "./compare-arms.js";
import { formatNumber, formatPercent, formatSpread } from "./format-number.js";
import type { RunRecord } from "./read-run.js";
import { groupRuns } from "./run-groups.js";
import { type SeedRow, summarizeSeeds } from "./seed-summary.js";
import { conditionsOf, shownMetrics, tableHeader } from "./terminal-table.js";

/** The arms of one experiment under several seeds. */
export interface SweepSummary {
  readonly rows: readonly SeedRow[];
  /** As {@link formatTerminalTable}, each number as mean ± standard deviation over the seeds. */
  readonly table: string;
}

/** Sum up runs that differ in nothing but their seeds. */
export function summarizeSweep(runs: readonly RunRecord[]): SweepSummary {
  const [group, ...others] = groupRuns(runs);
  if (group === undefined || others.length > 0) throw new Error("a sweep is one experiment under several seeds");
  const rows = summarizeSeeds(group);
  const shown = shownMetrics(compareArms(runs[0]!));
  const lines = rows.map((row) => {
    const cells = shown.map(({ key }) => row.cells.find(({ metric }) => metric.key === key)?.value ?? null);
    if (cells.every((cell) => cell === null)) return [row.label, "not evaluated"];
    const numbers = cells.map((cell) =>
      cell === null ? "–" : `${formatNumber(cell.mean)}${cell.std === null ? "" : ` ± ${formatSpread(cell.std)}`}`,
    );
    return [row.label, ...numbers, gainOf(row, shown[0]!.key)];
  });
  const conditions = conditionsOf(compareArms(runs[0]!));
  const seeds = `mean ± standard deviation over ${runs.length} seeds; in brackets: seeds in which the arm beat its control`;
  const notes = runs.length === 1 ? [conditions] : [conditions, seeds];
  const table = [alignTable(tableHeader(shown), lines), ...notes.filter((note) => note !== null)].join("\n");
  return { rows, table };
}

function gainOf(row: SeedRow, key: string): string {
  if (row.isControl) return "control";
  const cell = row.cells.find(({ metric }) => metric.key === key);
  if (cell?.relative == null) return "–";
  return `${formatPercent(cell.relative.mean)} (${cell.wins} of ${cell.relative.count})`;
}
