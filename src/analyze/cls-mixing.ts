/**
 * @file What mixing an encoder's class token into its tokens does: probing accuracy up, spatial structure and samples worse? iREPA's
 * Fig. 3c, from arms whose targets are `mix(ENCODER,alpha=A)` and the encoder itself, alpha 0.
 */
import { UsageError } from "../../data/errors.js";
import type { RepresentationMetric } from "./metrics.js";
import type { PointGroup, Points, TargetPoint } from "./target-points.js";

export interface MixPoint extends TargetPoint {
  /** Share of the class token, 0..1. */
  readonly alpha: number;
}

export interface MixSeries {
  /** The encoder. */
  readonly encoder: string;
  /** Experiment and recipe. */
  readonly label: string;
  readonly recipe: PointGroup["recipe"];
  readonly columns: readonly RepresentationMetric[];
  readonly protocol: string;
  /** By rising alpha; two or more. */
  readonly points: readonly MixPoint[];
}

/** What `cls-mixing.json` holds. */
export interface ClsMixingAnalysis {
  readonly format: "descry-cls-mixing-1";
  readonly against: Points["against"];
  readonly series: readonly MixSeries[];
}

/**
 * Order the mixed targets of some points, one series for each encoder and recipe.
 *
 * @throws {UsageError} no encoder has two alphas under one recipe.
 */
export function analyzeClsMixing({ against, groups }: Points): ClsMixingAnalysis {
  const series = groups.flatMap(seriesOf);
  if (series.length === 0) {
    const found = groups.flatMap(({ points }) => points.map(({ target }) => target));
    throw new UsageError(
      `cls-mixing wants two alphas of one encoder under one recipe, found ${found.join(", ") || "none"}`,
      {
        hint: "arms with the targets ENCODER and mix(ENCODER,alpha=0.5), for example",
      },
    );
  }
  return { format: "descry-cls-mixing-1", against, series };
}

function seriesOf({ label, recipe, columns, points, protocol }: PointGroup): MixSeries[] {
  const encoders = new Map<string, MixPoint[]>();
  for (const point of points) {
    const { encoder, alpha } = parseMix(point.target);
    encoders.set(encoder, [...(encoders.get(encoder) ?? []), { ...point, alpha }]);
  }
  return [...encoders]
    .filter(([, mixed]) => mixed.length > 1)
    .map(([encoder, mixed]) => ({
      encoder,
      label,
      recipe,
      columns,
      protocol,
      points: mixed.sort((a, b) => a.alpha - b.alpha),
    }));
}

/** A canonical target's encoder and share: 0 for one that is not mixed. */
export function parseMix(target: string): { readonly encoder: string; readonly alpha: number } {
  const match = /^mix\((.*),alpha=([^,()]+)\)$/s.exec(target);
  return match === null ? { encoder: target, alpha: 0 } : { encoder: match[1]!, alpha: Number(match[2]) };
}
