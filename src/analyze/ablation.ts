/** @file What the convolution and the spatial normalization do, each alone and together: iREPA's Table 2, from finished runs. */
import { UsageError } from "../../data/errors.js";
import { gainOver, type MetricInfo } from "../report/metrics.js";
import type { RunRecord } from "../report/read-run.js";
import type { Spread } from "../report/seed-summary.js";
import {
  type ArmGroup,
  checkAlike,
  chooseMetric,
  describeRecipe,
  evaluationsOf,
  type GroupedArm,
  groupArms,
  measuredMetrics,
  type Recipe,
  spreadOfMetric,
} from "./arm-groups.js";

/** The columns. */
export const VARIANTS = ["baseline", "+conv", "+norm", "both"] as const;
export type Variant = (typeof VARIANTS)[number];

export interface AblationCell {
  /** Of the arm. */
  readonly arm: string;
  readonly recipe: Recipe;
  /** By metric; null: not measured. */
  readonly values: Readonly<Record<string, Spread | null>>;
  /** Over the baseline's mean, a share of it, positive is better; null without a baseline or a direction. */
  readonly gains: Readonly<Record<string, number | null>>;
}

export interface AblationRow {
  readonly target: string;
  /** Null: no arm. */
  readonly cells: Readonly<Record<Variant, AblationCell | null>>;
}

export interface AblationTable {
  readonly label: string;
  readonly rows: readonly AblationRow[];
  /** The control's values by metric; null without one. */
  readonly control: Readonly<Record<string, Spread | null>> | null;
  /** Cells without an arm, such as `sift +conv`. */
  readonly empty: readonly string[];
  /** In what arms differ besides convolution and normalization, and arms that have no place. */
  readonly notes: readonly string[];
}

/** What `ablation.json` holds. */
export interface AblationAnalysis {
  readonly format: "descry-ablation-1";
  readonly metrics: readonly Pick<MetricInfo, "key" | "label" | "short" | "direction">[];
  readonly tables: readonly AblationTable[];
}

export interface AblationOptions {
  /** Name of the evaluations, `evaluation` for the first. */
  readonly evaluation: string;
  /** Keys of the metrics. @default all that were measured and have a better side */
  readonly metrics?: readonly string[];
  /** Arms that count. @default all */
  readonly arms?: readonly string[];
}

/**
 * Lay the arms of some runs into the table, one for each kind of settings.
 *
 * @throws {UsageError} two arms for one cell; arms that were evaluated in different ways; no arm with a place; a metric that was not
 *   measured.
 */
export function analyzeAblation(runs: readonly RunRecord[], options: AblationOptions): AblationAnalysis {
  const groups = groupArms(runs).map((group) => onlyArms(group, options.arms));
  const measured = measuredMetrics(groups, options.evaluation);
  const chosen = options.metrics?.map((key) => chooseMetric(measured, key));
  const metrics = measured.filter((metric) => chosen?.includes(metric) ?? metric.direction !== null);
  const tables: AblationTable[] = [];
  for (const group of groups) {
    checkAlike(group, options.evaluation);
    const table = tableOf(group, metrics, options.evaluation);
    if (table.rows.length > 0) tables.push(table);
  }
  if (tables.length === 0) {
    throw new UsageError("ablation: no evaluated arm has the projector mlp or conv", {
      hint: "the table has mlp and conv, each with and without spatialNorm",
    });
  }
  return {
    format: "descry-ablation-1",
    metrics: metrics.map(({ key, label, short, direction }) => ({ key, label, short, direction })),
    tables,
  };
}

function onlyArms(group: ArmGroup, names: readonly string[] | undefined): ArmGroup {
  if (names === undefined) return group;
  return { ...group, arms: group.arms.filter(({ name, target }) => target === null || names.includes(name)) };
}

function tableOf(group: ArmGroup, metrics: readonly MetricInfo[], evaluation: string): AblationTable {
  const rows = new Map<string, Record<Variant, GroupedArm | null>>();
  const notes: string[] = [];
  for (const arm of group.arms) {
    if (arm.target === null || arm.recipe === null) continue;
    if (evaluationsOf(arm, evaluation).length === 0) {
      notes.push(`${arm.name} is left out: not evaluated`);
      continue;
    }
    const variant = variantOf(arm.recipe);
    if (variant === null) {
      notes.push(`${arm.name} is left out: its projector is ${arm.recipe.projector}`);
      continue;
    }
    const row = rows.get(arm.target) ?? { baseline: null, "+conv": null, "+norm": null, both: null };
    rows.set(arm.target, row);
    const taken = row[variant];
    if (taken !== null) {
      throw new UsageError(
        `${arm.target}: two arms for "${variant}": ${taken.name} (${describeRecipe(taken.recipe!)}) and ${arm.name} (${describeRecipe(arm.recipe)})`,
        { hint: "name those that are to be compared: --arm NAME, repeatedly" },
      );
    }
    row[variant] = arm;
  }
  const control = group.arms.find(({ target }) => target === null);
  const filled = [...rows].map(([target, arms]): AblationRow => {
    notes.push(...differencesOf(arms));
    return { target, cells: mapVariants((variant) => cellOf(arms[variant], arms.baseline, metrics, evaluation)) };
  });
  return {
    label: group.label,
    rows: filled,
    control: control === undefined ? null : valuesOf(control, metrics, evaluation),
    empty: filled.flatMap(({ target, cells }) =>
      VARIANTS.filter((variant) => cells[variant] === null).map((variant) => `${target} ${variant}`),
    ),
    notes,
  };
}

function variantOf({ projector, spatialNorm }: Recipe): Variant | null {
  if (projector !== "mlp" && projector !== "conv") return null;
  if (projector === "mlp") return spatialNorm === null ? "baseline" : "+norm";
  return spatialNorm === null ? "+conv" : "both";
}

const mapVariants = <T>(of: (variant: Variant) => T): Record<Variant, T> =>
  Object.fromEntries(VARIANTS.map((variant) => [variant, of(variant)])) as Record<Variant, T>;

const valuesOf = (arm: GroupedArm, metrics: readonly MetricInfo[], evaluation: string) =>
  Object.fromEntries(metrics.map(({ key }) => [key, spreadOfMetric(arm, evaluation, key)]));

function cellOf(
  arm: GroupedArm | null,
  baseline: GroupedArm | null,
  metrics: readonly MetricInfo[],
  evaluation: string,
): AblationCell | null {
  if (arm === null) return null;
  const values = valuesOf(arm, metrics, evaluation);
  const gains = metrics.map(({ key, direction }): [string, number | null] => {
    const before = baseline === null || baseline === arm ? null : spreadOfMetric(baseline, evaluation, key);
    const after = values[key] ?? null;
    const gain = before === null || after === null ? null : gainOver(before.mean, after.mean, direction);
    return [key, gain?.relative ?? null];
  });
  return { arm: arm.name, recipe: arm.recipe!, values, gains: Object.fromEntries(gains) };
}

/** A table says what one knob does only where the others stand still. */
function differencesOf(arms: Readonly<Record<Variant, GroupedArm | null>>): string[] {
  const present = VARIANTS.flatMap((variant) => arms[variant] ?? []);
  const [first, ...others] = present;
  const notes: string[] = [];
  for (const { name, recipe } of others) {
    const knobs = (["coefficient", "depth"] as const).filter((knob) => recipe![knob] !== first!.recipe![knob]);
    for (const knob of knobs) {
      notes.push(`${name} also differs in ${knob}: ${recipe![knob]}, ${first!.name} has ${first!.recipe![knob]}`);
    }
  }
  const alphas = present.filter(({ recipe }) => recipe!.spatialNorm !== null);
  if (new Set(alphas.map(({ recipe }) => recipe!.spatialNorm)).size > 1) {
    notes.push(`alphas differ: ${alphas.map(({ name, recipe }) => `${name} ${recipe!.spatialNorm}`).join(", ")}`);
  }
  return notes;
}
