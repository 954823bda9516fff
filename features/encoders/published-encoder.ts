import type { Rgb } from "../onnx/preprocessing.js";
import type { Interpolation } from "../resize-images.js";

/** What a network sees of pixels: (x/255 − mean) / std. */
export interface Statistics {
  readonly mean: Rgb;
  readonly std: Rgb;
}

/** An ONNX export on the Hugging Face hub. */
export interface HubExport {
  readonly repo: string;
  readonly path: string;
  /**
   * The commit and SHA-256 of the file, where independent public projects have recorded the same ones. Without them the first use takes
   * what is the latest by then and writes it down; later uses refuse anything else.
   */
  readonly pinned?: { readonly revision: string; readonly sha256: string };
}

/** An encoder of the literature, as the training code of REPA and iREPA uses it. */
export interface PublishedEncoder {
  /** `TYPE-vit-CONFIG`, the name that iREPA's code gives it. */
  readonly name: string;
  /** Model and weights, in a few words. */
  readonly title: string;
  readonly dim: number;
  /** Pixels of a token along its side. */
  readonly patchPx: number;
  /** Side of the input whatever the images are; absent: 16 patches for each 256 pixels. */
  readonly fixedPx?: number;
  readonly interpolation: Interpolation;
  readonly statistics: Statistics;
  /** The statistics that the weights were trained with, where the published code takes others. */
  readonly ownStatistics?: Statistics;
  /** Tensor of the ONNX file: tokens [n,T,D] or a map [n,D,H,W]. */
  readonly output: string;
  /** Tokens at its beginning that are no patches: the class token first, then registers. */
  readonly prefix: number;
  /** What is special, in a few words. */
  readonly remark?: string;
  /** Absent: nobody has published one whose output this is. */
  readonly hub?: HubExport;
  /** What `export_encoder.py` needs besides torch and onnxscript. */
  readonly python: string;
}
