/** @file From Vega-Lite to what Vega draws, with the look that all figures share: in Node and in the page. */
import { logger, type Spec, Error as VegaError } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

const INK = "currentColor";
const CONFIG: NonNullable<TopLevelSpec["config"]> = {
  aria: false,
  background: "transparent",
  font: "inherit",
  view: { stroke: null },
  axis: {
    labelColor: INK,
    titleColor: INK,
    tickColor: INK,
    domainColor: INK,
    gridColor: INK,
    gridOpacity: 0.13,
    tickOpacity: 0.4,
    domainOpacity: 0.4,
    labelOpacity: 0.85,
    labelFontSize: 11.5,
    titleFontSize: 12,
    titleFontWeight: "normal",
    titlePadding: 8,
  },
  text: { color: INK, fontSize: 11.5 },
  rule: { color: INK },
};

/** A logger that keeps what it is told. */
export function keepWarnings(): { readonly said: readonly string[]; readonly listen: ReturnType<typeof logger> } {
  const said: string[] = [];
  const listen = logger(VegaError);
  for (const level of ["warn", "error"] as const) {
    listen[level] = (...words: readonly unknown[]) => {
      said.push(words.map(String).join(" "));
      return listen;
    };
  }
  return { said, listen };
}

/** A Vega-Lite specification in the look of the report → a Vega specification. */
export function compileFigure(spec: TopLevelSpec, listen: ReturnType<typeof logger>): Spec {
  return compile({ ...spec, config: CONFIG } as TopLevelSpec, { logger: listen }).spec;
}
