/** A side, or two, as two: `[height, width]` of images, `[rows, cols]` of grids. */
export const pair = (sides: number | readonly [number, number]): readonly [number, number] =>
  typeof sides === "number" ? [sides, sides] : sides;
