/**
 * @file Linear probing: how well a linear classifier tells the classes of images apart by one vector of features an image.
 *
 * The protocol of REPA and of the encoders that it aligns to, where it can be exact: features standardized with the means and
 * deviations of the training images (their batch normalization without affine parameters), a linear layer, cross-entropy; weight
 * decays are tried from the strongest to the weakest, and the best validation accuracy counts (`best_val_acc`). The loss is convex, so
 * that L-BFGS is run to the minimum instead of Adam with a schedule: there is no learning rate or number of epochs to sweep, and the
 * result does not depend on a seed.
 *
 * @source REPA, arXiv 2410.06940, appendix; its issue 32 for details; CLIP, arXiv 2103.00020, A.3, for L-BFGS and the sweep.
 */
import { NumericError } from "../../data/errors.js";
import type { Device } from "../compile/compile.js";
import type { Interval } from "../report/interval.js";
import { type Examples, openLinearClassifier } from "./linear-classifier.js";
import { minimize } from "./minimize.js";
import type { Split } from "./split-labels.js";
import { wilsonInterval } from "./wilson-interval.js";

/** λ: from 1 down to 1e-5, two a decade. Weaker ones change nothing but the time. */
export const WEIGHT_DECAYS: readonly number[] = Array.from({ length: 11 }, (_, i) =>
  Number((10 ** (-i / 2)).toPrecision(4)),
);

/** Where the loss is taken for minimal. */
const [TOLERANCE, MAX_ITERATIONS] = [1e-4, 500];

export interface LinearProbeOptions {
  readonly split: Split;
  /** K */
  readonly classes: number;
  /** Of the target, for messages. */
  readonly name: string;
  readonly device?: Device;
  readonly threads?: number;
  /** After every weight decay: how many are done. */
  onProgress?(done: number): void;
  readonly signal?: AbortSignal;
}

/** With the 95 % interval of the accuracy (Wilson) over the validation images; that the best was chosen by them is not in it. */
export interface LinearProbe extends Interval {
  /** Best accuracy on the validation images over the weight decays, 0..1: the reference's `best_val_acc`. */
  readonly accuracy: number;
  /** On the training images, at the same weight decay. */
  readonly trainAccuracy: number;
  /** λ of the best. Of equals the strongest. */
  readonly weightDecay: number;
  /** Whether the loss was minimal there, within 500 iterations. */
  readonly isConverged: boolean;
}

/**
 * Probe the features of some images.
 *
 * @param examples all images; the split says which are learnt from.
 * @throws {NumericError} a feature that is not finite. @throws the signal's reason when it is aborted.
 */
export async function linearProbe(
  { features, labels }: Examples,
  { split, classes, name, onProgress, signal, ...engine }: LinearProbeOptions,
): Promise<LinearProbe> {
  const dim = features.length / labels.length;
  const bad = features.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new NumericError(`probe ${name}: feature ${bad % dim} of image ${Math.floor(bad / dim)} is ${features[bad]}`);
  const take = (rows: Uint32Array): Examples => ({
    features: takeRows(features, rows, dim),
    labels: Int32Array.from(rows, (row) => labels[row]!),
  });
  const [train, validation] = [take(split.train), take(split.validation)];
  standardize([train.features, validation.features], dim);
  const examples = Math.max(split.train.length, split.validation.length);
  const classifier = await openLinearClassifier({ dim, classes, examples, ...engine });
  try {
    let best: (Omit<LinearProbe, keyof Interval> & { readonly hits: number }) | undefined;
    let point: Float64Array = new Float64Array((dim + 1) * classes);
    for (const [i, weightDecay] of WEIGHT_DECAYS.entries()) {
      // From the minimum of the stronger one: it is near.
      const minimum = await minimize(
        (at) => {
          signal?.throwIfAborted();
          return classifier.evaluate(at, train, weightDecay);
        },
        point,
        { tolerance: TOLERANCE, maxIterations: MAX_ITERATIONS },
      );
      ({ point } = minimum);
      const { hits, share } = await classifier.accuracy(point, validation);
      if (best === undefined || hits > best.hits) {
        const trainAccuracy = (await classifier.accuracy(point, train)).share;
        best = { accuracy: share, hits, trainAccuracy, weightDecay, isConverged: minimum.isConverged };
      }
      onProgress?.(i + 1);
    }
    const { hits, ...found } = best!;
    return { ...found, ...wilsonInterval(hits, validation.labels.length) };
  } finally {
    await classifier.dispose();
  }
}

function takeRows(features: Float32Array, rows: Uint32Array, dim: number): Float32Array {
  const taken = new Float32Array(rows.length * dim);
  for (const [i, row] of rows.entries()) taken.set(features.subarray(row * dim, (row + 1) * dim), i * dim);
  return taken;
}

/**
 * In place: every channel to mean 0 and standard deviation 1 of the first set's. A channel that is the same everywhere, but for the
 * last bits of float32, becomes 0.
 */
function standardize(sets: readonly [train: Float32Array, ...others: Float32Array[]], dim: number): void {
  const [train] = sets;
  const N = train.length / dim;
  for (let d = 0; d < dim; d++) {
    let mean = 0;
    for (let i = d; i < train.length; i += dim) mean += train[i]! / N;
    let variance = 0;
    for (let i = d; i < train.length; i += dim) variance += (train[i]! - mean) ** 2 / N;
    const deviation = Math.sqrt(variance);
    const scale = deviation <= 1e-6 * Math.abs(mean) ? 0 : 1 / deviation;
    for (const set of sets) {
      for (let i = d; i < set.length; i += dim) set[i] = (set[i]! - mean) * scale;
    }
  }
}
