import { CURVE_CONTROLS, legend, trainingFigures } from "../curve-figures.js";
import { html } from "../html.js";
import { part } from "../page-parts.js";
import { trainingTable } from "../tables.js";
import type { SectionBody, SectionInput } from "./section.js";

/** Curves over training steps, and what they came to. */
export async function trainingSection({ groups, maker }: SectionInput): Promise<SectionBody> {
  const figures = await trainingFigures(groups, maker);
  const arms = groups.flatMap((group) => group.arms);
  return [
    ...(figures.length === 0
      ? []
      : [
          part("training-controls", html`${CURVE_CONTROLS}${legend(arms)}`),
          part("training-curves", html`${figures}`, { attributes: html` class="charts"` }),
        ]),
    part(
      "training-tables",
      html`${groups.map((group) => html`${groups.length > 1 && html`<h3>${group.label}</h3>`}${trainingTable(group)}`)}`,
    ),
  ];
}
