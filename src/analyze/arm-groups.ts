/**
 * @file The evaluated arms of some runs in groups that can be compared: arms of one group were trained and evaluated under the same
 * settings. Repetitions under other seeds are one arm; runs that differ in nothing but their arms are one group.
 */
import { UsageError } from "../../data/errors.js";
import { type Conditions, evaluationOf, unlikeBesidesSeeds } from "../report/compare-arms.js";
import { type MetricInfo, metricsIn } from "../report/metrics.js";
import type { ArmRecord, RunRecord } from "../report/read-run.js";
import type { Evaluation } from "../report/records.js";
import { withoutNeutral } from "../report/run-groups.js";
import { type Spread, spreadOf } from "../report/seed-summary.js";

/** How an arm is aligned, its target aside. */
export interface Recipe {
  readonly projector: string;
  /** Null without a convolution. */
  readonly kernel: number | null;
  /** Alpha; null: none. */
  readonly spatialNorm: number | null;
  readonly coefficient: number;
  /** 1-based block. */
  readonly depth: number;
  /** Null where the projector has no hidden layer. */
  readonly projectorWidth: number | null;
}

/** One arm with its repetitions. */
export interface GroupedArm {
  /** Of the first repetition. */
  readonly name: string;
  /** Null for a control. */
  readonly target: string | null;
  readonly recipe: Recipe | null;
  readonly repetitions: readonly { readonly run: RunRecord; readonly arm: ArmRecord }[];
}

/** Arms under the same settings. */
export interface ArmGroup {
  /** Names of the experiments, for people. */
  readonly label: string;
  readonly runs: readonly RunRecord[];
  /** In the order in which they appear. */
  readonly arms: readonly GroupedArm[];
}

/** Group the arms of some runs. An arm is known by its target and its recipe, not by its name. */
export function groupArms(runs: readonly RunRecord[]): ArmGroup[] {
  type Group = { readonly runs: RunRecord[]; readonly arms: Map<string, GroupedArm> };
  const groups = new Map<string, Group>();
  for (const run of runs) {
    const { arms: _, ...settings } = run.experiment;
    const key = JSON.stringify(withoutNeutral(settings));
    const group: Group = groups.get(key) ?? { runs: [], arms: new Map() };
    groups.set(key, group);
    group.runs.push(run);
    for (const arm of run.arms) {
      const recipe = arm.align === null ? null : recipeOf(arm.align);
      const target = arm.align?.target ?? null;
      const identity = JSON.stringify([target, recipe]);
      const known = group.arms.get(identity);
      const repetitions = [...(known?.repetitions ?? []), { run, arm }];
      group.arms.set(identity, { name: known?.name ?? arm.name, target, recipe, repetitions });
    }
  }
  const labelled = [...groups.values()].map((group) => ({
    label: [...new Set(group.runs.map(({ experiment }) => experiment.name))].join(", "),
    runs: group.runs,
    arms: [...group.arms.values()],
  }));
  // Several settings under one name are told apart by the hash of their first run.
  const isShared = (label: string) => labelled.filter((group) => group.label === label).length > 1;
  return labelled.map((group) => ({
    ...group,
    label: isShared(group.label) ? `${group.label} (${group.runs[0]!.hash})` : group.label,
  }));
}

/** What a record of an arm says of its recipe. */
function recipeOf(align: NonNullable<ArmRecord["align"]>): Recipe {
  const { projector, kernel, spatialNorm, coefficient, depth, projectorWidth } = align as unknown as Recipe;
  return {
    projector,
    kernel: projector === "conv" ? kernel : null,
    spatialNorm: spatialNorm ?? null,
    coefficient,
    depth,
    // Only the mlp has a hidden layer; the others carry the shared setting along.
    projectorWidth: projector === "mlp" ? projectorWidth : null,
  };
}

/** A recipe in words. */
export function describeRecipe({ projector, kernel, spatialNorm, coefficient, depth }: Recipe): string {
  const head = kernel === null ? projector : `${projector} ${kernel}×${kernel}`;
  const norm = spatialNorm === null ? "no spatial normalization" : `spatial normalization ${spatialNorm}`;
  return `${head}, ${norm}, coefficient ${coefficient}, block ${depth}`;
}

/** The evaluation of each repetition of an arm that has one. */
export function evaluationsOf({ repetitions }: GroupedArm, name: string): Evaluation[] {
  return repetitions.flatMap(({ arm }) => evaluationOf(arm, name) ?? []);
}

/** A metric of an arm over its repetitions; null: not measured. */
export function spreadOfMetric(arm: GroupedArm, name: string, key: string): Spread | null {
  const values = evaluationsOf(arm, name).map(({ metrics }) => metrics[key] ?? null);
  return spreadOf(values.filter((value) => value !== null));
}

/**
 * The generation metrics that some groups were evaluated by, in the order of the report.
 *
 * @throws {UsageError} none of the arms was evaluated.
 */
export function measuredMetrics(groups: readonly ArmGroup[], name: string): MetricInfo[] {
  const evaluations = groups.flatMap(({ arms }) => arms.flatMap((arm) => evaluationsOf(arm, name)));
  const measured = metricsIn(evaluations).filter(({ key }) => evaluations.some(({ metrics }) => metrics[key] != null));
  if (measured.length > 0) return measured;
  const folders = groups.flatMap(({ runs }) => runs.map(({ folder }) => folder));
  throw new UsageError(`${folders.join(", ")}: no arm has an ${name}.json`, {
    hint: "finish the run: descry run, or descry evaluate",
  });
}

/**
 * The metric of that key, or the first there is.
 *
 * @throws {UsageError} no arm was measured by it: lists those that there are.
 */
export function chooseMetric(measured: readonly MetricInfo[], key: string | undefined): MetricInfo {
  if (key === undefined) return measured[0]!;
  const metric = measured.find((one) => one.key === key);
  if (metric !== undefined) return metric;
  throw new UsageError(`no arm was measured by "${key}"`, {
    hint: `there are: ${measured.map((one) => one.key).join(", ")}`,
  });
}

/**
 * Refuse a group whose arms were evaluated in different ways, see {@link checkConditions}.
 *
 * @throws {UsageError} names two arms and in what they differ.
 */
export function checkAlike({ arms }: ArmGroup, name: string): void {
  checkConditions(arms.flatMap((arm) => evaluationsOf(arm, name)));
}

/**
 * Refuse arms that were measured in different ways; seeds may differ.
 *
 * @throws {UsageError} names two arms and in what they differ.
 */
export function checkConditions(all: readonly (Conditions & { readonly arm: string })[]): void {
  const [first, ...others] = all;
  for (const other of others) {
    const unlike = unlikeBesidesSeeds(first!, other);
    if (unlike.length === 0) continue;
    throw new UsageError(`${other.arm} was evaluated otherwise than ${first!.arm}: ${unlike.join(", ")}`, {
      hint: "evaluate them alike, or analyze them apart",
    });
  }
}
