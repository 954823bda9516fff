/** @file `alignment.json`: how the layers of a run's models agree with its targets, with everything that it depends on. */

/** What the model is told of the images' classes: nothing (the null class), or their own. */
export type ToldLabels = "null" | "own";

/** The variant of CKNNA, see `cknna.ts`. */
export type CknnaVariant = "code" | "paper";

export interface AlignmentRecord {
  readonly format: "descry-alignment-1";
  readonly experiment: string;
  readonly hash: string;
  readonly source: string;
  readonly images: number;
  /** k */
  readonly neighbours: number;
  /** Of the noise, 0 data … 1 noise. */
  readonly time: number;
  readonly path: string;
  readonly labels: ToldLabels;
  readonly weights: string;
  /** Of the choice of images and of the noise. */
  readonly seed: number;
  readonly targets: readonly string[];
  readonly arms: readonly AlignedArm[];
}

export interface AlignedArm {
  readonly name: string;
  /** Null for a control. */
  readonly target: string | null;
  /** 1-based block that it was aligned at; null for a control. */
  readonly alignedBlock: number | null;
  /** Training steps of its weights. */
  readonly step: number;
  readonly blocks: readonly {
    /** 1-based. */
    readonly block: number;
    /** In the order of `targets`; null: a representation that is the same for all images. */
    readonly cknna: readonly { readonly target: string; readonly code: number | null; readonly paper: number | null }[];
  }[];
}
