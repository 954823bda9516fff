/**
 * @file `probe.json`: what probing found, with everything that it depends on. For `descry analyze correlation --probe FILE` and for
 * whoever reads it elsewhere: `rows[i].accuracy` of the row with `pool: "mean"` is the reference's `best_val_acc` of `rows[i].target`.
 */
import type { LinearProbe } from "./linear-probe.js";

export const PROBE_FORMAT = "descry-probe-1";

/** How an image's tokens become one vector: their mean, or the class token of encoders that have one. */
export type Pooling = "mean" | "cls";

export interface ProbeRow extends LinearProbe {
  /** Canonical target string, as in experiments and `features.json`. */
  readonly target: string;
  readonly pool: Pooling;
  /** D */
  readonly dim: number;
}

export interface ProbeRecord {
  readonly format: typeof PROBE_FORMAT;
  /** Image source, and SHA-256 of everything that changes its pixels. */
  readonly source: string;
  readonly fingerprint: string;
  readonly images: number;
  /** Classes with images; names in the order of their indices. */
  readonly classes: readonly string[];
  /** Tokens a side; targets see images of 16 pixels a token. */
  readonly grid: number;
  readonly split: {
    readonly seed: number;
    /** Share of each class that is kept for validation. */
    readonly share: number;
    readonly train: number;
    readonly validation: number;
    /** Classes whose only image is learnt from and not asked for. */
    readonly unaskedClasses: number;
  };
  /** Accuracy of always saying the most frequent class of the validation images. */
  readonly chance: number;
  readonly classifier: string;
  readonly weightDecays: readonly number[];
  readonly interval: string;
  /** By falling accuracy. */
  readonly rows: readonly ProbeRow[];
}
