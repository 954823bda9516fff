/**
 * @file What the values of arms might have been with other seeds and other samples: joint draws of how far each arm's mean may be
 * off, from which the intervals of all comparisons follow.
 *
 * Two things vary. The samples: sample i of every arm comes from the same noise and class, so samples are resampled with
 * replacement in all arms alike (paired bootstrap), and a metric of a resample is taken to first order, as the metric plus the
 * mean of the influences of what was drawn. The training: of a few seeds a bootstrap cannot say how far their mean may be off (what it calls 95 %
 * holds the truth 62 times of 100 with two seeds, 81 with three, 86 with five, even when widened by √(k/(k−1))). So the deviations
 * of the means are drawn from Student's t, as the analysis of variance has it: the value of an arm under a seed is taken for
 * arm + seed + an independent normal rest of the same variance in all arms, estimated with (arms − 1)(seeds − 1) degrees of
 * freedom. With two arms that is the t interval of their paired differences. Pooling is what makes few seeds say anything; of seven
 * arms, one whose rest is twice as wide as the others' has intervals that hold 87 times of 100, three times as wide 80.
 *
 * Seeds that share the noise of their samples (`sample.seed`, as by default) share what it happens to favour, which their spread
 * does not show: the resampled samples, means over the seeds, are then added. Seeds with noise of their own have it in their
 * spread. `test/report/draw-arms.test.ts` simulates how often the intervals hold a known truth.
 *
 * @source Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 8 (paired); Dunnett 1955, A multiple comparison
 * procedure for comparing several treatments with a control (pooled variance); Davison & Hinkley 1997, Bootstrap Methods and their
 * Application, section 3.8 (hierarchical data).
 */
import { randomStream } from "../../data/random.js";

/** One arm under every seed. */
export interface ArmValues {
  /** [seeds] */
  readonly values: readonly number[];
  /** [seeds] of [samples]: how far each sample moves the value, mean 0. Null: not known. */
  readonly influences: readonly Float32Array[] | null;
}

export interface DrawOptions {
  /** Sample i has the same noise under every seed. Of no meaning with one seed. */
  readonly sharedNoise: boolean;
  /** Of the draws. @default 0 */
  readonly seed?: number;
}

/** Resamples of the samples. */
const RESAMPLES = 2000;
/** Draws where seeds vary: the tails of Student's t are long. A multiple of the resamples. */
const SEED_DRAWS = 10_000;
/** Units that are drawn from: of more samples, neighbours are drawn together, which leaves the spread of a mean as it is. */
const MOST_UNITS = 2000;

/**
 * Draw how far the means of some arms over their seeds may be off.
 *
 * @param arms as many values each, in the order of the same seeds, and as many samples; at least two arms.
 * @returns [arms] of [draws], jointly: draw r of every arm belongs together. Null where too little is known: the influences are
 *   wanted with one seed and with shared noise.
 */
export function drawArms(arms: readonly ArmValues[], { sharedNoise, seed = 0 }: DrawOptions): Float64Array[] | null {
  const seeds = arms[0]!.values.length;
  const isOfSamples = seeds === 1 || sharedNoise;
  const influences = arms.map(({ influences: one }) => one);
  if (isOfSamples && influences.includes(null)) return null;
  const bySamples = isOfSamples
    ? resampleMeans(
        influences.map((one) => meanOver(one!)),
        seed,
      )
    : null;
  if (seeds === 1) return bySamples;
  const bySeeds = drawSeeds(
    arms.map(({ values }) => values),
    seed,
  );
  if (bySamples !== null) {
    for (const [a, draws] of bySeeds.entries()) {
      for (let r = 0; r < draws.length; r++) draws[r] = draws[r]! + bySamples[a]![r % RESAMPLES]!;
    }
  }
  return bySeeds;
}

/** [samples]: mean over the seeds. */
function meanOver(influences: readonly Float32Array[]): Float64Array {
  const mean = new Float64Array(influences[0]!.length);
  for (const one of influences) {
    for (let i = 0; i < mean.length; i++) mean[i] = mean[i]! + one[i]! / influences.length;
  }
  return mean;
}

/** [arms] of [RESAMPLES]: means of the influences of samples that are drawn with replacement, the same in all arms. */
function resampleMeans(influences: readonly Float64Array[], seed: number): Float64Array[] {
  const samples = influences[0]!.length;
  const units = Math.min(samples, MOST_UNITS);
  const count = influences.length;
  // [units, arms]: what is drawn together lies together.
  const table = new Float64Array(units * count);
  for (const [a, one] of influences.entries()) {
    for (let i = 0; i < samples; i++) {
      table[Math.floor((i * units) / samples) * count + a]! += one[i]! / samples;
    }
  }
  const means = influences.map(() => new Float64Array(RESAMPLES));
  const sums = new Float64Array(count);
  const stream = randomStream(seed, "report/samples", 0);
  for (let r = 0; r < RESAMPLES; r++) {
    sums.fill(0);
    for (const unit of stream.integers(units, units)) {
      for (let a = 0; a < count; a++) sums[a] = sums[a]! + table[unit * count + a]!;
    }
    for (let a = 0; a < count; a++) means[a]![r] = sums[a]!;
  }
  return means;
}

/** [arms] of [SEED_DRAWS]: normal deviations of the arms' means with the pooled variance, which is drawn with them. */
function drawSeeds(values: readonly (readonly number[])[], seed: number): Float64Array[] {
  const [arms, seeds] = [values.length, values[0]!.length];
  const freedom = (arms - 1) * (seeds - 1);
  const scale = Math.sqrt(restSquares(values) / seeds);
  const draws = values.map(() => new Float64Array(SEED_DRAWS));
  const stream = randomStream(seed, "report/seeds", 0);
  for (let r = 0; r < SEED_DRAWS; r++) {
    const normal = stream.normal(arms + freedom);
    let squares = 0; // χ² with `freedom` degrees
    for (let i = arms; i < normal.length; i++) squares += normal[i]! ** 2;
    // Squares over χ² instead of over the degrees of freedom: that makes t of a normal number.
    for (let a = 0; a < arms; a++) draws[a]![r] = (scale * normal[a]!) / Math.sqrt(squares);
  }
  return draws;
}

/** Sum of squares of what neither the arm nor the seed explains. */
function restSquares(values: readonly (readonly number[])[]): number {
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const ofArms = values.map(mean);
  const ofSeeds = values[0]!.map((_, s) => mean(values.map((one) => one[s]!)));
  const ofAll = mean(ofArms);
  return values.reduce(
    (sum, one, a) => sum + one.reduce((inner, value, s) => inner + (value - ofArms[a]! - ofSeeds[s]! + ofAll) ** 2, 0),
    0,
  );
}
