import { parse, View } from "vega";
import type { TopLevelSpec } from "vega-lite";
import { compileFigure, keepWarnings } from "./compile-figure.js";

/**
 * A Vega-Lite specification → the text of an SVG that can stand in a page beside others: it refers to nothing outside.
 *
 * @throws {Error} what Vega warns of: a figure with a warning is a mistake of its specification.
 */
export async function renderSpec(spec: TopLevelSpec): Promise<string> {
  const { said, listen } = keepWarnings();
  const view = new View(parse(compileFigure(spec, listen)), { renderer: "none", logger: listen });
  const svg = await view.toSVG();
  view.finalize();
  if (said.length > 0) throw new Error(`figure: ${said.join("; ")}`);
  return svg.replace(/ xmlns(:xlink)?="[^"]*"/g, "").replace(/ font-family="inherit"/g, "");
}

/** Give the ids inside an SVG a prefix, so that several can stand in one page. */
export function prefixIds(svg: string, prefix: string): string {
  return svg.replace(/( id="|url\(#)/g, `$1${prefix}`);
}
