/** The two samples that a bilinear resize reads for one output: (1 - share) · x[low] + share · x[high]. */
export interface BilinearTap {
  readonly low: number;
  readonly high: number;
  readonly share: number;
}

/**
 * Where a bilinear resize of `from` samples to `to` reads: half-pixel centres, no anti-aliasing, the border repeated.
 *
 * @parity PyTorch `interpolate(mode="bilinear", align_corners=False, antialias=False)`.
 */
export function bilinearTaps(from: number, to: number): BilinearTap[] {
  return Array.from({ length: to }, (_, i) => {
    const position = Math.max(((i + 0.5) * from) / to - 0.5, 0);
    const low = Math.min(Math.floor(position), from - 1);
    return { low, high: Math.min(low + 1, from - 1), share: Math.min(position - low, 1) };
  });
}
