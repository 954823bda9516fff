/** Pixels that an autoencoder works on at once: four images of 256². Its widest layers hold hundreds of numbers for each of them. */
const PIXELS_AT_ONCE = 4 * 256 ** 2;

/** Images at once, so that memory is bounded whatever their size. */
export const imagesAtOnce = (sizePx: number): number =>
  Math.max(1, Math.min(64, Math.floor(PIXELS_AT_ONCE / sizePx ** 2)));
