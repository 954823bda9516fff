/**
 * @file The report: one HTML file with everything in it. It loads nothing, runs nothing, and reads in the dark, on paper and aloud.
 */
import path from "node:path";
import { writeFileAtomic } from "../../data/atomic.js";
import { readNpz } from "../../data/npz.js";
import { citationsOf } from "./citations.js";
import { compareArms, evaluationNames } from "./compare-arms.js";
import { toCsv } from "./csv.js";
import { FigureMaker, gainFigures, legend, structureFigures, trainingFigures } from "./curve-figures.js";
import { type EmbeddedPicture, embedBytes, embedPicture } from "./embed-picture.js";
import { experimentYaml } from "./experiment-yaml.js";
import { formatCount, formatNumber } from "./format-number.js";
import { type Html, html, trusted } from "./html.js";
import { toLatex } from "./latex.js";
import { type ArmRecord, type RunRecord, readRuns } from "./read-run.js";
import { groupRuns, type LabelledArm, type RunGroup, seedOf } from "./run-groups.js";
import { sampleSheet } from "./sample-sheet.js";
import { STYLE } from "./style.js";
import {
  differenceTable,
  metricsTable,
  seedTable,
  swatch,
  targetLabel,
  targetsTable,
  trainingTable,
} from "./tables.js";
import { caveatsOf, verdictOf } from "./verdict.js";

export interface ReportOptions {
  /** One or more run folders; runs that differ in their seeds only are averaged, others stand beside each other. */
  readonly runFolders: readonly string[];
  /** The HTML file; replaced when it is there. */
  readonly out: string;
}

/**
 * Write the report of some runs.
 *
 * @returns the absolute path and the size of the file.
 * @throws {UsageError} no run, or one twice. @throws {DataError} a damaged file in a run folder, by name, line and field; a report
 *   that cannot be written.
 */
export async function writeReport({ runFolders, out }: ReportOptions): Promise<{ path: string; bytes: number }> {
  const page = await renderReport(await readRuns(runFolders));
  const file = path.resolve(out);
  await writeFileAtomic(file, page);
  return { path: file, bytes: Buffer.byteLength(page) };
}

/** The HTML of a report. */
export async function renderReport(runs: readonly RunRecord[]): Promise<string> {
  const groups = groupRuns(runs);
  const maker = new FigureMaker();
  const sections: Section[] = [
    { id: "results", title: "Results", body: await resultsSection(runs, groups, maker) },
    { id: "training", title: "Training", body: await trainingSection(groups, maker) },
    { id: "samples", title: "Samples", body: await samplesSection(groups) },
    { id: "targets", title: "Targets", body: await targetsSection(groups, maker) },
    { id: "configuration", title: "Configuration", body: configurationSection(groups) },
    { id: "reproduce", title: "Reproduce and cite", body: reproduceSection(runs, groups) },
  ].filter((section): section is Section => section.body !== null);
  const title = groups.map(({ label }) => label).join(" and ");
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title}: descry report</title>
<style>${trusted(STYLE)}</style>
</head>
<body>
<a class="skip" href="#results">Skip to the results</a>
<header>
<p class="kicker">descry · representation alignment report</p>
<h1>${title}</h1>
${groups.map(factsLine)}
<div class="verdict">${groups.map((group) => html`<p>${groups.length > 1 ? html`<strong>${group.label}:</strong> ` : ""}${verdictOf(group)}</p>`)}</div>
${caveatList(groups)}
<nav aria-label="Sections"><ul>${sections.map(({ id, title: name }) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main>
${sections.map(({ id, title: name, body }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${name}</h2>${body}</section>\n`)}
</main>
<footer>Written by descry ${runs[0]!.versions["descry"] ?? ""}. This page loads nothing from the network.</footer>
</body>
</html>
`;
  return page.text;
}

interface Section {
  readonly id: string;
  readonly title: string;
  /** Null leaves the section out. */
  readonly body: Html | null;
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

async function resultsSection(
  runs: readonly RunRecord[],
  groups: readonly RunGroup[],
  maker: FigureMaker,
): Promise<Html> {
  const tables = groups.flatMap((group) => {
    const names = evaluationNames(group.runs[0]!);
    const heading = groups.length > 1 ? html`<h3>${group.label}</h3>` : "";
    return [
      heading,
      ...(names.length === 0 ? ["evaluation"] : names).map((name) => groupTables(group, name, names.length > 1)),
    ];
  });
  const gains = await gainFigures(groups, maker);
  const latex = runs.flatMap((run) => evaluationNames(run).map((name) => toLatex(compareArms(run, name))));
  return html`${tables}
${gains.length > 0 && html`<h3>Gain over the control</h3><p class="note">To the right is better, whatever the direction of the metric.</p><div class="charts">${gains}</div>`}
<details class="export"><summary>The numbers as CSV</summary><pre tabindex="0"><code>${toCsv(runs)}</code></pre></details>
${latex.length > 0 && html`<details class="export"><summary>The table in LaTeX</summary><pre tabindex="0"><code>${latex.join("\n")}</code></pre></details>`}`;
}

function groupTables(group: RunGroup, name: string, several: boolean): Html {
  const network = group.arms
    .flatMap(({ repetitions }) => repetitions.flatMap(({ evaluations }) => evaluations))
    .find((one) => one.name === name)?.record.network.name;
  const what = several ? `Generation metrics by ${network} (${name}.json).` : "Generation metrics.";
  if (group.runs.length === 1) return metricsTable(compareArms(group.runs[0]!, name), group.arms, what);
  return html`${seedTable(group, name, what)}
<details><summary>Each seed</summary>${group.runs.map((run) => metricsTable(compareArms(run, name), group.arms, `Seed ${seedOf(run)}.`))}</details>`;
}

async function trainingSection(groups: readonly RunGroup[], maker: FigureMaker): Promise<Html> {
  const figures = await trainingFigures(groups, maker);
  return html`${figures.length > 0 && html`${legend(groups.flatMap(({ arms }) => arms))}<div class="charts">${figures}</div>`}
${groups.map((group) => html`${groups.length > 1 && html`<h3>${group.label}</h3>`}${trainingTable(group)}`)}`;
}

async function samplesSection(groups: readonly RunGroup[]): Promise<Html> {
  const sheets: Html[] = [];
  const without: string[] = [];
  for (const group of groups) {
    for (const arm of group.arms) {
      const figure = await sampleFigure(group, arm);
      if (figure === null) without.push(arm.label);
      else sheets.push(figure);
    }
  }
  if (sheets.length === 0) return html`<p class="none">No samples have been drawn yet.</p>`;
  return html`<p>Within a run, the same place in each sheet has the same seed, start noise and class: only the arm differs. The sheets show the first samples, none were picked.</p>
<div class="sheets" style="--columns: ${sheets.length === 5 || sheets.length === 6 ? 3 : Math.min(4, Math.max(2, sheets.length))}">${sheets}</div>
${without.length > 0 && html`<p class="none">No samples: ${without.join(", ")}.</p>`}`;
}

async function sampleFigure(group: RunGroup, { label, colour, name, repetitions }: LabelledArm): Promise<Html | null> {
  const arm = repetitions[0]!;
  const picture = await samplePicture(arm);
  if (picture === null) return null;
  const { samples } = arm;
  const how =
    samples === null
      ? "how they were drawn is not recorded"
      : `${samples.sampler.name}, ${samples.sampler.steps} steps${samples.sampler["guidance"] === undefined ? "" : `, guidance ${String(samples.sampler["guidance"])}`}${samples.sampler["seed"] === undefined ? "" : `, seed ${String(samples.sampler["seed"])}`}`;
  const distance = arm.evaluations[0]?.record.metrics["frechet_distance"];
  const score =
    distance == null
      ? ""
      : ` Fréchet distance ${formatNumber(distance)}${arm.evaluations[0]!.record.network.proxy ? " (proxy)" : ""}.`;
  const reduced = picture.isReduced ? " Shown smaller than they are." : "";
  const seed = group.runs.length > 1 ? ` First of ${group.runs.length} seeds.` : "";
  return html`<figure><img src="${picture.uri}" width="${picture.widthPx}" height="${picture.heightPx}" alt="Sheet of samples of the arm ${name}"><figcaption>${swatch(colour)}<strong>${label}</strong> ${how}.${score}${seed}${reduced}</figcaption></figure>`;
}

async function samplePicture({ samplesPicture, samplesArray }: ArmRecord): Promise<EmbeddedPicture | null> {
  if (samplesPicture !== null) return embedPicture(samplesPicture);
  if (samplesArray === null) return null;
  const { arr_0: array } = await readNpz(samplesArray, ["arr_0"]);
  return embedBytes(await sampleSheet(array, samplesArray), samplesArray);
}

async function targetsSection(groups: readonly RunGroup[], maker: FigureMaker): Promise<Html | null> {
  const parts: Html[] = [];
  for (const group of groups) {
    const run = group.runs.find(({ targets }) => targets !== null);
    if (run?.targets == null) continue;
    const heading = groups.length > 1 && html`<h3>${group.label}</h3>`;
    const scatter = await structureFigures(run, group, maker);
    parts.push(
      html`${heading}${targetsTable(run.targets)}${scatter.length > 0 && html`<div class="charts">${scatter}</div>`}${await targetPictures(run)}`,
    );
  }
  return parts.length === 0 ? null : html`${parts}`;
}

async function targetPictures(run: RunRecord): Promise<Html> {
  const { originals, targets, marked, grid, similarityRange, source } = run.targets!;
  const show = async (file: string, alt: string) => {
    const { uri, widthPx, heightPx } = await embedPicture(path.join(run.folder, "targets", file), 512);
    return html`<td><img src="${uri}" width="${widthPx}" height="${heightPx}" alt="${alt}"></td>`;
  };
  const rows = [
    html`<tr><th scope="row">Image<small>marked: row ${marked[0] + 1}, column ${marked[1] + 1} of ${grid}</small></th>${await inOrder(originals, ({ id, picture }) => show(picture, `Image ${id}`))}</tr>`,
  ];
  for (const { target, spatialNorm, pictures } of targets) {
    const name = targetLabel(target, spatialNorm);
    rows.push(
      html`<tr><th scope="row">${name}<small>principal components</small></th>${await inOrder(pictures, ({ id, pca }) => show(pca, `Principal components of ${name} of image ${id}`))}</tr>`,
      html`<tr><th scope="row"><span class="hidden">${name}</span><small>similarity to the mark</small></th>${await inOrder(pictures, ({ id, similarity }) => show(similarity, `Cosine similarity of ${name} of image ${id} to the marked token`))}</tr>`,
    );
  }
  const [low, high] = similarityRange.map((value) => formatNumber(value, 3));
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Target pictures"><table class="targets">
<caption>What the targets look like on images of ${source}. Principal components: the first three of the tokens of one image as red, green and blue, each between its 2nd and 98th percentile; colours of different pictures mean different things. Similarity: cosine with the framed token, one scale for all.</caption>
<thead><tr><td></td>${originals.map(({ id }) => html`<th scope="col"><span class="name">${id}</span></th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="bar"><span>${low}</span><i role="img" aria-label="Colour scale from dark blue, ${low}, to yellow, ${high}"></i><span>${high}</span> cosine similarity</p>`;
}

/** One after the other: many pictures at once would be many open files. */
async function inOrder<Item>(items: readonly Item[], render: (item: Item) => Promise<Html>): Promise<Html[]> {
  const rendered: Html[] = [];
  for (const item of items) rendered.push(await render(item));
  return rendered;
}

function configurationSection(groups: readonly RunGroup[]): Html {
  return html`${differenceTable(groups)}
${groups.map(
  (group) =>
    html`<details><summary>Full configuration of ${group.label}</summary><pre tabindex="0"><code>${experimentYaml(group.runs[0]!.experiment)}</code></pre></details>`,
)}`;
}

function reproduceSection(runs: readonly RunRecord[], groups: readonly RunGroup[]): Html {
  const keys = [
    ...new Set(runs.flatMap(({ machine, versions }) => [...Object.keys(machine), ...Object.keys(versions)])),
  ];
  return html`<p>Save each full configuration above under the name given here and run it. The run’s folder gets the name behind the arrow, which holds a hash of everything that changes results:</p>
<pre tabindex="0"><code>${groups.map((group) => group.runs.map((run) => `${runCommand(group, run)}   # → runs/${run.experiment.name}-${run.hash}\n`))}</code></pre>
<div class="scroll" tabindex="0" role="region" aria-label="Machine and versions"><table>
<caption>Machine and versions, as recorded when the run began. On the same processor with the same number of threads, training is repeatable to the bit; elsewhere to rounding.</caption>
<thead><tr><th scope="col" class="first">Run</th>${runs.map((run) => html`<th scope="col" class="text"><span class="name">${run.experiment.name}-${run.hash}</span><small>seed ${seedOf(run)}</small></th>`)}</tr></thead>
<tbody>${keys.map((key) => html`<tr><th scope="row">${key === "memoryBytes" ? "memory" : key}</th>${runs.map(({ machine, versions }) => html`<td class="text">${showFact(key, machine[key] ?? versions[key])}</td>`)}</tr>`)}
<tr><th scope="row">began</th>${runs.map(({ created }) => html`<td class="text">${created}</td>`)}</tr></tbody>
</table></div>
<h3>To cite</h3>
<ul class="cite">${citationsOf(runs).map(({ use, text, url }) => html`<li>${use}: ${url === null ? text : html`<a href="${url}">${text}</a>`}</li>`)}</ul>`;
}

/** The command that makes a run of a group from the configuration of the group's first. */
function runCommand({ label, runs }: RunGroup, { experiment }: RunRecord): string {
  const first = runs[0]!.experiment;
  const settings = [
    ["name", experiment.name, first.name],
    ["seed", experiment.seed, first.seed],
    ["sample.seed", experiment.sample["seed"], first.sample["seed"]],
  ].filter(([, value, usual]) => value !== usual);
  const overrides = settings.map(([key, value]) => ` --set ${quote(`${key}=${value}`)}`);
  return `npx descry run ${quote(`${label}.yaml`)}${overrides.join("")}`;
}

function showFact(key: string, value: string | number | undefined): string {
  if (value === undefined) return "–";
  return key === "memoryBytes" ? `${(Number(value) / 2 ** 30).toFixed(1)} GiB` : String(value);
}

function quote(text: string): string {
  return /^[\w./=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
