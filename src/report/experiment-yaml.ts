import { stringify } from "yaml";
import type { ExperimentRecord } from "./records.js";

const PUBLISHED_SIZE_SETS = ["width", "depth", "heads", "patch"];

/**
 * The resolved experiment as a file that `descry run` takes: every value written out, so that the same run (name and hash) comes
 * out of it whatever the defaults have become.
 */
export function experimentYaml(experiment: ExperimentRecord): string {
  const { arms, model, ...rest } = experiment;
  const isPublished = model["size"] !== undefined && model["size"] !== "custom";
  const shape = Object.entries(model).filter(([key]) => !(isPublished && PUBLISHED_SIZE_SETS.includes(key)));
  const file = {
    ...rest,
    model: Object.fromEntries(shape),
    // In the file, the settings of the alignment stand in the arm itself.
    arms: arms.map(({ name, align }) => ({ name, ...withoutNulls(align ?? {}) })),
  };
  return stringify(file, { lineWidth: 110 });
}

function withoutNulls(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
}
