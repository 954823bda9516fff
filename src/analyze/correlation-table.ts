import { targetLabels } from "../rank/target-labels.js";
import { alignTable } from "../report/align-table.js";
import { csvLines } from "../report/csv-lines.js";
import type { CorrelationEstimate } from "./correlate.js";
import { type CorrelationAnalysis, caveatOf, type GroupCorrelation } from "./correlation.js";
import type { PointGroup } from "./target-points.js";

const HEADER = ["metric", "targets", "Pearson r", "95 %", "p", "Spearman ρ", "95 %", "p"];

/** The correlations as aligned text: one table a group, and below what was correlated. */
export function formatCorrelation({ groups, leftOut, against, bootstrap }: CorrelationAnalysis): string {
  const sense = { lower: ", lower is better", higher: ", higher is better" };
  const lines = [
    ...groups.flatMap((group) => [group.label, tableOf(group), ""]),
    `against ${against.label}${against.direction === null ? "" : sense[against.direction]}; intervals: ${bootstrap.interval}, ${bootstrap.resamples} resamples, seed ${bootstrap.seed}; p: Student's t, two-sided`,
    ...describeColumns(groups),
    ...new Set(groups.map(({ protocol }) => protocol).filter((text) => text !== "")),
    ...groups.flatMap((group) => {
      const caveat = caveatOf(group);
      return caveat === null ? [] : [groups.length > 1 ? `${group.label}: ${caveat}` : caveat];
    }),
    ...leftOut.map(({ label, targets, why }) => `left out: ${label}: ${targets.join(", ")} (${why})`),
  ];
  return lines.join("\n");
}

/** What the columns are, each said once. */
export function describeColumns(groups: readonly Pick<PointGroup, "columns" | "recipe">[]): string[] {
  const columns = groups.flatMap((group) => group.columns).filter(({ isNormalized }) => isNormalized !== true);
  const lines = columns.map(({ short, variant }) => `${short}: ${variant}`);
  const isNormalized = groups.some(({ recipe }) => recipe?.spatialNorm != null);
  return [
    ...new Set(lines),
    ...(isNormalized ? ["normalized: after the spatial normalization of the recipe, as the arms saw it"] : []),
  ];
}

function tableOf({ correlations }: GroupCorrelation): string {
  const rows = correlations.map(({ short, targets, result, why }) =>
    result === null ? [short, why!] : [short, String(targets), ...cellsOf(result.pearson), ...cellsOf(result.spearman)],
  );
  return alignTable(HEADER, rows);
}

function cellsOf({ coefficient, p, low, high }: CorrelationEstimate): string[] {
  const interval = low === null || high === null ? "–" : `${fixed(low)} … ${fixed(high)}`;
  return [fixed(coefficient), interval, p < 1e-4 ? "<0.0001" : p.toFixed(4)];
}

const fixed = (value: number, digits = 3): string => value.toFixed(digits).replace("-", "−");

/** One row a metric and group; what is not known is empty. */
export function correlationCsv({ groups, against }: CorrelationAnalysis): string {
  const estimate = (name: string) => [name, `${name}_low`, `${name}_high`, `${name}_p`];
  const numbers = (one: CorrelationEstimate | undefined) =>
    one === undefined ? [null, null, null, null] : [one.coefficient, one.low, one.high, one.p];
  return csvLines([
    [
      "group",
      "metric",
      "against",
      "targets",
      ...estimate("pearson"),
      ...estimate("spearman"),
      "slope",
      "intercept",
      "variant",
    ],
    ...groups.flatMap(({ label, correlations }) =>
      correlations.map(({ key, targets, result, variant }) => [
        label,
        key,
        against.key,
        targets,
        ...numbers(result?.pearson),
        ...numbers(result?.spearman),
        result?.line.slope ?? null,
        result?.line.intercept ?? null,
        variant,
      ]),
    ),
  ]);
}

/** The points: one row a target and group. A file of one group can be analyzed again with `--csv`. */
export function pointsCsv({ groups, against }: Pick<CorrelationAnalysis, "groups" | "against">): string {
  const keys = [...new Set(groups.flatMap(({ columns }) => columns.map(({ key }) => key)))];
  return csvLines([
    ["target", ...keys, against.key, "group"],
    ...groups.flatMap(({ label, points }) =>
      points.map(({ target, metrics, value }) => [target, ...keys.map((key) => metrics[key] ?? null), value, label]),
    ),
  ]);
}

/** Targets in a few words, as labels of points. */
export function pointLabels({ points }: GroupCorrelation): string[] {
  return targetLabels(points.map(({ target }) => target));
}

/** `r = −0.85 [−0.94, −0.70]` */
export function describeCoefficient(symbol: string, { coefficient, low, high }: CorrelationEstimate): string {
  const interval = low === null || high === null ? "" : ` [${fixed(low, 2)}, ${fixed(high, 2)}]`;
  return `${symbol} = ${fixed(coefficient, 2)}${interval}`;
}
