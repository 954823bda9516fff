import { type Comparison, describeConditions } from "./compare-arms.js";
import { formatNumber, formatPercent } from "./format-number.js";

const SPECIAL: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
};

/** The metrics of a run as a LaTeX table (needs the package booktabs): best values bold, gains in per cent, conditions below. */
export function toLatex({ arms, metrics, name }: Comparison): string {
  const columns = metrics.filter(({ key }) =>
    arms.some(({ cells }) => cells.some((c) => c.metric.key === key && c.value !== null)),
  );
  const mark = { lower: " $\\downarrow$", higher: " $\\uparrow$" };
  const head = columns.map(
    ({ short, direction }) => `${escapeLatex(short)}${direction === null ? "" : mark[direction]}`,
  );
  const rows = arms.map(({ arm, cells, evaluation }) => {
    if (evaluation === null) {
      return `${escapeLatex(arm.name)} & \\multicolumn{${Math.max(1, columns.length)}}{c}{not evaluated} \\\\`;
    }
    const shown = columns.map(({ key }) => {
      const cell = cells.find(({ metric }) => metric.key === key)!;
      if (cell.value === null) return "--";
      const value = latexNumber(formatNumber(cell.value));
      const gain = cell.gain?.relative == null ? "" : ` {\\small(${latexNumber(formatPercent(cell.gain.relative))})}`;
      return `${cell.isBest ? `\\textbf{${value}}` : value}${gain}`;
    });
    return `${[escapeLatex(arm.name), ...shown].join(" & ")} \\\\`;
  });
  const conditions = new Set(
    arms.flatMap(({ evaluation }) => (evaluation === null ? [] : [describeConditions(evaluation)])),
  );
  return [
    `% ${name}: gains in per cent over the control, positive is better`,
    ...[...conditions].map((text) => `% ${text}`),
    `\\begin{tabular}{l${"r".repeat(columns.length)}}`,
    "\\toprule",
    `${["Arm", ...head].join(" & ")} \\\\`,
    "\\midrule",
    ...rows,
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

function escapeLatex(text: string): string {
  return text.replace(/[\\~^&%$#_{}]/g, (character) => SPECIAL[character] ?? `\\${character}`);
}

function latexNumber(text: string): string {
  return text.replace("−", "$-$").replace(" %", "\\,\\%");
}
