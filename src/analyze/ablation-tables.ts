/** @file The ablation as tables: text for the terminal, and CSV, Markdown and LaTeX. */

import { targetLabels } from "../rank/target-labels.js";
import { alignTable } from "../report/align-table.js";
import { csvLines } from "../report/csv-lines.js";
import { formatNumber, formatPercent, formatSpread } from "../report/format-number.js";
import { type PlainCell, type PlainTable, tableLatex, tableMarkdown } from "../report/plain-table.js";
import type { Spread } from "../report/seed-summary.js";
import { type AblationAnalysis, type AblationTable, VARIANTS } from "./ablation.js";

type Metric = AblationAnalysis["metrics"][number];

const HEAD: Readonly<Record<(typeof VARIANTS)[number], string>> = {
  baseline: "baseline",
  "+conv": "+ conv",
  "+norm": "+ spatial norm",
  both: "both",
};
const ARROWS = { lower: " ↓", higher: " ↑" };

/** One table a metric and kind of settings, as PlainTables: `targets × baseline, + conv, + spatial norm, both`. */
function ablationTables({ tables, metrics }: AblationAnalysis): PlainTable[] {
  return tables.flatMap((table) => metrics.map((metric) => plainTable(table, metric)));
}

function plainTable({ label, rows, control }: AblationTable, metric: Metric): PlainTable {
  const names = targetLabels(rows.map(({ target }) => target));
  const { key } = metric;
  const before = control?.[key] == null ? "" : ` Without alignment: ${show(control[key])}.`;
  const text = (name: string): PlainCell => ({ text: name, value: null, isBest: false, extras: [] });
  return {
    caption: `${titleOf(metric)}, ${label}. In brackets: gain over the baseline (mlp, no spatial normalization).${before}`,
    head: ["target", ...VARIANTS.map((variant) => HEAD[variant])],
    rows: rows.map(({ cells }, i) => {
      const means = VARIANTS.flatMap((variant) => cells[variant]?.values[key]?.mean ?? []);
      const best = metric.direction === "lower" ? Math.min(...means) : Math.max(...means);
      const filled = VARIANTS.map((variant): PlainCell => {
        const cell = cells[variant];
        const value = cell?.values[key] ?? null;
        if (cell === null || value === null) return text("–");
        const gain = cell.gains[key] ?? null;
        return {
          text: show(value),
          value: value.mean,
          isBest: metric.direction !== null && new Set(means).size > 1 && value.mean === best,
          extras: gain === null ? [] : [{ name: "gain", value: gain, text: formatPercent(gain) }],
        };
      });
      return [text(names[i]!), ...filled];
    }),
  };
}

const titleOf = ({ label, direction }: Metric): string => label + (direction === null ? "" : ARROWS[direction]);

function show({ mean, std }: Spread): string {
  return `${formatNumber(mean)}${std === null ? "" : ` ± ${formatSpread(std)}`}`;
}

/** All tables for the terminal, and what to know about them. */
export function formatAblation(analysis: AblationAnalysis): string {
  const texts = ablationTables(analysis).map(({ caption, head, rows }) => {
    const cells = rows.map((row) =>
      row.map(({ text, extras }) => [text, ...extras.map((extra) => `(${extra.text})`)].join(" ")),
    );
    return `${caption}\n${alignTable(head, cells)}\n`;
  });
  const several = analysis.tables.length > 1;
  const notes = analysis.tables.flatMap(({ label, empty, notes }) =>
    [...(empty.length === 0 ? [] : [`no arm for: ${empty.join(", ")}`]), ...notes].map((note) =>
      several ? `${label}: ${note}` : note,
    ),
  );
  return [...texts, ...notes].join("\n").trimEnd();
}

/** As Markdown: a caption and a table each. */
export function ablationMarkdown(analysis: AblationAnalysis): string {
  return ablationTables(analysis)
    .map((table) => `${table.caption}\n\n${tableMarkdown(table)}`)
    .join("\n");
}

/** As LaTeX (booktabs). */
export function ablationLatex(analysis: AblationAnalysis): string {
  return ablationTables(analysis).map(tableLatex).join("\n");
}

/** Long form, all digits: one row a settings, target, variant and metric. */
export function ablationCsv({ tables, metrics }: AblationAnalysis): string {
  return csvLines([
    ["group", "target", "variant", "arm", "metric", "mean", "std", "repetitions", "gain"],
    ...tables.flatMap(({ label, rows }) =>
      rows.flatMap(({ target, cells }) =>
        VARIANTS.flatMap((variant) =>
          metrics.map(({ key }) => {
            const cell = cells[variant];
            const value = cell?.values[key] ?? null;
            const numbers = [value?.mean ?? null, value?.std ?? null, value?.count ?? null, cell?.gains[key] ?? null];
            return [label, target, variant.replace("+", ""), cell?.arm ?? null, key, ...numbers];
          }),
        ),
      ),
    ),
  ]);
}
