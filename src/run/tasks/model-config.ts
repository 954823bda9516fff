import type { SitConfig } from "../../models/sit-sizes.js";
import type { Experiment } from "../schema.js";

/** The model of an experiment as `src/models` wants it: pixels, so three channels. */
export function sitConfigOf({ model, data }: Experiment, classes: number): SitConfig {
  const { width, depth, heads, patch, mlpRatio } = model;
  return { width, depth, heads, patch, mlpRatio, channels: 3, sizePx: data.sizePx, classes };
}

/** Tokens a side. */
export function gridOf({ model, data }: Experiment): number {
  return data.sizePx / model.patch;
}
