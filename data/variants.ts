/**
 * @file Variants of an image that are cached beside each other, so that augmentation survives caching. What is cached of one image
 * is cached of all: row = variant · length + index, in images, latents and features alike.
 *
 * Variant 0 is the centre crop. With flips, variant 1 is its mirror image. All others are random crops, with flips mirrored or not
 * by a coin; each is drawn by (seed, image, variant) alone.
 */

import { randomStream } from "./random.js";
import type { CropPlace } from "./random-crop.js";

/** Which variants there are. */
export interface Variants {
  /** Mirror images too. */
  readonly flips: boolean;
  /** K, of each image: 1 or more, with flips 2 or more. Absent or null: the fewest. */
  readonly variants?: number | null;
  /** Of the random crops. @default 0 */
  readonly seed?: number;
}

/** Which version of an image, as `ImageSource.load` wants it. */
export interface ImageVariant {
  /** Mirrored left to right, after the crop. @default false */
  readonly flip?: boolean;
  /** @default the centre crop */
  readonly crop?: CropPlace;
}

/** K: how many variants of each image there are. */
export const variantCount = ({ flips, variants }: Pick<Variants, "flips" | "variants">): number =>
  variants ?? (flips ? 2 : 1);

/** Whether some variants are random crops. */
export const hasCrops = (of: Pick<Variants, "flips" | "variants">): boolean => variantCount(of) > (of.flips ? 2 : 1);

/** The image of a row and how it is varied. */
export function variantOf(
  row: number,
  length: number,
  { flips, seed = 0 }: Pick<Variants, "flips" | "seed">,
): { index: number; variant: ImageVariant } {
  const index = row % length;
  const number = Math.floor(row / length);
  if (number === 0) return { index, variant: {} };
  if (flips && number === 1) return { index, variant: { flip: true } };
  const [size, top, left, coin] = randomStream(seed, `data/variant/${number}`, index).uniform(4);
  return { index, variant: { crop: [size!, top!, left!], flip: flips && coin! < 0.5 } };
}
