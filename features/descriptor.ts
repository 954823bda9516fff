import type tf from "@tensorflow/tfjs";

/**
 * A dense image descriptor: one feature vector for each cell of a grid that covers the image.
 *
 * Sizes: B images, H × W pixels, T = rows · cols tokens in row-major order, D channels.
 */
export interface Descriptor {
  /** Canonical target string: equal descriptors have equal names. Part of every cache key, and printed in reports. */
  readonly name: string;
  /** D. */
  readonly dim: number;
  /** Raised by every change of the values, so that no cache mixes two of them. */
  readonly version: number;
  /** One line about it. */
  readonly summary: string;
  /**
   * The descriptor as a tensor program that every device can compile: static shapes, no reading of values.
   *
   * @param images [B,H,W,3] float32, RGB, whole numbers 0..255. Read only.
   * @param grid   cells from top to bottom and from left to right.
   * @returns      [B, rows·cols, D] float32.
   * @throws {ShapeError} an image that is too small for the descriptor or does not fit the grid.
   */
  program(images: tf.Tensor4D, grid: Grid): tf.Tensor3D;
}

/** Cells from top to bottom and from left to right. */
export type Grid = readonly [rows: number, cols: number];

/** A kind of descriptor, with the options that a target string can set after a colon. */
export interface DescriptorFamily {
  /** What the target string starts with. */
  readonly name: string;
  /** How its target strings look, for listings; the first is the default. */
  readonly targets: readonly { readonly pattern: string; readonly summary: string; readonly dim: string }[];
  /**
   * @param options what stands after the colon of the target string; undefined without a colon.
   * @throws {UsageError} options that it does not know: says which, and what it knows.
   */
  parse(options: string | undefined): Descriptor;
}
