import ndarray from "ndarray";
import ops from "ndarray-ops";

/** A mirrored copy, left to right, of an RGB image of [size, size, 3]. */
export function flipHorizontally(image: Uint8Array, sizePx: number): Uint8Array {
  const flipped = new Uint8Array(image.length);
  const shape = [sizePx, sizePx, 3];
  ops.assign(ndarray(flipped, shape), ndarray(image, shape).step(1, -1, 1));
  return flipped;
}
