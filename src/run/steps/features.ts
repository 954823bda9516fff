import { findFeaturesRecord, isFeaturesRecordWhole } from "../features-record.js";
import type { Run } from "../run-folder.js";
import { runTask } from "../task-process.js";
import { partsOf, type StepOptions, type StepOutcome, tellSkipped } from "./step.js";

/**
 * Step 1: cache the images, or their latents, at the model's resolution and the features of every target; writes `features.json`. Skipped when
 * everything that it names is in the cache.
 */
export async function featuresStep(run: Run, options: StepOptions): Promise<StepOutcome[]> {
  const { experiment, workingFolder } = run.record;
  const parts = partsOf(experiment);
  const record = options.again === true ? undefined : await findFeaturesRecord(run.folder);
  if (record !== undefined && (await isFeaturesRecordWhole(record, experiment, workingFolder))) {
    return parts.map((name) => tellSkipped(options.progress, "features", name, "cached"));
  }
  const { part = null } = options;
  const input = { runFolder: run.folder, workingFolder, cacheFolder: run.cacheFolder, experiment, part };
  const { reused, incomplete } = await runTask("features", input, { ...options, cwd: workingFolder });
  const stateOf = (name: string) => (reused.includes(name) ? "skipped" : incomplete.includes(name) ? "part" : "done");
  return parts.map((name) => ({ name, state: stateOf(name) }));
}
