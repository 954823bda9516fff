/**
 * @file AssemblyScript. What dense SIFT pools, from the bytes of an image in one pass: gray levels, blur, gradient, a map of
 * votes for each orientation, and a first step of pooling along the lines. The same as `openCvGray`, `firstBlur` and the hats that
 * `orientation-votes.ts` takes apart, up to rounding.
 */

/** Taps of the blur on either side of its middle. */
const REACH: i32 = 6;
/** Far below any gradient of 8-bit images. */
const TINY: f32 = 1e-30;

/**
 * Columns are packed: of each `packPx` neighbouring pixels, of which the first lies `lead` px left of the image, four sums
 * with weights are kept.
 *
 * @param image        [height,width,3] uint8, 3 × 3 px or more; 16 bytes behind it are read too.
 * @param votes        [orientations, height - 2, packs, 4] float32: votes of the pixels of all lines but the first and the last.
 * @param work         (2 · height + 17) · (4 ⌈width / 4⌉ + 20) floats, 0 before the first call.
 * @param taps         [7] float32: the middle of the blur, and one side of it.
 * @param orientations of the full circle, counter-clockwise.
 * @param shift        where the first lies, in orientations from the direction to the right.
 * @param weights      [packs · packPx, 4] float32, 0 for pixels that are none; packs · packPx ≤ width + 15.
 */
export function siftVotes(
  image: usize,
  votes: usize,
  work: usize,
  height: i32,
  width: i32,
  taps: usize,
  orientations: i32,
  shift: f32,
  lead: i32,
  packs: i32,
  packPx: i32,
  weights: usize,
): void {
  const line = (((width + 3) & ~3) + 20) << 2;
  const gray = work;
  // Mirrored lines above and below the image, as far as the blur reaches.
  const across = gray + line * (1 + REACH);
  const blurred = across + line * (height + REACH);
  const shares = blurred + line * height;
  const maps = shares + line * 2;
  for (let y = 0; y < height; y++) {
    grayLine(image + y * width * 3, gray, width);
    blurLine(gray + (REACH << 2), 4, across + y * line, width, taps);
  }
  for (let y = 1; y <= REACH; y++) {
    memory.copy(across - y * line, across + mirrored(-y, height) * line, line);
    memory.copy(across + (height - 1 + y) * line, across + mirrored(height - 1 + y, height) * line, line);
  }
  // One float in: every pixel has a left neighbour, of no meaning for the first.
  for (let y = 0; y < height; y++) blurLine(across + y * line, line, blurred + y * line + 4, width, taps);
  const packedBytes = packs << 4;
  const mapBytes = (height - 2) * packedBytes;
  memory.fill(votes, 0, orientations * mapBytes);
  const first = lead << 2;
  for (let y = 1; y < height - 1; y++) {
    shareLine(blurred + y * line, line, shares + first, maps + first, width, mapBytes, orientations, shift);
    packLine(shares, maps, line, votes + (y - 1) * packedBytes, packs, packPx, weights);
  }
}

/** OpenCV's gray levels of a line of pixels, from float {@link REACH} on, and mirrored pixels on either side. */
function grayLine(pixels: usize, gray: usize, width: i32): void {
  const one = i32x4.splat(1);
  const redGreen = i16x8(9798, 19235, 9798, 19235, 9798, 19235, 9798, 19235);
  const blueOne = i16x8(3735, 16384, 3735, 16384, 3735, 16384, 3735, 16384);
  const first = gray + (REACH << 2);
  for (let x = 0; x < width; x += 4) {
    const bytes = v128.load(pixels + x * 3);
    // Pairs of 16 bits: (red, green) and (blue, 1).
    const a = i8x16.shuffle(bytes, one, 0, 17, 1, 17, 3, 17, 4, 17, 6, 17, 7, 17, 9, 17, 10, 17);
    const b = i8x16.shuffle(bytes, one, 2, 17, 16, 17, 5, 17, 16, 17, 8, 17, 16, 17, 11, 17, 16, 17);
    const sum = i32x4.add(i32x4.dot_i16x8_s(a, redGreen), i32x4.dot_i16x8_s(b, blueOne));
    v128.store(first + (x << 2), f32x4.convert_i32x4_s(i32x4.shr_s(sum, 15)));
  }
  for (let x = 1; x <= REACH; x++) {
    store<f32>(first - (x << 2), load<f32>(first + (mirrored(-x, width) << 2)));
    const behind = width - 1 + x;
    store<f32>(first + (behind << 2), load<f32>(first + (mirrored(behind, width) << 2)));
  }
}

/** The pixel of a line that position i shows, if the line goes on mirrored for ever: `mirrored` in `line-filter.ts`. */
function mirrored(i: i32, size: i32): i32 {
  const period = 2 * (size - 1);
  const folded = ((i % period) + period) % period;
  return folded < size ? folded : period - folded;
}

/** The symmetric filter of 13 taps on a line, along it (`step` 4 bytes) or across lines. */
function blurLine(source: usize, step: i32, target: usize, width: i32, taps: usize): void {
  const t0 = v128.load32_splat(taps);
  const t1 = v128.load32_splat(taps, 4);
  const t2 = v128.load32_splat(taps, 8);
  const t3 = v128.load32_splat(taps, 12);
  const t4 = v128.load32_splat(taps, 16);
  const t5 = v128.load32_splat(taps, 20);
  const t6 = v128.load32_splat(taps, 24);
  const end = source + (width << 2);
  for (; source < end; source += 16) {
    let before = source - step;
    let behind = source + step;
    let sum = f32x4.mul(t0, v128.load(source));
    sum = f32x4.add(sum, f32x4.mul(t1, f32x4.add(v128.load(before), v128.load(behind))));
    before -= step;
    behind += step;
    sum = f32x4.add(sum, f32x4.mul(t2, f32x4.add(v128.load(before), v128.load(behind))));
    before -= step;
    behind += step;
    sum = f32x4.add(sum, f32x4.mul(t3, f32x4.add(v128.load(before), v128.load(behind))));
    before -= step;
    behind += step;
    sum = f32x4.add(sum, f32x4.mul(t4, f32x4.add(v128.load(before), v128.load(behind))));
    before -= step;
    behind += step;
    sum = f32x4.add(sum, f32x4.mul(t5, f32x4.add(v128.load(before), v128.load(behind))));
    before -= step;
    behind += step;
    sum = f32x4.add(sum, f32x4.mul(t6, f32x4.add(v128.load(before), v128.load(behind))));
    v128.store(target, sum);
    target += 16;
  }
}

/**
 * Gradients of a line of pixels, from float 1 on, with a line before and behind it: each length shared by the two orientations that
 * are nearest to its angle.
 *
 * @param shares [2,line] float32: of the orientation below the angle, and of the one above it.
 * @param maps   [2,line] int32: where the maps of these are, in bytes from the first.
 */
function shareLine(
  here: usize,
  line: i32,
  shares: usize,
  maps: usize,
  width: i32,
  mapBytes: i32,
  orientations: i32,
  shift: f32,
): void {
  const zero = f32x4.splat(0);
  const count = i32x4.splat(orientations);
  const circle = f32x4.splat(f32(orientations));
  const halfCircle = f32x4.splat(f32(orientations) / 2);
  // Half an angle of one orientation, in radians.
  const perHalf = f32x4.splat(f32(orientations) / f32(Math.PI));
  const rounds = f32x4.splat(f32(1) / f32(orientations));
  const moved = f32x4.splat(shift);
  const bytes = i32x4.splat(mapBytes);
  const end = here + (width << 2);
  for (; here < end; here += 16) {
    const dx = f32x4.sub(v128.load(here, 8), v128.load(here));
    const dy = f32x4.sub(v128.load(here - line, 4), v128.load(here + line, 4));
    const length = f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy)));
    // The tangent of half the angle in the right half plane, of which the left is the mirror image.
    const tangent = f32x4.div(dy, f32x4.add(f32x4.add(length, f32x4.abs(dx)), f32x4.splat(TINY)));
    const angle = f32x4.mul(arcTangent(tangent), perHalf);
    const either = v128.bitselect(f32x4.sub(halfCircle, angle), angle, f32x4.lt(dx, zero));
    const open = f32x4.sub(either, moved);
    const turned = f32x4.sub(open, f32x4.mul(circle, f32x4.floor(f32x4.mul(open, rounds))));
    // 0..orientations; by rounding a little below, or just that.
    const position = f32x4.pmax(zero, turned);
    const floor = f32x4.floor(position);
    const above = f32x4.mul(length, f32x4.sub(position, floor));
    v128.store(shares, f32x4.sub(length, above));
    v128.store(shares + line, above);
    // A float of 2²³ and more holds a whole number in its last bits.
    const whole = v128.and(f32x4.add(floor, f32x4.splat(8388608)), i32x4.splat(0x7fffff));
    const lower = v128.andnot(whole, i32x4.eq(whole, count));
    const next = i32x4.add(lower, i32x4.splat(1));
    const upper = v128.andnot(next, i32x4.eq(next, count));
    v128.store(maps, i32x4.mul(lower, bytes));
    v128.store(maps + line, i32x4.mul(upper, bytes));
    shares += 16;
    maps += 16;
  }
}

/**
 * Add the shares of a line's pixels to their maps, each with its four weights. Neighbouring packs one after the other, so that no
 * addition waits for the one before it.
 */
function packLine(shares: usize, maps: usize, line: i32, votes: usize, packs: i32, packPx: i32, weights: usize): void {
  const step = packPx << 2;
  const end = votes + (packs << 4);
  for (let i = 0; i < packPx; i++) {
    let pixel: usize = i << 2;
    for (let pack = votes; pack < end; pack += 16) {
      const four = v128.load(weights + (pixel << 2));
      const lower = pack + load<u32>(maps + pixel);
      const below = f32x4.mul(four, v128.load32_splat(shares + pixel));
      v128.store(lower, f32x4.add(v128.load(lower), below));
      const upper = pack + load<u32>(maps + line + pixel);
      const above = f32x4.mul(four, v128.load32_splat(shares + line + pixel));
      v128.store(upper, f32x4.add(v128.load(upper), above));
      pixel += step;
    }
  }
}

/** Of -1..1, to 2e-8: Abramowitz & Stegun, "Handbook of Mathematical Functions", 4.4.49. */
function arcTangent(x: v128): v128 {
  const x2 = f32x4.mul(x, x);
  const x4 = f32x4.mul(x2, x2);
  const x8 = f32x4.mul(x4, x4);
  const a = f32x4.add(f32x4.splat(1), f32x4.mul(f32x4.splat(-0.3333314528), x2));
  const b = f32x4.add(f32x4.splat(0.1999355085), f32x4.mul(f32x4.splat(-0.1420889944), x2));
  const c = f32x4.add(f32x4.splat(0.1065626393), f32x4.mul(f32x4.splat(-0.07528964), x2));
  const d = f32x4.add(f32x4.splat(0.0429096138), f32x4.mul(f32x4.splat(-0.0161657367), x2));
  const high = f32x4.add(f32x4.add(c, f32x4.mul(d, x4)), f32x4.mul(f32x4.splat(0.0028662257), x8));
  return f32x4.mul(x, f32x4.add(f32x4.add(a, f32x4.mul(b, x4)), f32x4.mul(high, x8)));
}
