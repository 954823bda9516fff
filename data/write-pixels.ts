/** @file From a network's range to 8-bit pixels. */

export const PIXEL_RANGES = ["-1..1", "0..1"] as const;
/** What black and white are to a network. */
export type PixelRange = (typeof PIXEL_RANGES)[number];

/**
 * [C,H,W] values between black and white to [H,W,C] uint8: 255·u, u being the share of white, clamped to 0…255, then
 * **truncated**, as the evaluation protocol of REPA and iREPA does.
 *
 * @param x one sample, C·H·W values.
 * @param out where to write, H·W·C bytes; the caller's.
 * @param range of the values. @default "-1..1"
 */
export function writePixels(
  x: ArrayLike<number>,
  channels: number,
  out: Uint8Array,
  range: PixelRange = "-1..1",
): void {
  const area = x.length / channels;
  const [black, span] = range === "-1..1" ? [-1, 2] : [0, 1];
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < area; p++) {
      out[p * channels + c] = Math.trunc(Math.min(255, Math.max(0, (255 * (x[c * area + p]! - black)) / span)));
    }
  }
}
