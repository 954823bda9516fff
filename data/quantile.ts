/**
 * A quantile of some numbers, linear between the two nearest of them (NumPy's default, type 7 of Hyndman & Fan 1996).
 *
 * @param sorted ascending, at least one.
 * @param share 0…1.
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return below === above ? below : below + (place - Math.floor(place)) * (above - below);
}
