import type { PublishedEncoder } from "./published-encoder.js";

/** Pixels of an image that the published code takes for one step of the input's size. */
const STEP_PX = 256;
/** Patches along the side of such a step. */
const STEP_PATCHES = 16;

/**
 * Side of an encoder's input for images of this side: 16·q patches, q = ⌊R/256⌋ and at least 1; or always the same.
 *
 * @parity iREPA's `224 * (resolution // 256)` and the like, from 256 pixels on; below, the published code has no size at all.
 */
export function inputSide({ patchPx, fixedPx }: PublishedEncoder, imagePx: number): number {
  return fixedPx ?? patchPx * STEP_PATCHES * Math.max(1, Math.floor(imagePx / STEP_PX));
}
