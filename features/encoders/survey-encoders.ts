import { readHubSettings } from "../hub/hub-settings.js";
import { encoderFolder, ownExport } from "./encoder-folder.js";
import { ENCODERS } from "./encoder-table.js";
import { type EncoderPlace, encoderPlace } from "./locate-encoder.js";
import type { PublishedEncoder } from "./published-encoder.js";

/** One encoder, as listings show it. */
export interface SurveyedEncoder {
  readonly name: string;
  readonly title: string;
  readonly dim: number;
  /** Side, interpolation and what is dropped, in a few words. */
  readonly input: string;
  /** Where it would come from now. */
  readonly place: EncoderPlace;
  /** The file or the repository; null: nowhere yet. */
  readonly from: string | null;
}

/** The published encoders and which of them are here; asks nobody. @throws {UsageError} of the hub's settings. */
export function surveyEncoders(): { folder: string; cacheFolder: string; encoders: SurveyedEncoder[] } {
  const settings = readHubSettings();
  const encoders = ENCODERS.map((encoder) => {
    const { name, title, dim, hub } = encoder;
    const place = encoderPlace(encoder, settings);
    const from = place === "own export" ? ownExport(encoder) : (hub?.repo ?? null);
    return { name, title, dim, input: inputOf(encoder), place, from };
  });
  return { folder: encoderFolder(), cacheFolder: settings.cacheFolder, encoders };
}

function inputOf({ fixedPx, patchPx, interpolation, prefix, remark }: PublishedEncoder): string {
  const dropped = prefix === 0 ? [] : [`${prefix} dropped`];
  return [`${fixedPx ?? patchPx * 16} px ${interpolation}`, ...dropped, ...(remark === undefined ? [] : [remark])].join(
    ", ",
  );
}
