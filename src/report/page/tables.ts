/** @file Tables that sort by a click on a heading and that can be copied as text, in the order in which they are sorted. */
import { type PlainCell, type PlainTable, TABLE_FORMATS } from "../plain-table.js";

type Order = "none" | "ascending" | "descending";
const NEXT: Readonly<Record<Order, Order>> = { none: "ascending", ascending: "descending", descending: "none" };

/** Make the tables of numbers inside of an element sortable and copyable; tables of pictures stay as they are. */
export function hydrateTables(root: ParentNode): void {
  for (const table of root.querySelectorAll<HTMLTableElement>("table:not([data-gallery])")) {
    if (table.tHead === null || table.tBodies[0] === undefined) continue;
    makeSortable(table);
    makeCopyable(table);
  }
}

/** Which column a table is sorted by, to be told to the table that takes its place. */
export function sortedBy(table: HTMLTableElement): { column: number; order: Order } | null {
  const heads = [...table.tHead!.rows[0]!.cells];
  const column = heads.findIndex((head) => head.ariaSort !== null && head.ariaSort !== "none");
  return column < 0 ? null : { column, order: heads[column]!.ariaSort as Order };
}

function makeSortable(table: HTMLTableElement): void {
  const written = [...table.tBodies[0]!.rows];
  if (written.filter(isMovable).length < 2) return;
  for (const [column, head] of [...table.tHead!.rows[0]!.cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    // What a heading adds in small print is not part of its name.
    button.append(...[...head.childNodes].filter((node) => node.nodeName !== "SMALL"));
    head.prepend(button);
    head.ariaSort = "none";
    button.addEventListener("click", () => sortTable(table, written, column, NEXT[(head.ariaSort ?? "none") as Order]));
  }
  table.addEventListener("descry-sort", (event) => {
    const { column, order } = (event as CustomEvent<{ column: number; order: Order }>).detail;
    sortTable(table, written, column, order);
  });
}

/** What real images score is no arm: it stays below them. */
function isMovable(row: HTMLTableRowElement): boolean {
  return !row.classList.contains("floor");
}

function sortTable(
  table: HTMLTableElement,
  written: readonly HTMLTableRowElement[],
  column: number,
  order: Order,
): void {
  for (const [c, head] of [...table.tHead!.rows[0]!.cells].entries()) head.ariaSort = c === column ? order : "none";
  const rows = [...written];
  if (order !== "none") {
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((a, b) => {
      if (isMovable(a) !== isMovable(b)) return isMovable(a) ? -1 : 1;
      const [one, other] = [sortKey(a.cells[column]), sortKey(b.cells[column])];
      // What has no value comes last, whichever way.
      if (one === null || other === null) return Number(one === null) - Number(other === null);
      return sign * (typeof one === "number" && typeof other === "number" ? one - other : compareTexts(one, other));
    });
  }
  table.tBodies[0]!.append(...rows);
}

function compareTexts(a: string | number, b: string | number): number {
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function sortKey(cell: HTMLTableCellElement | undefined): number | string | null {
  if (cell === undefined || cell.querySelector(".none") !== null || cell.classList.contains("none")) return null;
  const { value, text } = readCell(cell);
  return value ?? (text === "" || text === "–" ? null : text);
}

function makeCopyable(table: HTMLTableElement): void {
  const bar = document.createElement("div");
  bar.className = "copy";
  const said = document.createElement("span");
  said.role = "status";
  bar.append("Copy as ");
  for (const [name, format] of Object.entries(TABLE_FORMATS)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.setAttribute("aria-label", `Copy the table as ${name}`);
    button.addEventListener("click", () => void copy(format(readTable(table)), name, said));
    bar.append(button);
  }
  bar.append(said);
  (table.closest(".scroll") ?? table).after(bar);
}

async function copy(text: string, name: string, said: HTMLElement): Promise<void> {
  said.parentElement!.querySelector("textarea")?.remove();
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = `copied as ${name}`;
    setTimeout(() => {
      said.textContent = "";
    }, 4000);
  } catch {
    // No clipboard for this page, or the reader said no: the text is shown, marked, to be copied by hand.
    const area = document.createElement("textarea");
    area.readOnly = true;
    area.value = text;
    area.setAttribute("aria-label", `The table as ${name}`);
    said.after(area);
    area.select();
    said.textContent = "the browser does not let this page copy: press Ctrl+C";
  }
}

/** A table as it is shown now. */
function readTable(table: HTMLTableElement): PlainTable {
  return {
    caption: spaced(table.caption?.textContent ?? ""),
    head: [...table.tHead!.rows[0]!.cells].map((cell) => textOf(cell) + arrowOf(cell)),
    rows: [...table.tBodies[0]!.rows].map((row) => [...row.cells].map(readCell)),
  };
}

function arrowOf(cell: HTMLTableCellElement): string {
  const [arrow] = (cell.querySelector("small")?.textContent ?? "").match(/[↓↑]/) ?? [];
  return arrow === undefined ? "" : ` ${arrow}`;
}

function readCell(cell: HTMLTableCellElement): PlainCell {
  const value = cell.querySelector("data")?.value;
  return {
    text: textOf(cell),
    value: value === undefined ? null : Number(value),
    isBest: cell.classList.contains("best"),
    extras: [...cell.querySelectorAll<HTMLElement>("[data-extra]")].map((extra) => {
      const { extra: name, value: number, text } = extra.dataset;
      const content = number === undefined ? spaced(extra.textContent ?? "") : Number(number);
      return { name: name!, value: content, ...(text === undefined ? {} : { text }) };
    }),
  };
}

/** The main text of a cell: without what is said to screen readers alone, and without the small print. */
function textOf(cell: HTMLElement): string {
  const copy = cell.cloneNode(true) as HTMLElement;
  for (const aside of copy.querySelectorAll(".hidden, small")) aside.remove();
  return spaced(copy.textContent ?? "");
}

function spaced(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
