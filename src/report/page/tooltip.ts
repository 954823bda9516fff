/** @file The box beside the pointer that says what is under it: names and values, one a row. */

/** What a tooltip says; a colour shows which line a row belongs to. */
export interface TooltipRow {
  readonly name: string;
  readonly value: string;
  readonly colour?: string;
}

let box: HTMLElement | undefined;

/** Show rows near a point of the window, always inside of it. */
export function showTooltip(
  rows: readonly TooltipRow[],
  at: { readonly clientX: number; readonly clientY: number },
): void {
  if (box === undefined) {
    box = document.createElement("div");
    box.id = "tooltip";
    // What it says is said by the figure's text and its slider: it is for eyes.
    box.setAttribute("aria-hidden", "true");
    document.body.append(box);
  }
  const list = document.createElement("dl");
  for (const { name, value, colour } of rows) {
    const term = document.createElement("dt");
    const key = document.createElement("i");
    if (colour !== undefined) key.style.background = colour;
    term.append(key, name);
    const description = document.createElement("dd");
    description.textContent = value;
    list.append(term, description);
  }
  box.replaceChildren(list);
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const right = at.clientX + 16;
  const left = right + width > innerWidth - 8 ? at.clientX - 16 - width : right;
  box.style.left = `${Math.max(8, left)}px`;
  box.style.top = `${Math.max(8, Math.min(at.clientY + 16, innerHeight - height - 8))}px`;
}

export function hideTooltip(): void {
  if (box !== undefined) box.hidden = true;
}
