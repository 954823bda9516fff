/** @file From the model's range to 8-bit pixels. */

/**
 * [C,H,W] values, −1 being black and 1 white, to [H,W,C] uint8: 255·(x+1)/2, clamped to 0…255, then **truncated**, as the
 * evaluation protocol of REPA and iREPA does.
 *
 * @param x one sample, C·H·W values.
 * @param out where to write, H·W·C bytes; the caller's.
 */
export function writePixels(x: ArrayLike<number>, channels: number, out: Uint8Array): void {
  const area = x.length / channels;
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < area; p++) {
      out[p * channels + c] = Math.trunc(Math.min(255, Math.max(0, (255 * (x[c * area + p]! + 1)) / 2)));
    }
  }
}
