import type { StorePart } from "../../../data/row-plan.js";
import { planFeatures } from "../../../features/cache.js";
import type { CacheDtype } from "../../../features/cache-dtypes.js";
import type { ProgressSink } from "../progress.js";
import { taskLabel } from "../steps/step.js";
import { type CacheReport, cacheWithProgress } from "./cache-with-progress.js";
import { checkDiskSpace } from "./check-disk-space.js";
import { openWithProgress } from "./open-with-progress.js";

export interface TargetFeaturesInput {
  /** Image source, such as `imagefolder:DIR`. */
  readonly data: string;
  readonly target: string;
  /** Tokens a side; images are read at 16 pixels a token. */
  readonly grid: number;
  /** null: all. */
  readonly count: number | null;
  readonly flips: boolean;
  readonly skipBad: boolean;
  readonly dtype: CacheDtype;
  readonly cacheFolder: string;
  /** null: all of it, in this process alone. */
  readonly part: StorePart | null;
}

export interface TargetFeaturesResult extends CacheReport {
  readonly target: string;
  readonly source: string;
  readonly skipped: readonly string[];
}

/** Cache the features of one target for any images, without an experiment. */
export async function targetFeaturesTask(
  { data, target, grid, count, flips, skipBad, dtype, cacheFolder, part }: TargetFeaturesInput,
  progress: ProgressSink,
): Promise<TargetFeaturesResult> {
  const source = await openWithProgress(progress, data, { ...(count === null ? {} : { count }), seed: 0, skipBad });
  try {
    const skipped = source.skipped;
    if (skipped.length > 0) progress.line(`left out ${skipped.length} undecodable image(s): ${skipped.join(", ")}`);
    const plan = await planFeatures({ source, target, grid, flips, dtype, cacheFolder });
    await checkDiskSpace({ [target]: plan }, cacheFolder, progress);
    const cached = await cacheWithProgress(progress, taskLabel("features", target), plan, part ?? undefined);
    return { target, source: source.name, skipped, ...cached };
  } finally {
    await source.close();
  }
}
