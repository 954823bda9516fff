import type { SpatialMetrics } from "../../features/spatial-metrics.js";

export type MetricKey = keyof SpatialMetrics;

/** A spatial metric, for people. */
export interface RankMetric {
  readonly key: MetricKey;
  /** Heading of a column. */
  readonly short: string;
  /** What exactly it is: the variants of these metrics differ. */
  readonly variant: string;
}

/** The metrics of a ranking, in the order of its columns. More is more structure. */
export const RANK_METRICS: readonly RankMetric[] = [
  {
    key: "lds",
    short: "LDS code",
    variant: "as iREPA's code: mean cosine of the 4 neighbours minus that at Manhattan distance 6 or more",
  },
  {
    key: "ldsPaper",
    short: "LDS paper",
    variant:
      "as iREPA's paper: mean cosine of different tokens nearer than half the grid's side minus that of the others",
  },
  { key: "cds", short: "CDS", variant: "minus the slope of the mean cosine over the Manhattan distances 1 to 8" },
  {
    key: "srss",
    short: "SRSS",
    variant:
      "mean over foreground tokens of the cosine with their foreground neighbours minus that with the background at distance 6 or more",
  },
  { key: "rmsc", short: "RMSC", variant: "root mean square distance of the unit tokens from their mean" },
];
