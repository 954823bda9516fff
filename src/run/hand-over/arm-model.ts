import { openRowStore } from "../../../data/row-store.js";
import type { SitConfig } from "../../models/sit-sizes.js";
import type { TargetConfig } from "../../train/options.js";
import type { FeaturesRecord } from "../features-record.js";
import type { ArmConfig, Experiment } from "../schema.js";
import { sitConfigOf } from "../space.js";

/** An arm, and what its parameters follow from. */
export interface ArmModel {
  readonly arm: ArmConfig;
  readonly model: SitConfig;
  readonly config: { readonly model: SitConfig; readonly targets: readonly TargetConfig[] };
}

/** The model and projector of an arm, as its training has them. @throws {CacheError} the target is no longer in the cache. */
export async function armModel(experiment: Experiment, record: FeaturesRecord, arm: ArmConfig): Promise<ArmModel> {
  const model = sitConfigOf(experiment, record.source.classes.length);
  if (arm.align === null) return { arm, model, config: { model, targets: [] } };
  const { target, projector, kernel, projectorWidth, spatialNorm } = arm.align;
  const { folder, key } = record.targets[target]!;
  const store = await openRowStore(folder, key);
  const dim = store.header.columns["features"]!.shape[1]!; // [T,D]
  await store.close();
  const one: TargetConfig = {
    dim,
    projector: { type: projector, width: projectorWidth, ...(kernel === null ? {} : { kernel }) },
    ...(spatialNorm === null ? {} : { spatialNorm }),
  };
  return { arm, model, config: { model, targets: [one] } };
}
