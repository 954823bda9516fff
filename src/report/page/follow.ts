/**
 * @file A page that is being watched follows its run: the server names the parts that have changed, and they are replaced, while
 * what the reader has opened, sorted, scrolled and focused stays as it is.
 */
import type { PartChange } from "../page-parts.js";
import { sortedBy } from "./tables.js";

/** Follow the events of a server at an address. */
export function followRun(address: string, hydrate: (root: ParentNode) => void): void {
  const status = document.querySelector<HTMLElement>("#live")!;
  const say = (state: "open" | "lost", words: string) => {
    if (status.textContent === words) return;
    status.dataset["state"] = state;
    status.textContent = words;
  };
  const events = new EventSource(address);
  events.onerror = () => say("lost", "descry watch has ended; this is the last that it said");
  events.addEventListener("reload", () => location.reload());
  events.addEventListener("trouble", (event) => {
    const { data } = event as MessageEvent<string>;
    if (data === "") say("open", "live");
    else say("lost", data);
  });
  events.addEventListener("parts", (event) => {
    for (const { id, html } of JSON.parse((event as MessageEvent<string>).data) as PartChange[]) {
      replacePart(id, html, hydrate);
    }
  });
}

const FOCUSABLE = "a[href], button, input, summary, [tabindex]";

function replacePart(id: string, html: string, hydrate: (root: ParentNode) => void): void {
  const old = document.querySelector<HTMLElement>(`[data-part="${CSS.escape(id)}"]`);
  if (old === null) return;
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild as HTMLElement;
  const focused = [...old.querySelectorAll<HTMLElement>(FOCUSABLE)].indexOf(document.activeElement as HTMLElement);
  const scrolled = [...old.querySelectorAll(".scroll")].map(({ scrollLeft }) => scrollLeft);
  const orders = [...old.querySelectorAll<HTMLTableElement>("table:not([data-gallery])")].map(sortedBy);
  for (const [i, details] of [...fresh.querySelectorAll("details")].entries()) {
    details.open = old.querySelectorAll("details")[i]?.open ?? details.open;
  }
  // Until the new drawings are there, the old ones keep the place.
  for (const [i, plot] of [...fresh.querySelectorAll<HTMLElement>(".plot")].entries()) {
    const drawn = old.querySelectorAll<HTMLElement>(".plot")[i];
    if (drawn !== undefined) plot.replaceChildren(...drawn.childNodes);
  }
  old.replaceWith(fresh);
  hydrate(fresh);
  for (const [i, left] of scrolled.entries()) fresh.querySelectorAll(".scroll")[i]?.scrollTo({ left });
  for (const [i, table] of [...fresh.querySelectorAll<HTMLTableElement>("table:not([data-gallery])")].entries()) {
    if (orders[i] != null) table.dispatchEvent(new CustomEvent("descry-sort", { detail: orders[i] }));
  }
  if (focused >= 0) fresh.querySelectorAll<HTMLElement>(FOCUSABLE)[focused]?.focus({ preventScroll: true });
}
