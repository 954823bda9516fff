/** @file The metrics that a report knows: which way is better, and how many digits make sense. */

/** Which way is better; null where it is not known. */
export type Direction = "lower" | "higher" | null;

export interface MetricInfo {
  /** Key in `evaluation.json`. */
  readonly key: string;
  readonly label: string;
  /** For narrow places: the terminal, axes. */
  readonly short: string;
  readonly direction: Direction;
  /** Key of the spread that is shown with it. */
  readonly spreadKey: string | null;
  /** What the spread is. */
  readonly spread: string | null;
  readonly meaning: string;
}

/** In the order of the table. The first is what the verdict goes by. */
export const METRICS: readonly MetricInfo[] = [
  {
    key: "frechet_distance",
    label: "Fréchet distance",
    short: "FD",
    direction: "lower",
    spreadKey: null,
    spread: null,
    meaning: "distance between two Gaussians fitted to the features of real and generated images",
  },
  {
    key: "kid",
    label: "KID",
    short: "KID",
    direction: "lower",
    spreadKey: "kid_std",
    spread: "standard deviation over random subsets",
    meaning: "kernel distance, unbiased also for few samples",
  },
  {
    key: "precision",
    label: "Precision",
    short: "precision",
    direction: "higher",
    spreadKey: null,
    spread: null,
    meaning: "share of samples that lie among the real images",
  },
  {
    key: "recall",
    label: "Recall",
    short: "recall",
    direction: "higher",
    spreadKey: null,
    spread: null,
    meaning: "share of real images that lie among the samples",
  },
  {
    key: "inception_score",
    label: "Inception score",
    short: "IS",
    direction: "higher",
    spreadKey: "inception_score_std",
    spread: "standard deviation over splits",
    meaning: "confident and varied class predictions",
  },
];

const SPREAD_KEYS = new Set(METRICS.map(({ spreadKey }) => spreadKey));

/** The metrics of some evaluations: the known ones that are in any of them, then unknown keys, for which no direction is known. */
export function metricsIn(
  evaluations: readonly { readonly metrics: Readonly<Record<string, unknown>> }[],
): MetricInfo[] {
  const keys = new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics)));
  const known = METRICS.filter(({ key }) => keys.has(key));
  const unknown = [...keys].filter((key) => !SPREAD_KEYS.has(key) && !METRICS.some((metric) => metric.key === key));
  return [
    ...known,
    ...unknown.map((key) => ({
      key,
      label: key,
      short: key,
      direction: null,
      spreadKey: null,
      spread: null,
      meaning: "not known to this report",
    })),
  ];
}

/** How much better than the control. */
export interface Gain {
  /** In units of the metric; positive is better. */
  readonly absolute: number;
  /** Share of the control's magnitude, 0.05 = 5 %; null where the control is 0. */
  readonly relative: number | null;
}

/**
 * The gain of a value over the control's: `control − value` where lower is better, `value − control` where higher is.
 *
 * @returns null where the direction is not known.
 */
export function gainOver(control: number, value: number, direction: Direction): Gain | null {
  if (direction === null) return null;
  const absolute = direction === "lower" ? control - value : value - control;
  return { absolute, relative: control === 0 ? null : absolute / Math.abs(control) };
}
