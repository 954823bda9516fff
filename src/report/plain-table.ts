/**
 * @file A table of the report as text to paste elsewhere: CSV with all digits, Markdown and LaTeX as they are shown. The page's
 * script reads the tables from the page, in the order in which they are sorted there.
 */
import { csvLines } from "./csv-lines.js";

/** What stands in a cell beside its main value: a gain, a spread, how it was measured. */
export interface PlainExtra {
  /** Of its column in CSV, after the column's own. */
  readonly name: string;
  readonly value: number | string;
  /** How it is shown in brackets after the value; absent: not shown in Markdown and LaTeX. */
  readonly text?: string;
}

export interface PlainCell {
  /** As shown. */
  readonly text: string;
  /** All digits; null where it is no number. */
  readonly value: number | null;
  readonly isBest: boolean;
  readonly extras: readonly PlainExtra[];
}

export interface PlainTable {
  readonly caption: string;
  readonly head: readonly string[];
  /** As long as the head, except for rows where one cell says something about all others. */
  readonly rows: readonly (readonly PlainCell[])[];
}

export const TABLE_FORMATS = { CSV: tableCsv, Markdown: tableMarkdown, LaTeX: tableLatex } as const;

/** RFC 4180: one column for each extra that a column has anywhere. */
export function tableCsv({ head, rows }: PlainTable): string {
  const extras = head.map((_, column) => [
    ...new Set(rows.flatMap((row) => (row[column]?.extras ?? []).map(({ name }) => name))),
  ]);
  return csvLines([
    head.flatMap((label, column) => [label, ...extras[column]!.map((name) => `${label} ${name}`.trim())]),
    ...rows.map((row) =>
      head.flatMap((_, column) => {
        const cell = row[column];
        const beside = extras[column]!.map((name) => cell?.extras.find((one) => one.name === name)?.value ?? null);
        return [cell === undefined ? null : (cell.value ?? cell.text), ...beside];
      }),
    ),
  ]);
}

/** A table of GitHub's Markdown; columns of numbers to the right, best values bold. */
export function tableMarkdown(table: PlainTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const plain = (text: string) => text.replace(/[\\|*_`<>[\]]/g, "\\$&").replace(/\s+/g, " ");
  const rows = table.rows.map((row) =>
    table.head.map((_, column) => {
      const cell = row[column];
      if (cell === undefined) return "";
      const text = plain(cell.text);
      return (
        (cell.isBest ? `**${text}**` : text) +
        shownExtras(cell)
          .map((extra) => ` (${plain(extra)})`)
          .join("")
      );
    }),
  );
  const rule = table.head.map((_, column) => (isNumeric(table, column) ? "---:" : ":---"));
  return `${[line(table.head.map(plain)), line(rule), ...rows.map(line)].join("\n")}\n`;
}

/** A LaTeX table (needs the package booktabs); best values bold, the caption as comments before it. */
export function tableLatex(table: PlainTable): string {
  const rows = table.rows.map((row) => {
    const cells = row.map((cell, column) => {
      const text = latex(cell.text);
      const beside = shownExtras(cell).map((extra) => ` {\\small(${latex(extra)})}`);
      const shown = (cell.isBest ? `\\textbf{${text}}` : text) + beside.join("");
      const isLast = column === row.length - 1;
      const span = table.head.length - column;
      return isLast && span > 1 ? `\\multicolumn{${span}}{c}{${shown}}` : shown;
    });
    return `${cells.join(" & ")} \\\\`;
  });
  const columns = table.head.map((_, column) => (isNumeric(table, column) ? "r" : "l")).join("");
  const caption = table.caption.split(/(?<=\.)\s+/).filter((sentence) => sentence !== "");
  const notes = table.rows.flat().flatMap(({ extras }) => extras.filter(({ value }) => typeof value === "string"));
  const conditions = new Set(notes.map(({ name, value }) => `${name}: ${value}`));
  return `${[
    ...[...caption, ...conditions].map((line) => `% ${line.replace(/\s+/g, " ")}`),
    `\\begin{tabular}{${columns}}`,
    "\\toprule",
    `${table.head.map(latex).join(" & ")} \\\\`,
    "\\midrule",
    ...rows,
    "\\bottomrule",
    "\\end{tabular}",
  ].join("\n")}\n`;
}

function shownExtras({ extras }: PlainCell): string[] {
  return extras.flatMap(({ text }) => (text === undefined ? [] : [text]));
}

function isNumeric({ rows }: PlainTable, column: number): boolean {
  const cells = rows.map((row) => row[column]).filter((cell) => cell !== undefined);
  return column > 0 && cells.some(({ value }) => value !== null);
}

const SPECIAL: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "−": "$-$",
  "±": "$\\pm$",
  "↓": "$\\downarrow$",
  "↑": "$\\uparrow$",
  "–": "--",
};

function latex(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/[\\~^&%$#_{}−±↓↑–]/g, (character) => SPECIAL[character] ?? `\\${character}`)
    .replaceAll(" \\%", "\\,\\%");
}
