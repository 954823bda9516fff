/** A mirrored copy, left to right, of an RGB image of [size, size, 3]. */
export function flipHorizontally(image: Uint8Array, sizePx: number): Uint8Array {
  const flipped = new Uint8Array(image.length);
  for (let row = 0; row < sizePx; row++) {
    for (let column = 0; column < sizePx; column++) {
      const from = (row * sizePx + column) * 3;
      const to = (row * sizePx + sizePx - 1 - column) * 3;
      flipped[to] = image[from]!;
      flipped[to + 1] = image[from + 1]!;
      flipped[to + 2] = image[from + 2]!;
    }
  }
  return flipped;
}
