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
    // In the file, the settings of the alignment stand in the arm itself, and those that all arms share in the section `align`.
    arms: arms.map(({ name, align }) => ({ name, ...ownSettings(align ?? {}, rest["align"]) })),
  };
  return stringify(file, { lineWidth: 110 });
}

function ownSettings(align: Readonly<Record<string, unknown>>, shared: unknown): Record<string, unknown> {
  const common = new Map(typeof shared === "object" && shared !== null ? Object.entries(shared) : []);
  return Object.fromEntries(
    Object.entries(align).filter(([key, value]) => value !== null && !(common.has(key) && common.get(key) === value)),
  );
}
