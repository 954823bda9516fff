/**
 * @file The page of a report: one HTML file with everything in it. It loads nothing from anywhere; without its script it can be
 * read whole, with it charts can be looked into, tables sorted, pictures enlarged.
 */
import { caveatsOf } from "./caveats.js";
import { FigureMaker } from "./curve-figures.js";
import { formatCount } from "./format-number.js";
import { type Html, html, trusted } from "./html.js";
import { type Part, part, renderPart } from "./page-parts.js";
import { readPageScript } from "./page-script.js";
import { progressBars } from "./progress-bars.js";
import type { RunRecord } from "./read-run.js";
import { groupRuns, type RunGroup, seedOf } from "./run-groups.js";
import { configurationSection } from "./sections/configuration.js";
import { filmSection } from "./sections/film.js";
import { latentsSection } from "./sections/latents.js";
import { reproduceSection } from "./sections/reproduce.js";
import { resultsSection } from "./sections/results.js";
import { samplesSection } from "./sections/samples.js";
import type { SectionBody, SectionInput } from "./sections/section.js";
import { targetsSection } from "./sections/targets.js";
import { trainingSection } from "./sections/training.js";
import { STYLE } from "./style.js";
import { verdictOf } from "./verdict.js";

interface Section {
  readonly id: string;
  readonly title: string;
  readonly make: (input: SectionInput) => SectionBody | Promise<SectionBody>;
}

const SECTIONS: readonly Section[] = [
  { id: "results", title: "Results", make: resultsSection },
  { id: "training", title: "Training", make: trainingSection },
  { id: "film", title: "Along training", make: filmSection },
  { id: "samples", title: "Samples", make: samplesSection },
  { id: "targets", title: "Targets", make: targetsSection },
  { id: "latents", title: "Latents", make: latentsSection },
  { id: "configuration", title: "Configuration", make: configurationSection },
  { id: "reproduce", title: "Reproduce and cite", make: reproduceSection },
];

export interface PageOptions {
  /** It is going to be watched: figures are drawn by the page's script alone. @default false */
  readonly live?: boolean;
  /** Name of the arm that recovered gains are shares of. Absent: the one with the largest gain. */
  readonly relativeTo?: string | undefined;
}

/** The HTML of a report. */
export async function renderReport(
  runs: readonly RunRecord[],
  options: Omit<PageOptions, "live"> = {},
): Promise<string> {
  return renderPage(await pageParts(runs, options), runs);
}

/** What stands in the body of a page. */
export async function pageParts(
  runs: readonly RunRecord[],
  { live = false, relativeTo }: PageOptions = {},
): Promise<Part> {
  const groups = groupRuns(runs);
  const input: SectionInput = { runs, groups, maker: new FigureMaker(!live), relativeTo };
  const sections: { id: string; title: string; body: Exclude<SectionBody, null> }[] = [];
  for (const { id, title, make } of SECTIONS) {
    const body = await make(input);
    if (body !== null) sections.push({ id, title, body });
  }
  const verdict = html`${groups.map(factsLine)}
<div class="verdict">${groups.map((group) => html`<p>${groups.length > 1 ? html`<strong>${group.label}:</strong> ` : ""}${verdictOf(group)}</p>`)}</div>
${caveatList(groups)}`;
  const header = [
    html`<div class="top"><p class="kicker">descry · representation alignment report</p><button type="button" id="theme" hidden=""></button></div>
<h1>${titleOf(groups)}</h1>${live && html`<p class="live"><span id="live" role="status">connecting</span></p>`}`,
    ...(live ? [part("progress", progressBars(groups))] : []),
    part("verdict", verdict),
    part(
      "nav",
      html`<nav aria-label="Sections"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>`,
    ),
  ];
  return part("page", [
    part("header", header, { tag: "header" }),
    part(
      "main",
      sections.map(({ id, title, body }) =>
        part(`section-${id}`, [html`<h2 id="${id}" tabindex="-1">${title}</h2>`, ...body], {
          tag: "section",
          attributes: html` aria-labelledby="${id}"`,
        }),
      ),
      { tag: "main" },
    ),
    html`<footer>Written by descry ${runs[0]!.versions["descry"] ?? ""}. This page loads nothing from the network.</footer>`,
  ]);
}

/**
 * The whole page around its parts.
 *
 * @param live where, on the server that it came from, it may ask for changes; absent: nowhere.
 */
export function renderPage(body: Part, runs: readonly RunRecord[], { live }: { readonly live?: string } = {}): string {
  const script = readPageScript();
  const policy = [
    "default-src 'none'",
    "img-src data:",
    "style-src 'unsafe-inline'",
    `script-src '${script.hash}'`,
    ...(live === undefined ? [] : ["connect-src 'self'"]),
  ];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy.join("; "))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${titleOf(groupRuns(runs))}: descry report</title>
<style>${trusted(STYLE)}</style>
</head>
<body${live !== undefined && html` data-live="${live}"`}>
<a class="skip" href="#results">Skip to the results</a>
${renderPart(body)}<script>${trusted(script.text)}</script>
</body>
</html>
`.text;
}

function titleOf(groups: readonly RunGroup[]): string {
  return groups.map(({ label }) => label).join(" and ");
}

function factsLine(group: RunGroup): Html {
  const { experiment, created } = group.runs[0]!;
  const { model, train, data } = experiment;
  const size = model["size"] === "custom" ? `width ${model["width"]}, depth ${model["depth"]}` : model["size"];
  const seeds = group.runs.map(seedOf).join(", ");
  const facts = [
    `${group.arms.length} ${group.arms.length === 1 ? "arm" : "arms"}`,
    data.source,
    data["sizePx"] === undefined ? null : `${data["sizePx"]} pixels`,
    `${model["type"] === "sit" ? "SiT" : String(model["type"] ?? "model")} ${String(size ?? "")}`.trim(),
    `${formatCount(train.steps)} steps`,
    train["precision"] === "mixed" ? "mixed precision" : null,
    `${group.runs.length === 1 ? "seed" : "seeds"} ${seeds}`,
    created.slice(0, 10),
  ];
  return html`<p class="facts">${facts.map((fact) => fact !== null && html`<span>${fact}</span>`)}</p>`;
}

function caveatList(groups: readonly RunGroup[]): Html {
  const each = groups.map(caveatsOf);
  const shared = each[0]!.filter((text) => each.every((list) => list.includes(text)));
  const own = groups.flatMap(({ label }, g) =>
    each[g]!.filter((text) => !shared.includes(text)).map((text) => `${label}: ${text}`),
  );
  const caveats = [...shared, ...own];
  if (caveats.length === 0) return html``;
  return html`<h2 class="hidden">To keep in mind</h2><ul class="caveats">${caveats.map((text) => html`<li>${text}.</li>`)}</ul>`;
}
