import { drawGroup } from "./draw-group.js";
import { formatPercent } from "./format-number.js";
import { intervalText } from "./gain-text.js";
import { type Html, html } from "./html.js";
import { recoveries } from "./recovery.js";
import type { RunGroup } from "./run-groups.js";
import { swatch } from "./tables.js";

/**
 * "Target X recovers p % of target Y's gain", for every arm of a group beside Y's.
 *
 * @param name of the evaluation. @param relativeTo name of Y's arm; absent: the one with the largest gain.
 * @returns null where there are no two arms with intervals, or no arm of that name.
 */
export function recoveryTable(group: RunGroup, name: string, relativeTo?: string): Html | null {
  const draws = drawGroup(group, name);
  const recovered = draws === null ? null : recoveries(draws, relativeTo);
  if (draws === null || recovered === null) return null;
  const { reference, isLargest, gain, arms } = recovered;
  const chosen = isLargest ? "the arm with the largest gain" : "as asked for";
  const title = html`<h3>What the arms recover of ${reference}’s gain</h3>`;
  const size = `${gain.relative === null ? "" : `${formatPercent(gain.relative)} `}${intervalText(gain)}`;
  if (arms === null) {
    return html`${title}<p class="note">Not defined: the gain of ${reference} (${chosen}) in ${draws.metric.label}, ${size}, is not distinguishable from 0 or from a loss, and a share of it may be anything.</p>`;
  }
  const labelOf = (arm: string) => group.arms.find((one) => one.name === arm)!;
  const caption = `Share of the gain in ${draws.metric.label} of ${reference}, ${chosen}: (control − arm) / (control − ${reference}), 100 % being all of it. ${reference} gains ${size}. Intervals: 95 %, from the same draws as those of the gains${isLargest ? "; that the largest was chosen makes shares of more than 100 % rarer than they are" : ""}.`;
  return html`${title}<div class="scroll" tabindex="0" role="region" aria-label="Recovered gain"><table>
<caption>${caption}</caption>
<thead><tr><th scope="col" class="first">Arm</th><th scope="col" class="text">Target</th><th scope="col">Recovers</th><th scope="col">At least</th><th scope="col">At most</th></tr></thead>
<tbody>${arms.map(({ arm, share, interval }) => {
    const { colour, repetitions } = labelOf(arm);
    const cells = [share, interval.low, interval.high].map((value) => html`<td>${percent(value)}</td>`);
    return html`<tr><th scope="row"><span class="name">${swatch(colour)}${arm}</span></th><td class="text">${repetitions[0]!.align?.target ?? "none"}</td>${cells}</tr>`;
  })}</tbody>
</table></div>`;
}

function percent(share: number): Html {
  return html`<data value="${share}" title="${share}">${formatPercent(share).replace("+", "")}</data>`;
}
