import type tf from "@tensorflow/tfjs";
import type { ImageSource } from "../data/image-source.js";
import type { Variants } from "../data/variants.js";
import type { Device } from "../src/compile/compile.js";
import type { PixelPass } from "./pixel-pass.js";

/** What every descriptor says of itself. */
interface DescriptorFacts {
  /** Canonical target string: equal descriptors have equal names. Part of every cache key, and printed in reports. */
  readonly name: string;
  /** D. NaN where only a file tells, before it is loaded. */
  readonly dim: number;
  /** Raised by every change of the values, so that no cache mixes two of them. */
  readonly version: number;
  /** One line about it. */
  readonly summary: string;
  /** How to read a token that is made of orientation histograms; for pictures. */
  readonly histograms?: OrientationHistograms;
  /**
   * Only for descriptors that are in files: the same, with what only the files tell.
   *
   * @param data       what it will describe; absent: any images.
   * @param onDownload told while a file is downloaded.
   * @throws {DataError} a file that cannot be read. @throws {ShapeError} one that does not hold what is wanted.
   */
  readonly load?: (data?: DescribedData, onDownload?: DownloadListener) => Promise<Descriptor>;
  /** Only for descriptors that are in files, loaded: SHA-256 (hex) of the files. Part of every cache key. */
  readonly fingerprint?: string;
  /** Found by the row of an image, and not made of its pixels. */
  readonly isStored?: true;
  /** Runs in a thread of its own: whoever uses it needs none for it. @default false */
  readonly hasOwnThread?: boolean;
  /** Only for encoders with a class token: the same with α·CLS + (1 − α)·token for each token. */
  readonly mixClassToken?: (alpha: number) => Descriptor;
  /**
   * Only for descriptors that must see images before they can be computed, such as `pca64(sift)`: the same descriptor, fitted.
   *
   * @param images [count,H,W,3] RGB, uint8. Read only.
   * @param rows   as of {@link FeatureComputer.compute}.
   */
  readonly fit?: (
    images: Uint8Array,
    count: number,
    options: FeatureComputerOptions,
    rows?: readonly number[],
  ) => Promise<Descriptor>;
}

/** A token of orientation histograms, one a cell: channel = (cell row · cells + cell column) · orientations + bin. */
export interface OrientationHistograms {
  /** Cells a side. */
  readonly cells: number;
  readonly orientations: number;
  /** Bins go round the whole circle (the gradient's direction), or half of it (its line). */
  readonly isSigned: boolean;
  /** Gradient's angle in the middle of the first bin, in degrees from "brighter to the right". */
  readonly firstDeg: number;
  /** Which way the angles of the bins rise, as seen in the picture. */
  readonly isClockwise: boolean;
}

/** Told of a download: bytes there of bytes in all. */
export type DownloadListener = (file: string, doneBytes: number, totalBytes: number) => void;

/** The images that a descriptor is for. */
export interface DescribedData extends Partial<Variants> {
  readonly source: ImageSource;
}

/** A descriptor that is a tensor program: every device can compile it. The first choice. */
export interface ProgramDescriptor extends DescriptorFacts {
  /**
   * Static shapes, no reading of values.
   *
   * @param images [B,H,W,3] float32, RGB, whole numbers 0..255. Read only.
   * @param grid   cells from top to bottom and from left to right.
   * @returns      [B, rows·cols, D] float32.
   * @throws {ShapeError} an image that is too small for the descriptor or does not fit the grid.
   */
  program(images: tf.Tensor4D, grid: Grid): tf.Tensor3D;
  /**
   * Only where it pays: the same program for a processor, whose operators would read and write maps of all pixels again and again.
   * Equal to `program` up to rounding; hard decisions fall alike.
   *
   * @throws as `program`.
   */
  onProcessor?(imageSizePx: readonly [height: number, width: number], grid: Grid): ProcessorProgram;
}

/** A program in two halves. */
export interface ProcessorProgram {
  /** From the bytes of an image. */
  readonly pass: PixelPass;
  /** @param made [B, …pass.shape]. @returns [B, rows·cols, D]. */
  program(made: tf.Tensor): tf.Tensor3D;
}

/** A descriptor that is no tensor program: a library's, or one made of other descriptors. */
export interface OpenedDescriptor extends DescriptorFacts {
  /** Make ready for images of one size. @throws {ShapeError} sizes that it cannot take. */
  open(options: FeatureComputerOptions): Promise<FeatureComputer>;
}

/**
 * A dense image descriptor: one feature vector for each cell of a grid that covers the image.
 *
 * Sizes: B images, H × W pixels, T = rows · cols tokens in row-major order, D channels.
 */
export type Descriptor = ProgramDescriptor | OpenedDescriptor;

export interface FeatureComputerOptions {
  /** Side of the images in pixels, or [height, width]. */
  readonly imageSizePx: number | readonly [height: number, width: number];
  /** Tokens a side, or [rows, cols]. */
  readonly grid: number | Grid;
  /** Images that come at a time. On a GPU they go through a compiled program at once; a processor takes what fits its caches. */
  readonly batch: number;
  /** @default "cpu" */
  readonly device?: Device;
  /** Threads of one operator; 0: all that the process may use. @default 0 */
  readonly threads?: number;
}

/** A descriptor ready for one image size and grid. Calls must not overlap. */
export interface FeatureComputer {
  /** What it has to resize or resample for this image size and grid, in one line, for reports. */
  readonly note?: string;
  /**
   * @param images [count,H,W,3] RGB, uint8. Read only.
   * @param count  any number.
   * @param rows   which images of the data set these are, variant · length + index: only features that were computed elsewhere are
   *   found by it.
   * @returns      [count,T,D] float32, the caller's.
   * @throws {ShapeError} another number of bytes.
   */
  compute(images: Uint8Array, count: number, rows?: readonly number[]): Promise<Float32Array>;
  dispose(): Promise<void>;
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
