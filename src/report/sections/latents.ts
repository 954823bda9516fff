/** @file The section of the report about latents: what was cached and how the model sees it, and what the autoencoder keeps. */
import path from "node:path";
import { embedPicture } from "../embed-picture.js";
import { formatCount, formatNumber } from "../format-number.js";
import { type Html, html } from "../html.js";
import { part } from "../page-parts.js";
import type { LatentsSummary } from "../records.js";
import type { SectionBody, SectionInput } from "./section.js";

/** Side of the pictures in the report at most. */
const PICTURE_PX = 256;
/** Numbers written out; the others are in `latents.json`. */
const SHOWN = 8;

/** What the models were trained on; null where all runs are in pixel space. */
export async function latentsSection({ runs }: SectionInput): Promise<SectionBody> {
  const parts = [];
  const seen = new Set<string>();
  for (const run of runs) {
    if (run.latents === null) continue;
    const text = JSON.stringify(run.latents);
    if (seen.has(text)) continue;
    seen.add(text);
    parts.push(part(`latents-${parts.length}`, await describe(run.folder, run.latents)));
  }
  return parts.length === 0 ? null : parts;
}

async function describe(folder: string, latents: LatentsSummary): Promise<Html> {
  const { channels, sizePx, imagePx, reconstruction, scale, bias, isMeasured } = latents;
  const cached =
    latents.cached === "means"
      ? "means; each training step sees them as they are"
      : "means and standard deviations; each training step draws z = mean + std · noise anew";
  const facts: readonly (readonly [string, string])[] = [
    ["Autoencoder", latents.autoencoder],
    ["Encoder, SHA-256", latents.encoderSha256],
    ["Decoder, SHA-256", latents.decoderSha256],
    ["Latents", `${channels} channels of ${sizePx}×${sizePx}, of images of ${imagePx}×${imagePx} pixels`],
    [
      "Cached",
      `${cached}; ${latents.dtype}; ${latents.variants} variant${latents.variants === 1 ? "" : "s"} of each image`,
    ],
    ["The model sees", `(z − bias) · scale${isMeasured ? ", both measured on these latents channel by channel" : ""}`],
    ["Scale", showNumbers(scale)],
    ["Bias", showNumbers(bias)],
    [
      "Decoded again",
      `${reconstruction.psnr.toFixed(2)} dB (PSNR, mean over ${formatCount(reconstruction.images)} images), mean squared error ${formatNumber(reconstruction.mse)} of 255²`,
    ],
  ];
  const show = async (file: string, alt: string) => {
    const { uri, widthPx, heightPx } = await embedPicture(path.join(folder, "latents", file), PICTURE_PX);
    return html`<td><img src="${uri}" width="${widthPx}" height="${heightPx}" alt="${alt}"></td>`;
  };
  const originals: Html[] = [];
  const decoded: Html[] = [];
  for (const picture of latents.pictures) {
    originals.push(await show(picture.original, `Image ${picture.id}`));
    decoded.push(await show(picture.decoded, `Image ${picture.id}, encoded and decoded`));
  }
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Latents"><table>
<caption>The model was trained on latents of an autoencoder, and its samples were decoded.</caption>
<tbody>${facts.map(([name, value]) => html`<tr><th scope="row">${name}</th><td class="text">${value}</td></tr>`)}</tbody>
</table></div>
<div class="scroll" tabindex="0" role="region" aria-label="Images and their reconstructions"><table class="targets" data-gallery="Latents">
<caption>What the autoencoder keeps of images: no sample can be sharper than the second row.</caption>
<thead><tr><td></td>${latents.pictures.map(({ id }) => html`<th scope="col"><span class="name">${id}</span></th>`)}</tr></thead>
<tbody><tr><th scope="row">Image</th>${originals}</tr><tr><th scope="row">Encoded and decoded</th>${decoded}</tr></tbody></table></div>`;
}

function showNumbers(values: readonly number[]): string {
  // Settings, not measurements: with all digits that somebody would write.
  const write = (value: number): string => String(Number(value.toPrecision(6)));
  if (new Set(values).size === 1) return `${write(values[0]!)}, in all channels`;
  const shown = values.slice(0, SHOWN).map(write);
  return `${shown.join(", ")}${values.length > SHOWN ? `, … (${values.length} in all: latents.json)` : ""}`;
}
