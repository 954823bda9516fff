import { existsSync } from "node:fs";
import { findCachedFile } from "../hub/cached-file.js";
import { type HubSettings, readHubSettings } from "../hub/hub-settings.js";
import { encoderFolder, ownExport } from "./encoder-folder.js";
import { lockedEntry, readLock } from "./encoder-lock.js";
import { ENCODERS } from "./encoder-table.js";
import { inputSide } from "./input-side.js";
import type { PublishedEncoder } from "./published-encoder.js";

/** Where an encoder would come from now. */
export type EncoderPlace = "own export" | "downloaded" | "hub" | "to be exported";

/** One encoder, as listings show it. */
export interface SurveyedEncoder {
  readonly name: string;
  readonly title: string;
  readonly dim: number;
  /** Side, interpolation and what is dropped, in a few words. */
  readonly input: string;
  readonly place: EncoderPlace;
  /** The file or the repository; null: nowhere yet. */
  readonly from: string | null;
}

/** The published encoders and which of them are here; asks nobody. @throws {UsageError} of the hub's settings. */
export function surveyEncoders(): { folder: string; cacheFolder: string; encoders: SurveyedEncoder[] } {
  const settings = readHubSettings();
  const place = placeIn(settings);
  const encoders = ENCODERS.map((encoder) => {
    const { name, title, dim, hub } = encoder;
    const at = place(encoder);
    const from = at === "own export" ? ownExport(encoder) : (hub?.repo ?? null);
    return { name, title, dim, input: inputOf(encoder), place: at, from };
  });
  return { folder: encoderFolder(), cacheFolder: settings.cacheFolder, encoders };
}

/** Looks for files only; the lock is read once, and not before it is needed. */
function placeIn(settings: HubSettings): (encoder: PublishedEncoder) => EncoderPlace {
  let lock: ReturnType<typeof readLock> | undefined;
  return (encoder) => {
    if (existsSync(ownExport(encoder))) return "own export";
    const { name, hub } = encoder;
    if (hub === undefined) return "to be exported";
    lock ??= hub.pinned === undefined ? readLock() : undefined;
    const revision = hub.pinned?.revision ?? lockedEntry(name, hub.repo, lock)?.revision;
    const wanted = { repo: hub.repo, path: hub.path, ...(revision === undefined ? {} : { revision }) };
    return findCachedFile(wanted, settings) === undefined ? "hub" : "downloaded";
  };
}

function inputOf(encoder: PublishedEncoder): string {
  const { interpolation, prefix, remark } = encoder;
  const dropped = prefix === 0 ? [] : [`${prefix} dropped`];
  return [`${inputSide(encoder, 256)} px ${interpolation}`, ...dropped, ...(remark === undefined ? [] : [remark])].join(
    ", ",
  );
}
