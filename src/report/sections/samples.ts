import { openNpzRows } from "../../../data/npz-rows.js";
import { type EmbeddedPicture, embedBytes, embedPicture } from "../embed-picture.js";
import { formatNumber } from "../format-number.js";
import { type Html, html } from "../html.js";
import { part } from "../page-parts.js";
import type { ArmRecord } from "../read-run.js";
import type { LabelledArm, RunGroup } from "../run-groups.js";
import { sampleSheet } from "../sample-sheet.js";
import { swatch } from "../tables.js";
import type { SectionBody, SectionInput } from "./section.js";

/** The sheets of samples of all arms beside each other. */
export async function samplesSection({ groups }: SectionInput): Promise<SectionBody> {
  const sheets: Html[] = [];
  const without: string[] = [];
  for (const group of groups) {
    for (const arm of group.arms) {
      const figure = await sampleFigure(group, arm);
      if (figure === null) without.push(arm.label);
      else sheets.push(figure);
    }
  }
  if (sheets.length === 0) return [html`<p class="none">No samples have been drawn yet.</p>`];
  const columns = sheets.length === 5 || sheets.length === 6 ? 3 : Math.min(4, Math.max(2, sheets.length));
  return [
    part(
      "samples-sheets",
      html`<p>Within a run, the same place in each sheet has the same seed, start noise and class: only the arm differs. The sheets show the first samples, none were picked.<span class="hint" hidden=""> Click a sheet to enlarge it; ← and → go to the other arms in place.</span></p>
<div class="sheets" data-gallery="Samples" style="--columns: ${columns}">${sheets}</div>
${without.length > 0 && html`<p class="none">No samples: ${without.join(", ")}.</p>`}`,
    ),
  ];
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
  return embedBytes(await sampleSheet(await openNpzRows(samplesArray, "arr_0"), samplesArray), samplesArray);
}
