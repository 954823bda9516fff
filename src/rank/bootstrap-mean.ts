import { randomStream } from "../../data/random.js";
import { intervalOf } from "../report/interval.js";

/** A mean with its interval. */
export interface Estimate {
  /** Null when there is no value at all. */
  readonly mean: number | null;
  /** Ends of the interval that holds 95 % of the means of resampled images. */
  readonly low: number | null;
  readonly high: number | null;
  /** Images that have a value. */
  readonly images: number;
}

/**
 * Mean over images and its percentile bootstrap interval: images are drawn with replacement, as many as there are.
 *
 * The draws depend on the seed and the number of images alone, so that all targets are resampled alike.
 *
 * @param values one an image; images with NaN have no value and are left out.
 * @source Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
 */
export function bootstrapMean(
  values: readonly number[],
  { seed, resamples }: { readonly seed: number; readonly resamples: number },
): Estimate {
  const finite = values.filter(Number.isFinite);
  const count = finite.length;
  if (count === 0) return { mean: null, low: null, high: null, images: 0 };
  const mean = finite.reduce((a, b) => a + b) / count;
  const draws = randomStream(seed, "rank/bootstrap", count).integers(resamples * count, count);
  const means = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += finite[draws[r * count + i]!]!;
    means[r] = sum / count;
  }
  return { mean, ...intervalOf(means), images: count };
}
