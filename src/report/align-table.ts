/**
 * A text table: the first column to the left, the others to the right, two spaces apart, without a line feed at its end.
 *
 * @param rows a row of two cells says in its second why it has no others, and widens no column.
 */
export function alignTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.filter(({ length }) => length > 2).map((row) => row[column]!.length)),
  );
  widths[0] = Math.max(header[0]!.length, ...rows.map((row) => row[0]!.length));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[0]!) : cell.padStart(cells.length === 2 ? 0 : widths[i]!)))
      .join("  ")
      .trimEnd();
  return [header, ...rows].map(line).join("\n");
}
