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

interface KnownMetric extends MetricInfo {
  /** What it is called by the network of published numbers; with any other it is a proxy, and has a name of its own. */
  readonly published?: Pick<MetricInfo, "label" | "short">;
}

/** In the order of the table. The first is what the verdict goes by. */
export const METRICS: readonly KnownMetric[] = [
  {
    key: "frechet_distance",
    label: "Fréchet distance",
    short: "FD",
    direction: "lower",
    spreadKey: null,
    spread: null,
    meaning: "distance between two Gaussians fitted to the features of real and generated images",
    published: { label: "FID", short: "FID" },
  },
  {
    key: "spatial_frechet_distance",
    label: "Spatial Fréchet distance",
    short: "spatial FD",
    direction: "lower",
    spreadKey: null,
    spread: null,
    meaning: "the same distance by features that still have their places",
    published: { label: "sFID", short: "sFID" },
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
    key: "cmmd",
    label: "CMMD",
    short: "CMMD",
    direction: "lower",
    spreadKey: null,
    spread: null,
    meaning: "kernel distance of CLIP embeddings; biased upwards for few samples",
  },
  {
    key: "gaussian_mmd",
    label: "Gaussian MMD",
    short: "MMD",
    direction: "lower",
    spreadKey: null,
    spread: null,
    meaning: "CMMD's kernel distance on another encoder than CLIP",
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
    label: "Class score",
    short: "class score",
    direction: "higher",
    spreadKey: "inception_score_std",
    spread: "standard deviation over splits",
    meaning: "confident and varied class predictions",
    published: { label: "Inception score", short: "IS" },
  },
];

const SPREAD_KEYS = new Set(METRICS.map(({ spreadKey }) => spreadKey));

/**
 * The metrics of some evaluations: the known ones that are in any of them, then unknown keys, for which no direction is known. They have
 * their published names where no evaluation is by a proxy.
 */
export function metricsIn(
  evaluations: readonly {
    readonly metrics: Readonly<Record<string, unknown>>;
    readonly network: { readonly proxy: boolean };
  }[],
): MetricInfo[] {
  const keys = new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics)));
  const isPublished = evaluations.every(({ network }) => !network.proxy);
  const known = METRICS.filter(({ key }) => keys.has(key)).map(({ published, ...metric }) =>
    isPublished ? { ...metric, ...published } : metric,
  );
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
