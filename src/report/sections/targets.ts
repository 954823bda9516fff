import path from "node:path";
import { structureFigures } from "../curve-figures.js";
import { embedPicture } from "../embed-picture.js";
import { formatNumber } from "../format-number.js";
import { type Html, html } from "../html.js";
import { part } from "../page-parts.js";
import type { RunRecord } from "../read-run.js";
import { targetLabel, targetsTable } from "../tables.js";
import type { SectionBody, SectionInput } from "./section.js";

/** Spatial structure of the targets, and what they look like. */
export async function targetsSection({ groups, maker }: SectionInput): Promise<SectionBody> {
  const parts = [];
  for (const [g, group] of groups.entries()) {
    const run = group.runs.find(({ targets }) => targets !== null);
    if (run?.targets == null) continue;
    const heading = groups.length > 1 && html`<h3>${group.label}</h3>`;
    const scatter = await structureFigures(run, group, maker);
    parts.push(
      part(
        `targets-structure-${g}`,
        html`${heading}${targetsTable(run.targets)}${scatter.length > 0 && html`<div class="charts">${scatter}</div>`}`,
      ),
      part(`targets-pictures-${g}`, await targetPictures(run)),
    );
  }
  return parts.length === 0 ? null : parts;
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
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Target pictures"><table class="targets" data-gallery="Targets">
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
