/**
 * @file The script of a report: what is written as plain HTML becomes a page to look into. `npm run build` bundles it, Vega-Lite
 * and Vega included, into one file that every report carries; it asks the network for nothing.
 */
import { openCurveControls } from "./curve-controls.js";
import { hydrateFigures } from "./figures.js";
import { hydrateFilms } from "./film.js";
import { followRun } from "./follow.js";
import { hydrateGalleries } from "./gallery.js";
import { hydrateTables } from "./tables.js";
import { openThemeSwitch } from "./theme.js";

/** Bring to life what is inside of an element. */
function hydrate(root: ParentNode): void {
  for (const hint of root.querySelectorAll<HTMLElement>(".hint")) hint.hidden = false;
  openThemeSwitch(root);
  openCurveControls(root);
  hydrateFigures(root);
  hydrateTables(root);
  hydrateFilms(root);
  hydrateGalleries(root);
}

hydrate(document);
const { live } = document.body.dataset;
if (live !== undefined) followRun(live, hydrate);
document.documentElement.dataset["ready"] = "";
