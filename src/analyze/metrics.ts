/** @file The representation metrics that the analyses set against the quality of what was generated. */
import { type MetricKey, RANK_METRICS } from "../rank/metrics.js";

/** A column of numbers, one a target. */
export interface RepresentationMetric {
  /** Name of its column. */
  readonly key: string;
  /** For people. */
  readonly short: string;
  /** What exactly it is. */
  readonly variant: string;
  /** A spatial metric after normalization; the one before it has a column too. */
  readonly isNormalized?: true;
}

/** Column of a spatial metric after the normalization of the recipe. */
export const normalizedKey = (key: MetricKey): string => `${key}_normalized`;

/** Spatial metrics of the targets as they are; with an alpha also after spatial normalization. */
export function spatialColumns(alpha: number | null): RepresentationMetric[] {
  if (alpha === null) return [...RANK_METRICS];
  return [
    ...RANK_METRICS,
    ...RANK_METRICS.map(({ key, short, variant }) => ({
      key: normalizedKey(key),
      short: `${short}, normalized`,
      variant: `${variant}; after spatial normalization, alpha ${alpha}, as the arms saw it`,
      isNormalized: true as const,
    })),
  ];
}

export const PROBE_COLUMN: RepresentationMetric = {
  key: "probe_accuracy",
  short: "linear probe",
  variant: "best validation accuracy of a linear classifier on the mean of an image's tokens (descry probe)",
};
