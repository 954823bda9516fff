/**
 * @file Targets as points: what is known of each target before training, and what came out of training with it. From finished runs,
 * in groups of arms that differ in nothing but their target.
 */

import { RANK_METRICS } from "../rank/metrics.js";
import type { RunRecord } from "../report/read-run.js";
import {
  type ArmGroup,
  checkAlike,
  chooseMetric,
  describeRecipe,
  type GroupedArm,
  groupArms,
  measuredMetrics,
  type Recipe,
  spreadOfMetric,
} from "./arm-groups.js";
import type { MeasuredTarget, TargetMeter } from "./measure-targets.js";
import { normalizedKey, PROBE_COLUMN, type RepresentationMetric, spatialColumns } from "./metrics.js";

export interface TargetPoint {
  readonly target: string;
  /** By column; null: not measured. */
  readonly metrics: Readonly<Record<string, number | null>>;
  /** The generation metric, mean over the repetitions. */
  readonly value: number;
  /** Seeds, or runs, that the value is the mean of. */
  readonly repetitions: number;
}

export interface PointGroup {
  /** Where the points are from. */
  readonly label: string;
  /** Null for points that did not come from runs. */
  readonly recipe: Recipe | null;
  readonly columns: readonly RepresentationMetric[];
  readonly points: readonly TargetPoint[];
  /** How the representation metrics were taken. */
  readonly protocol: string;
}

export interface Points {
  /** The generation metric: key, name, and which way is better. */
  readonly against: { readonly key: string; readonly label: string; readonly direction: "lower" | "higher" | null };
  readonly groups: readonly PointGroup[];
}

export interface PointOptions {
  /** Name of the evaluations, `evaluation` for the first. */
  readonly evaluation: string;
  /** Key of the generation metric; undefined: the first there is. */
  readonly against?: string;
  readonly meter: TargetMeter;
  /** Accuracies by target, from `descry probe`. */
  readonly probe?: ReadonlyMap<string, number>;
}

/**
 * The targets of some runs as points, one group for each recipe under the same settings. Controls have no target; arms without an
 * evaluation are left out.
 *
 * @throws {UsageError} nothing was evaluated, not by that metric, or arms of one group in different ways.
 */
export async function pointsOfRuns(runs: readonly RunRecord[], options: PointOptions): Promise<Points> {
  const groups = groupArms(runs);
  const { key, label, direction } = chooseMetric(measuredMetrics(groups, options.evaluation), options.against);
  const found: PointGroup[] = [];
  for (const group of groups) {
    checkAlike(group, options.evaluation);
    for (const [recipe, arms] of byRecipe(group)) found.push(await pointGroup(group, recipe, arms, key, options));
  }
  return { against: { key, label, direction }, groups: found.filter(({ points }) => points.length > 0) };
}

function byRecipe({ arms }: ArmGroup): [Recipe, GroupedArm[]][] {
  const recipes = new Map<string, [Recipe, GroupedArm[]]>();
  for (const arm of arms) {
    if (arm.recipe === null) continue;
    const key = JSON.stringify(arm.recipe);
    const known = recipes.get(key) ?? [arm.recipe, []];
    known[1].push(arm);
    recipes.set(key, known);
  }
  return [...recipes.values()];
}

async function pointGroup(
  group: ArmGroup,
  recipe: Recipe,
  arms: readonly GroupedArm[],
  key: string,
  { evaluation, meter, probe }: PointOptions,
): Promise<PointGroup> {
  const points: TargetPoint[] = [];
  let measured: MeasuredTarget | undefined;
  for (const arm of arms) {
    const value = spreadOfMetric(arm, evaluation, key);
    if (value === null) continue;
    const target = arm.target!;
    const folders = arm.repetitions.map(({ run }) => run.folder);
    const each: MeasuredTarget[] = [];
    for (const folder of folders) each.push(await meter.measure(folder, target, recipe.spatialNorm));
    measured ??= each[0]!;
    points.push({
      target,
      metrics: {
        ...meanMetrics(each),
        ...(probe === undefined ? {} : { [PROBE_COLUMN.key]: probe.get(target) ?? null }),
      },
      value: value.mean,
      repetitions: value.count,
    });
  }
  return {
    label: `${group.label}: ${describeRecipe(recipe)}`,
    recipe,
    columns: [...spatialColumns(recipe.spatialNorm), ...(probe === undefined ? [] : [PROBE_COLUMN])],
    points,
    protocol:
      measured === undefined
        ? ""
        : `spatial metrics: means over ${measured.images} cached images, ${measured.grid}×${measured.grid} tokens; foreground of SRSS: tokens within 3/8 of the grid's side of its centre`,
  };
}

/** Over repetitions: their caches may hold other images. */
function meanMetrics(each: readonly MeasuredTarget[]): Record<string, number | null> {
  const mean = (values: readonly (number | null)[]) => {
    const finite = values.filter((value) => value !== null);
    return finite.length < values.length ? null : finite.reduce((a, b) => a + b, 0) / finite.length;
  };
  const entries = RANK_METRICS.flatMap(({ key }): [string, number | null][] => {
    const plain: [string, number | null] = [key, mean(each.map((one) => one.plain[key]))];
    if (each.some(({ normalized }) => normalized === null)) return [plain];
    return [plain, [normalizedKey(key), mean(each.map((one) => one.normalized![key]))]];
  });
  return Object.fromEntries(entries);
}
