import type tf from "@tensorflow/tfjs";

/** Tokens per column and per row of an image. */
export type Grid = readonly [rows: number, columns: number];

/** A dense descriptor on a regular grid, as a tensor program. */
export interface Descriptor {
  /** Canonical target string: all that changes the numbers, part of the cache key. */
  readonly name: string;
  /** D: channels of a token. */
  readonly dim: number;
  /** Raised whenever the numbers of the same name change; part of the cache key. */
  readonly version: number;
  /** One line for people. */
  readonly summary: string;
  /**
   * Tokens of a batch of images.
   *
   * @param images [B,H,W,3] float32, RGB in 0…255, the same size for all; static shapes: the program is traced once.
   * @returns [B, rows·columns, D] float32, tokens row-major.
   * @throws {UsageError} an image size or grid that the descriptor does not fit.
   */
  program(images: tf.Tensor4D, grid: Grid): tf.Tensor3D;
}
