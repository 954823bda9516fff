import type { Grid } from "./descriptor.js";

/**
 * A stand-in for a foreground mask where there is none: the tokens within 3/8 of the grid's side (6 of 16) of its centre.
 *
 * @returns [rows·columns], 1 inside and on the rim, 0 outside.
 */
export function centreDisc([rows, columns]: Grid): Uint8Array {
  const radius = (Math.min(rows, columns) * 3) / 8;
  const [centreRow, centreColumn] = [(rows - 1) / 2, (columns - 1) / 2];
  return Uint8Array.from({ length: rows * columns }, (_, t) => {
    const row = Math.floor(t / columns) - centreRow;
    const column = (t % columns) - centreColumn;
    return row ** 2 + column ** 2 <= radius ** 2 ? 1 : 0;
  });
}
