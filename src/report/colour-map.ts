import { scheme } from "vega";

/**
 * 256 colours of the perceptually uniform map `viridis`, dark blue to yellow: readable with any colour vision and in grey.
 *
 * @returns [256,3] uint8 RGB, row-major.
 * @source matplotlib's viridis, as Vega ships it.
 */
export function viridis(): Uint8Array {
  const colourAt = scheme("viridis") as unknown as (share: number) => string;
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) table.set(parseRgb(colourAt(i / 255)), i * 3);
  return table;
}

function parseRgb(text: string): number[] {
  const found = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(text);
  if (found === null) throw new Error(`viridis: want rgb(r, g, b), got ${text}`);
  return found.slice(1).map(Number);
}

/**
 * Values → colours of a table.
 *
 * @param range values at the first and the last colour; values outside are shown as the nearest.
 * @returns [values,3] uint8 RGB.
 */
export function colourValues(
  values: ArrayLike<number>,
  range: readonly [number, number],
  table: Uint8Array,
): Uint8Array {
  const [low, high] = range;
  const last = table.length / 3 - 1;
  const colours = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) {
    const share = high > low ? (values[i]! - low) / (high - low) : 0.5;
    const row = Math.round(Math.min(1, Math.max(0, share)) * last);
    colours.set(table.subarray(row * 3, row * 3 + 3), i * 3);
  }
  return colours;
}
