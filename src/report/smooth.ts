/** One value of a curve. */
export interface CurvePoint {
  readonly step: number;
  readonly value: number;
}

/** Share of a curve that its smoothing looks at, where nobody chose another. */
export const USUAL_SMOOTHING = 1 / 15;

/** Points under the window of the smoothed curves, odd; `share` of the curve, 0..1. */
export function smoothingWindow(points: number, share = USUAL_SMOOTHING): number {
  return 2 * Math.floor((points * share) / 2) + 1;
}

/**
 * The least-squares line through the `window` points around each point, taken at that point: inside the curve the centred moving
 * average, near its ends without the average's bias. A straight line stays what it is.
 *
 * @param points at equal distances of steps; the line is fitted over their numbers.
 * @param window odd; all points where there are fewer.
 */
export function smooth(points: readonly CurvePoint[], window: number): CurvePoint[] {
  const count = Math.min(window, points.length);
  return points.map(({ step }, i) => {
    const first = Math.min(Math.max(0, i - (count - 1) / 2), points.length - count);
    const start = Math.floor(first);
    const middle = (count - 1) / 2;
    let mean = 0;
    let slope = 0;
    let spread = 0;
    for (let k = 0; k < count; k++) {
      mean += points[start + k]!.value / count;
      slope += (k - middle) * points[start + k]!.value;
      spread += (k - middle) ** 2;
    }
    return { step, value: spread === 0 ? mean : mean + (slope / spread) * (i - start - middle) };
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
