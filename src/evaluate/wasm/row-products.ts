/**
 * @file AssemblyScript. Inner products of two blocks of vectors in float64, two at a time.
 * Each is summed over the channels in order, so its bits do not depend on where in a block its vectors stand.
 */

/** Channels at a time: what a block of right vectors has of them stays in the second cache. */
const CHUNK: i32 = 128;

/**
 * @param left   [rows, dim] float64; rows in whole fours.
 * @param right  [columns / 4, dim, 4] float64: four vectors side by side.
 * @param values [rows, width] float64, overwritten; `width` is at least the columns.
 */
export function rowProducts(
  left: usize,
  right: usize,
  values: usize,
  rows: i32,
  columns: i32,
  dim: i32,
  width: i32,
): void {
  for (let start = 0; start < dim; start += CHUNK) {
    const channels = min(CHUNK, dim - start);
    for (let i = 0; i < rows; i += 4) {
      for (let j = 0; j < columns; j += 4) {
        tile(
          left + ((i * dim + start) << 3),
          right + ((j * dim + (start << 2)) << 3),
          values + ((i * width + j) << 3),
          channels,
          dim << 3,
          width << 3,
          start === 0,
        );
      }
    }
  }
}

/** Adds the products of four by four vectors to what is there. */
function tile(
  left: usize,
  right: usize,
  values: usize,
  channels: i32,
  leftBytes: usize,
  valueBytes: usize,
  isFirst: bool,
): void {
  const left1 = left + leftBytes;
  const left2 = left1 + leftBytes;
  const left3 = left2 + leftBytes;
  const values1 = values + valueBytes;
  const values2 = values1 + valueBytes;
  const values3 = values2 + valueBytes;
  let s0 = f64x2.splat(0);
  let t0 = s0;
  let s1 = s0;
  let t1 = s0;
  let s2 = s0;
  let t2 = s0;
  let s3 = s0;
  let t3 = s0;
  if (!isFirst) {
    s0 = v128.load(values);
    t0 = v128.load(values, 16);
    s1 = v128.load(values1);
    t1 = v128.load(values1, 16);
    s2 = v128.load(values2);
    t2 = v128.load(values2, 16);
    s3 = v128.load(values3);
    t3 = v128.load(values3, 16);
  }
  for (let at: usize = 0, end = usize(channels) << 3; at < end; at += 8) {
    const y = v128.load(right + (at << 2));
    const z = v128.load(right + (at << 2), 16);
    const x0 = v128.load64_splat(left + at);
    s0 = f64x2.add(s0, f64x2.mul(x0, y));
    t0 = f64x2.add(t0, f64x2.mul(x0, z));
    const x1 = v128.load64_splat(left1 + at);
    s1 = f64x2.add(s1, f64x2.mul(x1, y));
    t1 = f64x2.add(t1, f64x2.mul(x1, z));
    const x2 = v128.load64_splat(left2 + at);
    s2 = f64x2.add(s2, f64x2.mul(x2, y));
    t2 = f64x2.add(t2, f64x2.mul(x2, z));
    const x3 = v128.load64_splat(left3 + at);
    s3 = f64x2.add(s3, f64x2.mul(x3, y));
    t3 = f64x2.add(t3, f64x2.mul(x3, z));
  }
  v128.store(values, s0);
  v128.store(values, t0, 16);
  v128.store(values1, s1);
  v128.store(values1, t1, 16);
  v128.store(values2, s2);
  v128.store(values2, t2, 16);
  v128.store(values3, s3);
  v128.store(values3, t3, 16);
}
