/** @file A gain over the control as it stands in a table of the page: never by colour alone, and with its interval where it has one. */
import { formatPercent, formatSigned, formatSpread } from "./format-number.js";
import type { GainInterval } from "./gain-interval.js";
import { type Html, html } from "./html.js";
import type { Interval } from "./interval.js";
import type { Gain } from "./metrics.js";

const OPEN = "not distinguishable from the control";

/**
 * @param gain mean over seeds. @param interval of the same gain; null: not known.
 * @param std over seeds, shown where there is no interval.
 */
export function gainText(gain: Gain, interval: GainInterval | null, std: number | null = null): Html {
  const { absolute, relative } = gain;
  const isOpen = interval !== null && !interval.isDistinguishable;
  const [word, mark] = isOpen
    ? ["open", "≈"]
    : absolute > 0
      ? ["better", "▲"]
      : absolute < 0
        ? ["worse", "▼"]
        : ["equal", "="];
  const spoken = isOpen ? OPEN : absolute === 0 ? "equal to the control" : `${word} than the control`;
  const spread = std === null || interval !== null ? "" : ` ± ${formatSpread(std)}`;
  const units = `${formatSigned(absolute)}${spread}`;
  const shown = relative === null ? units : `${formatPercent(relative)} (${units})`;
  const plain = relative === null ? formatSigned(absolute) : formatPercent(relative);
  // Where nobody knows how far a gain may be off, its colour says nothing.
  const colour = interval === null ? "" : word;
  const within = interval === null ? "" : ` ${intervalText(interval)}`;
  return html`<small class="gain ${colour}" data-extra="gain" data-value="${absolute}" data-text="${plain}${within}"><span aria-hidden="true">${mark}</span> ${shown} <span class="hidden">${spoken}</span></small>${interval !== null && intervalLine(interval)}`;
}

function intervalLine(gain: GainInterval): Html {
  const { interval, isDistinguishable } = gain;
  return html`<small class="interval"><span class="hidden">95 % interval </span>${intervalText(gain)}${!isDistinguishable && html` <span aria-hidden="true">not distinguishable</span>`}<span data-extra="gain from" data-value="${interval.low}"></span><span data-extra="gain to" data-value="${interval.high}"></span></small>`;
}

/** `[+9.1 %, +20.8 %]`: of the share, or in units of the metric where the control may be 0. */
export function intervalText({
  interval,
  relativeInterval,
}: Pick<GainInterval, "interval" | "relativeInterval">): string {
  const show = ({ low, high }: Interval, format: (value: number) => string) => `[${format(low)}, ${format(high)}]`;
  return relativeInterval === null ? show(interval, formatSigned) : show(relativeInterval, formatPercent);
}
