/** @file What the model of an experiment sees: pixels, or latents of an autoencoder. */
import { parseAutoencoder } from "../../features/autoencoder/parse-autoencoder.js";
import type { SitConfig } from "../models/sit-sizes.js";
import type { Experiment } from "./schema.js";

/** The part of an experiment that says it. */
export type SpaceKeys = Pick<Experiment, "data" | "model" | "latents">;

/** Channels and side of what the model sees. */
function spaceOf({ data, latents }: SpaceKeys): { channels: number; sizePx: number } {
  if (latents === null) return { channels: 3, sizePx: data.sizePx };
  const { channels, downsampling } = parseAutoencoder(latents.autoencoder);
  return { channels, sizePx: data.sizePx / downsampling };
}

/** The model of an experiment as `src/models` wants it. */
export function sitConfigOf(experiment: SpaceKeys, classes: number): SitConfig {
  const { width, depth, heads, patch, mlpRatio } = experiment.model;
  return { width, depth, heads, patch, mlpRatio, ...spaceOf(experiment), classes };
}

/** Tokens a side. */
export const gridOf = (experiment: SpaceKeys): number => spaceOf(experiment).sizePx / experiment.model.patch;
