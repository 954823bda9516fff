/** One value of a curve. */
export interface CurvePoint {
  readonly step: number;
  readonly value: number;
}

/** Points under the window of the smoothed curves: a fifteenth of the curve, odd. */
export function smoothingWindow(points: number): number {
  return 2 * Math.floor(points / 30) + 1;
}

/**
 * Centred moving average over `window` points; near the ends over the largest window that is still centred, so that a straight
 * line stays what it is.
 *
 * @param window odd.
 */
export function smooth(points: readonly CurvePoint[], window: number): CurvePoint[] {
  const sums = new Float64Array(points.length + 1);
  for (const [i, { value }] of points.entries()) sums[i + 1] = sums[i]! + value;
  return points.map(({ step }, i) => {
    const reach = Math.min((window - 1) / 2, i, points.length - 1 - i);
    return { step, value: (sums[i + reach + 1]! - sums[i - reach]!) / (2 * reach + 1) };
  });
}

/** At most `most` points: means of equal runs of neighbours (the steps too). Short curves come back as they are. */
export function thin(points: readonly CurvePoint[], most: number): CurvePoint[] {
  if (points.length <= most) return [...points];
  return Array.from({ length: most }, (_, bin) => {
    const part = points.slice(Math.floor((bin * points.length) / most), Math.floor(((bin + 1) * points.length) / most));
    const mean = (of: (point: CurvePoint) => number) => part.reduce((sum, point) => sum + of(point), 0) / part.length;
    return { step: mean(({ step }) => step), value: mean(({ value }) => value) };
  });
}

/** The mean of several curves at the steps that all of them have. */
export function meanCurve(curves: readonly (readonly CurvePoint[])[]): CurvePoint[] {
  const [first, ...others] = curves;
  if (first === undefined) return [];
  const lookups = others.map((curve) => new Map(curve.map(({ step, value }) => [step, value])));
  return first.flatMap(({ step, value }) => {
    const values = [value, ...lookups.map((lookup) => lookup.get(step))].filter((one) => one !== undefined);
    if (values.length < curves.length) return [];
    return [{ step, value: values.reduce((sum, one) => sum + one, 0) / values.length }];
  });
}
