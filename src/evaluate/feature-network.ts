/** @file What the generation metrics look through: a network that turns images into features. */
import type { DownloadListener } from "../../features/descriptor.js";

/** What a network gives for a batch of images. */
export interface NetworkOutput {
  /** [n, dim] */
  readonly features: Float32Array;
  /** [n, spatialDim], from a layer that still has places; absent where the network gives none. */
  readonly spatial?: Float32Array;
  /** [n, classes]; absent where the network is no classifier. */
  readonly probabilities?: Float32Array;
}

export interface FeatureNetwork {
  /** As it was asked for. */
  readonly name: string;
  /** Of everything that the features depend on: definition, weights, preprocessing. */
  readonly sha256: string;
  /**
   * False for one network alone: the Inception of published FIDs, with its own weights and resizing. Numbers of any other compare arms
   * with each other, and are never called FID.
   */
  readonly proxy: boolean;
  /** What happens to an image before the network sees it. */
  readonly resize: string;
  readonly dim: number;
  /** Of `spatial`; absent where there is none. */
  readonly spatialDim?: number;
  /**
   * What the kernel distance with a Gaussian kernel on these features, scaled to unit length, is called: `cmmd` on the encoder of that
   * paper, `gaussian_mmd` on others; absent where it is not measured.
   */
  readonly gaussianMmd?: "cmmd" | "gaussian_mmd";
  /** Where the network, or the idea to use it, comes from. */
  readonly cite: string;
  /**
   * Features of a set of images, in the network's own batches; neighbours change nothing but rounding.
   *
   * @param images [count, size, size, 3] uint8 RGB.
   * @param onProgress called with the number of images done.
   */
  features(
    images: Uint8Array,
    count: number,
    size: number,
    onProgress?: (done: number) => void,
  ): Promise<NetworkOutput>;
  dispose(): Promise<void>;
}

export interface NetworkOptions {
  /** Told of files that are downloaded. */
  readonly onDownload?: DownloadListener;
  /** Threads of one operator; 0 or absent: all that the process may use. */
  readonly threads?: number;
}
