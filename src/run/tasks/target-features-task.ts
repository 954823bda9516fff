import type { StorePart } from "../../../data/row-plan.js";
import { planTargets } from "../../../features/cache.js";
import type { CacheDtype } from "../../../features/cache-dtypes.js";
import type { Device } from "../../compile/compile.js";
import { downloadProgress } from "../download-progress.js";
import type { ProgressSink } from "../progress.js";
import { type CacheReport, cacheTogether } from "./cache-with-progress.js";
import { checkDiskSpace } from "./check-disk-space.js";
import { openWithProgress } from "./open-with-progress.js";

export interface TargetFeaturesInput {
  /** Image source, such as `imagefolder:DIR`. */
  readonly data: string;
  readonly targets: readonly string[];
  /** Tokens a side; images are read at 16 pixels a token. */
  readonly grid: number;
  /** null: all. */
  readonly count: number | null;
  readonly flips: boolean;
  readonly skipBad: boolean;
  readonly dtype: CacheDtype;
  readonly cacheFolder: string;
  readonly device: Device;
  /** null: all of it, in this process alone. */
  readonly part: StorePart | null;
}

export interface TargetFeaturesResult {
  readonly targets: Readonly<Record<string, CacheReport>>;
  readonly source: string;
  readonly skipped: readonly string[];
}

/** Cache the features of targets for any images, without an experiment. */
export async function targetFeaturesTask(
  { data, targets, grid, count, flips, skipBad, dtype, cacheFolder, device, part }: TargetFeaturesInput,
  progress: ProgressSink,
): Promise<TargetFeaturesResult> {
  const source = await openWithProgress(progress, data, {
    ...(count === null ? {} : { count }),
    seed: 0,
    skipBad,
    cacheFolder,
  });
  try {
    const skipped = source.skipped;
    if (skipped.length > 0) progress.line(`left out ${skipped.length} undecodable image(s): ${skipped.join(", ")}`);
    const onDownload = downloadProgress(progress);
    const planned = await planTargets({ source, targets, grid, flips, dtype, cacheFolder, device, onDownload });
    const plans = Object.fromEntries(targets.map((target, i) => [target, planned[i]!]));
    await checkDiskSpace(plans, cacheFolder, progress);
    return { targets: await cacheTogether(progress, plans, part ?? undefined), source: source.name, skipped };
  } finally {
    await source.close();
  }
}
