/**
 * @file What the generation metrics look through: a network that turns images into features.
 *
 * The Inception network of published FIDs is not part of this project, so every network here is a proxy: its numbers compare the arms
 * of an experiment with each other, and never with a paper.
 */
/** What a network gives for a batch of images. */
export interface NetworkOutput {
  /** [n, dim] */
  readonly features: Float32Array;
  /** [n, classes]; absent where the network is no classifier. */
  readonly probabilities?: Float32Array;
}

export interface FeatureNetwork {
  /** As it was asked for. */
  readonly name: string;
  /** Of everything that the features depend on: definition, weights, preprocessing. */
  readonly sha256: string;
  /** True: its numbers compare arms with each other, not with published FIDs. */
  readonly proxy: boolean;
  /** What happens to an image before the network sees it. */
  readonly resize: string;
  readonly dim: number;
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
  /** Threads of one operator; 0 or absent: all that the process may use. */
  readonly threads?: number;
}
