/** @file What every data set looks like from outside. */
import type { ImageVariant } from "./variants.js";

export interface ImageSource {
  /** The specification that it was opened with, such as "photos" or "imagefolder:DIR". */
  readonly name: string;
  readonly classes: readonly string[];
  readonly length: number;
  /** SHA-256 (hex) of everything that changes the pixels: ids, labels, contents, crops. Part of every cache key. */
  readonly fingerprint: string;
  /** Files left out because they cannot be decoded; empty unless `skipBad` was asked for. */
  readonly skipped: readonly string[];
  id(index: number): string;
  /** Position in `classes`. */
  label(index: number): number;
  /**
   * The image as [sizePx, sizePx, 3] RGB, uint8, row-major: its centre crop, or the variant asked for. The bytes are the caller's.
   *
   * @throws {DataError} a file that cannot be read or decoded, by name.
   */
  load(index: number, sizePx: number, variant?: ImageVariant): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** How many images; the default is all (900 of `photos`). From folders and shards, the first of a shuffled order. */
  readonly count?: number;
  /** Of crops and of the shuffled order. @default 0 */
  readonly seed?: number;
  /** Decode once what is taken, and leave out what cannot be decoded. @default false */
  readonly skipBad?: boolean;
  /** Folder where digests of files are remembered, so that the next opening reads only those that changed. Absent: all are read. */
  readonly digests?: string;
  /** Called while the contents are read for the fingerprint, with the number of images that are done and of all. */
  onOpening?(done: number, total: number): void;
}
