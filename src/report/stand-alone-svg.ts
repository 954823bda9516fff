import type { TopLevelSpec } from "vega-lite";
import { INK } from "./arm-colours.js";
import { renderSpec } from "./render-figure.js";

/** A figure as an SVG file: charts of a report take ink, font and ground from its page, this one stands alone. */
export async function standAloneSvg(spec: TopLevelSpec): Promise<string> {
  const svg = await renderSpec(spec);
  return svg.replace(
    "<svg ",
    `<svg xmlns="http://www.w3.org/2000/svg" color="${INK[0]}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" style="background: #ffffff" `,
  );
}
