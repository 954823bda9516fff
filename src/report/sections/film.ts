/** @file The film of each arm: what the same noises and the same images become from checkpoint to checkpoint. */
import path from "node:path";
import { stackPictures } from "../embed-picture.js";
import { type FilmRecord, filmFrame } from "../film-record.js";
import { formatCount } from "../format-number.js";
import { type Html, html } from "../html.js";
import { part } from "../page-parts.js";
import type { ArmRecord } from "../read-run.js";
import type { LabelledArm } from "../run-groups.js";
import { swatch, targetLabel } from "../tables.js";
import type { SectionBody, SectionInput } from "./section.js";

/** Pixels of a sample in the film at most. */
const MOST_PX = 64;

type FilmedArm = ArmRecord & { readonly film: FilmRecord };

/** A reel an arm; null where nothing was filmed. */
export async function filmSection({ groups }: SectionInput): Promise<SectionBody> {
  const reels: Html[] = [];
  for (const arm of groups.flatMap((group) => group.arms)) {
    const [repetition] = arm.repetitions;
    if (isFilmed(repetition!)) reels.push(await reel(arm, repetition));
  }
  if (reels.length === 0) return null;
  return [
    part(
      "film-reels",
      html`<p>What the same few noises become, and beside them what some blocks of the model make of the same few images: the first three principal components of their tokens as colours, turned to those of the target as well as a rotation can. <span class="all-frames">From top to bottom: one step after the other.</span></p>
<div class="controls film-controls" role="group" aria-label="Training step" hidden=""><button type="button" name="play">Play</button><label>Step <input type="range" min="0" max="0" value="0"> <output></output></label></div>
<div class="reels">${reels}</div>`,
      { attributes: html` class="film"` },
    ),
  ];
}

function isFilmed(arm: ArmRecord): arm is FilmedArm {
  return arm.film !== null && arm.film.frames.length > 0;
}

async function reel({ label, name, colour }: LabelledArm, { film, folder }: FilmedArm): Promise<Html> {
  const { frames, sampler, samples, maps, weights } = film;
  const file = (fileName: string) => path.join(folder, "film", fileName);
  const strip = (what: "samples" | "maps") => frames.map((step) => file(filmFrame(what, step)));
  const steps = frames.map(formatCount).join(", ");
  const columns = maps.images.length;
  const sheet = await stackPictures(strip("samples"), samples * MOST_PX);
  const layers = await stackPictures(strip("maps"));
  const images = await stackPictures([file("images.png")], columns * MOST_PX);
  const target = maps.target === null ? null : await stackPictures([file("target.png")]);
  const shown = maps.target === null ? "" : targetLabel(maps.target, maps.spatialNorm);
  const image = (uri: string, alt: string) => html`<img src="${uri}" alt="${alt}">`;
  const frame = (uri: string, alt: string, across: number, down: number) =>
    html`<div class="frame" style="--columns: ${across}; --rows: ${down}; --frames: ${frames.length}; --at: ${frames.length - 1}">${image(uri, alt)}</div>`;
  const guidance = sampler.guidance === 1 ? "" : `, guidance ${sampler.guidance}`;
  return html`<figure class="reel" data-steps="${frames.join(" ")}"><figcaption>${swatch(colour)}<strong>${label}</strong> ${weights} weights, ${sampler.sampler}, ${sampler.steps} steps${guidance}, seed ${sampler.seed}; maps at noise ${maps.noise}.</figcaption>
<div class="reel-pictures">${frame(sheet, `Samples of the arm ${name} at the steps ${steps}`, samples, 1)}
<div class="maps"><div class="labels"><span>image</span>${target !== null && html`<span>${shown}</span>`}${maps.blocks.map((block) => html`<span>block ${block}${block === maps.alignedBlock && ", aligned"}</span>`)}</div>
<div style="--columns: ${columns}"><div class="row">${image(images, "The images of the maps")}</div>${target !== null && html`<div class="row">${image(target, `Principal components of ${shown} on these images`)}</div>`}${frame(layers, `Principal components of the blocks ${maps.blocks.join(", ")} of the arm ${name} on these images, at the steps ${steps}`, columns, maps.blocks.length)}</div></div></div></figure>`;
}
