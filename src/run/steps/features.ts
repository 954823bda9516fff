import { findFeaturesRecord, isFeaturesRecordWhole } from "../features-record.js";
import type { Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { partsOf, type StepOptions, type StepOutcome, tellSkipped } from "./step.js";

/**
 * Step 1: cache the images, or their latents, at the model's resolution and the features of every target; writes
 * `features.json`. Skipped when everything that it names is in the cache.
 */
export async function featuresStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const { experiment, workingFolder } = run.record;
  const parts = partsOf(experiment);
  if (options.again !== true && (await areFeaturesCached(run))) {
    return parts.map((name) => tellSkipped(options.progress, "features", name, "cached"));
  }
  const { part = null } = options;
  const input = { runFolder: run.folder, workingFolder, cacheFolder: run.cacheFolder, experiment, part };
  const { reused, incomplete } = await runTask("features", input, { ...options, cwd: workingFolder });
  const stateOf = (name: string) => (reused.includes(name) ? "skipped" : incomplete.includes(name) ? "part" : "done");
  return parts.map((name) => ({ name, state: stateOf(name) }));
}

/** Whether `features.json` is there, and in the cache what it names. */
export async function areFeaturesCached({ folder, record: { experiment, workingFolder } }: Run): Promise<boolean> {
  const record = await findFeaturesRecord(folder);
  return record !== undefined && isFeaturesRecordWhole(record, experiment, workingFolder);
}
