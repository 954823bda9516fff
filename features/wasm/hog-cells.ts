/**
 * @file AssemblyScript. HOG's cells from the bytes of an image, in one pass: gray levels, central differences, magnitudes, hard
 * orientation bins, and their sums over cells. The same numbers as `cellBins` of `hog-tokens.ts`, in the same order of operations
 * up to the bin: a pixel between two bins falls to the same side in both. Sums differ by rounding.
 */

/** Beyond every cotangent between the borders of bins. */
const FAR: f32 = 1e30;

/**
 * @param image        [height,width,3] uint8; 16 bytes behind it are read too.
 * @param cells        [rows,cols,orientations] float32: means of the magnitudes of a cell's pixels in each bin.
 * @param work         (height + 2) · (4 ⌈width / 4⌉ + 4) floats.
 * @param cellRows     [rows] int32: which rows of cells, counted in cells.
 * @param cellCols     [cols] int32.
 * @param cellPx       side of a cell.
 * @param borders      [orientations] float32: cotangents of the borders of bins, falling; the first is never read.
 * @param takesRoots   not 0: square roots of the gray levels.
 */
export function hogCells(
  image: usize,
  cells: usize,
  work: usize,
  height: i32,
  width: i32,
  cellRows: usize,
  rows: i32,
  cellCols: usize,
  cols: i32,
  cellPx: i32,
  borders: usize,
  orientations: i32,
  takesRoots: i32,
): void {
  // A line: a pixel, mirrored, on either side, and what is left of the last four.
  const line = (((width + 3) & ~3) + 4) << 2;
  for (let y = 0; y < height; y++) grayLine(image + y * width * 3, work + y * line, width, takesRoots);
  const magnitudes = work + height * line;
  const bins = magnitudes + line;
  const cellBytes = orientations << 2;
  memory.fill(cells, 0, rows * cols * cellBytes);
  for (let row = 0; row < rows; row++) {
    const histograms = cells + row * cols * cellBytes;
    for (let i = 0; i < cellPx; i++) {
      const y = load<i32>(cellRows + (row << 2)) * cellPx + i;
      const here = work + y * line;
      // No difference on the border.
      const reach = y === 0 || y === height - 1 ? 0 : line;
      voteLine(here, here - reach, here + reach, magnitudes, bins, width, borders, orientations);
      // Neighbouring cells one after the other: an addition does not wait for the one before it.
      for (let j = 0; j < cellPx; j++) {
        let histogram = histograms;
        for (let col = 0; col < cols; col++) {
          const pixel: usize = (load<i32>(cellCols + (col << 2)) * cellPx + j) << 2;
          const sum = histogram + load<u32>(bins + pixel);
          store<f32>(sum, load<f32>(sum) + load<f32>(magnitudes + pixel));
          histogram += cellBytes;
        }
      }
    }
  }
  const share = f32(1) / f32(cellPx * cellPx);
  const end = cells + rows * cols * cellBytes;
  for (let sum = cells; sum < end; sum += 4) store<f32>(sum, load<f32>(sum) * share);
}

/** Luma 0..1 of a line of pixels, as `luma` in `gray.ts`, and a mirrored pixel before and behind it. */
function grayLine(pixels: usize, gray: usize, width: i32, takesRoots: i32): void {
  const zero = i32x4.splat(0);
  for (let x = 0; x < width; x += 4) {
    const bytes = v128.load(pixels + x * 3);
    const red = i8x16.shuffle(bytes, zero, 0, 16, 16, 16, 3, 16, 16, 16, 6, 16, 16, 16, 9, 16, 16, 16);
    const green = i8x16.shuffle(bytes, zero, 1, 16, 16, 16, 4, 16, 16, 16, 7, 16, 16, 16, 10, 16, 16, 16);
    const blue = i8x16.shuffle(bytes, zero, 2, 16, 16, 16, 5, 16, 16, 16, 8, 16, 16, 16, 11, 16, 16, 16);
    const sum = f32x4.add(
      f32x4.add(
        f32x4.mul(f32x4.convert_i32x4_s(red), f32x4.splat(0.2126)),
        f32x4.mul(f32x4.convert_i32x4_s(green), f32x4.splat(0.7152)),
      ),
      f32x4.mul(f32x4.convert_i32x4_s(blue), f32x4.splat(0.0722)),
    );
    const level = f32x4.pmin(f32x4.div(sum, f32x4.splat(255)), f32x4.splat(1));
    v128.store(gray + (x << 2), takesRoots ? f32x4.sqrt(level) : level, 4);
  }
  // The neighbours of the outermost pixels on their other side: no difference there.
  const last = gray + (width << 2);
  store<f32>(gray, load<f32>(gray + 4 * (width > 1 ? 2 : 1)));
  store<f32>(last + 4, load<f32>(width > 1 ? last - 4 : last));
}

/** Of each pixel of a line the length of its gradient, and the place of its bin in a histogram, in bytes. */
function voteLine(
  here: usize,
  above: usize,
  below: usize,
  magnitudes: usize,
  bins: usize,
  width: i32,
  borders: usize,
  orientations: i32,
): void {
  const end = borders + (orientations << 2);
  for (let x = 0; x < width; x += 4) {
    const at: usize = x << 2;
    const across = f32x4.sub(v128.load(here + at, 8), v128.load(here + at));
    const down = f32x4.sub(v128.load(below + at, 4), v128.load(above + at, 4));
    const length = f32x4.sqrt(f32x4.add(f32x4.mul(across, across), f32x4.mul(down, down)));
    // Angle 0 has an infinite cotangent, whichever way it points.
    const isLevel = f32x4.eq(down, f32x4.splat(0));
    const cotangent = v128.bitselect(f32x4.splat(FAR), f32x4.div(across, down), isLevel);
    let bin = i32x4.splat(0);
    for (let border = borders + 4; border < end; border += 4) {
      bin = i32x4.sub(bin, f32x4.le(cotangent, v128.load32_splat(border)));
    }
    v128.store(magnitudes + at, length);
    v128.store(bins + at, i32x4.shl(bin, 2));
  }
}
