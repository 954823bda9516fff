/**
 * @file Local self-similarity. Owns the target strings `selfsim[:OPTIONS]`.
 *
 * Shechtman & Irani, "Matching local self-similarities across images and videos", CVPR 2007: a small patch around the cell's centre
 * is compared with the patches around each pixel within some radius, similarity = exp(-SSD / max(noise, auto)), where `auto` is the
 * largest SSD between the patch and its neighbours one pixel away; the largest similarity of each bin of a log-polar grid is kept,
 * and the token is stretched to 0..1.
 */
import ndarray from "ndarray";
import { checkCells } from "./cells.js";
import type { DescriptorFamily, FeatureComputerOptions, OpenedDescriptor } from "./descriptor.js";
import { mirrored } from "./line-filter.js";
import { readOptions, wholeNumber } from "./option-table.js";
import { pair } from "./pair.js";
import { splitImages } from "./split-images.js";

const OPTIONS = {
  radius: wholeNumber(40, 4, 128),
  angles: wholeNumber(20, 1, 64),
  rings: wholeNumber(4, 1, 16),
} as const;

interface LogPolarGrid {
  /** Pixels around the centre that are compared. */
  readonly radius: number;
  readonly angles: number;
  readonly rings: number;
}

/** The paper's patches of 5 × 5. */
const PATCH_REACH_PX = 2;
const PATCH_SIDE_PX = 2 * PATCH_REACH_PX + 1;
/** SSD that noise may cause: two gray levels and a half of noise in each of the 75 values, 75 · 2 · 2.45². */
const NOISE_SSD = 900;

/**
 * @returns a descriptor of angles · rings similarities 0..1: angle · rings + ring, angles counter-clockwise from the right (sector k
 *   is centred at 360° · k / angles), rings from the inside to the outside. Ring borders are radius^(ring / rings), so they grow by
 *   the same factor; the first begins at one pixel. A token whose similarities are all equal is zero.
 * @parity the paper compares L*a*b* colours and does not give the noise; RGB 0..255 here. Beyond the image's border its pixels are
 *   mirrored, without repeating the last one. The centre is rounded to a whole pixel, a half downwards.
 */
function selfSimilarity(name: string, layout: LogPolarGrid): OpenedDescriptor {
  const dim = layout.angles * layout.rings;
  return {
    name,
    dim,
    version: 1,
    summary: `local self-similarity of 5 × 5 patches within ${layout.radius} px: ${layout.angles} angles × ${layout.rings} rings`,
    async open(options) {
      checkCells(name, [1, ...pair(options.imageSizePx)], pair(options.grid));
      const bins = logPolarBins(layout);
      const [rows, cols] = pair(options.grid);
      return {
        async compute(images, count) {
          const tokens = new Float32Array(count * rows * cols * dim);
          for (const [i, image] of splitImages(images, count, options, name).entries()) {
            describeImage(image, options, layout.radius, bins, tokens.subarray(i * rows * cols * dim));
          }
          return tokens;
        },
        dispose: async () => {},
      };
    },
  };
}

interface Offset {
  readonly y: number;
  readonly x: number;
}

/** The pixels around a centre, without it, and which of them are in each bin. */
interface LogPolarBins {
  readonly offsets: readonly Offset[];
  readonly bins: readonly (readonly number[])[];
}

/** A bin so small that no pixel is in it has the pixel that is nearest to its middle. */
function logPolarBins({ radius, angles, rings }: LogPolarGrid): LogPolarBins {
  const side = 2 * radius + 1;
  const offsets = Array.from({ length: side * side }, (_, i) => ({
    y: Math.floor(i / side) - radius,
    x: (i % side) - radius,
  })).filter(({ y, x }) => (y !== 0 || x !== 0) && Math.hypot(y, x) <= radius);
  const bins = Array.from({ length: angles * rings }, (): number[] => []);
  for (const [i, { y, x }] of offsets.entries()) {
    // Rounding must not move a direction on the border of two sectors, nor a distance on that of two rings.
    const turn = (Math.atan2(-y, x) * angles) / (2 * Math.PI);
    const angle = (Math.floor(turn + 0.5 + 1e-9) + angles) % angles;
    const ring = Math.ceil((rings * Math.log(Math.hypot(y, x))) / Math.log(radius) - 1e-9) - 1;
    bins[angle * rings + Math.max(ring, 0)]!.push(i);
  }
  for (const [bin, members] of bins.entries()) {
    if (members.length > 0) continue;
    const direction = (2 * Math.PI * Math.floor(bin / rings)) / angles;
    const middle = radius ** (((bin % rings) + 0.5) / rings);
    const far = ({ y, x }: Offset) => Math.hypot(x - middle * Math.cos(direction), y + middle * Math.sin(direction));
    members.push(offsets.reduce((best, offset, i) => (far(offset) < far(offsets[best]!) - 1e-9 ? i : best), 0));
  }
  return { offsets, bins };
}

/** Fill [T,D] of one image, [H,W,3]. */
function describeImage(
  image: Uint8Array,
  { imageSizePx, grid }: FeatureComputerOptions,
  radius: number,
  { offsets, bins }: LogPolarBins,
  tokens: Float32Array,
): void {
  const [height, width] = pair(imageSizePx);
  const [rows, cols] = pair(grid);
  const dim = bins.length;
  const margin = radius + PATCH_REACH_PX;
  const padded = mirrorPad(image, height, width, margin);
  const { data, stride } = padded;
  // SSD of the patches at two positions in the flat array; the values of a patch's row follow each other.
  const rowStep = stride[0]!;
  const [toCorner, rowLength] = [-PATCH_REACH_PX * (rowStep + 3), PATCH_SIDE_PX * 3];
  const difference = (a: number, b: number): number => {
    let sum = 0;
    for (let row = 0; row < PATCH_SIDE_PX; row++) {
      const [left, right] = [a + toCorner + row * rowStep, b + toCorner + row * rowStep];
      for (let i = 0; i < rowLength; i++) {
        const step = data[left + i]! - data[right + i]!;
        sum += step * step;
      }
    }
    return sum;
  };
  const steps = offsets.map(({ y, x }) => y * rowStep + x * 3);
  const neighbours = offsets.flatMap(({ y, x }, i) => (Math.max(Math.abs(y), Math.abs(x)) === 1 ? [i] : []));
  const ssd = new Float64Array(offsets.length);
  for (let t = 0; t < rows * cols; t++) {
    const y = Math.ceil(((Math.floor(t / cols) + 0.5) * height) / rows - 1);
    const x = Math.ceil((((t % cols) + 0.5) * width) / cols - 1);
    const centre = padded.index(y + margin, x + margin, 0);
    for (let i = 0; i < steps.length; i++) ssd[i] = difference(centre, centre + steps[i]!);
    const scale = Math.max(NOISE_SSD, ...neighbours.map((i) => ssd[i]!));
    // The largest similarity is that of the smallest difference.
    const smallest = bins.map((members) => members.reduce((least, i) => Math.min(least, ssd[i]!), ssd[members[0]!]!));
    stretch(
      smallest.map((value) => Math.exp(-value / scale)),
      tokens.subarray(t * dim, (t + 1) * dim),
    );
  }
}

/** [H,W,3] mirrored at its borders. */
function mirrorPad(image: Uint8Array, height: number, width: number, margin: number) {
  const from = ndarray(image, [height, width, 3]);
  const [tall, wide] = [height + 2 * margin, width + 2 * margin];
  const into = ndarray(new Int16Array(tall * wide * 3), [tall, wide, 3]);
  for (let y = 0; y < tall; y++) {
    for (let x = 0; x < wide; x++) {
      const [row, col] = [mirrored(y - margin, height), mirrored(x - margin, width)];
      for (let c = 0; c < 3; c++) into.set(y, x, c, from.get(row, col, c));
    }
  }
  return into;
}

/** To 0..1; zeros where all values are equal. */
function stretch(values: readonly number[], into: Float32Array): void {
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  for (const [i, value] of values.entries()) into[i] = range > 0 ? (value - least) / range : 0;
}

export const selfsimFamily: DescriptorFamily = {
  name: "selfsim",
  targets: [
    {
      pattern: "selfsim:radius=R,angles=A,rings=N",
      summary: "local self-similarity (default 20 angles × 4 rings within 40 px); each option may be left out",
      dim: "A·N",
    },
  ],
  parse(text) {
    const { values, name } = readOptions("selfsim", text, OPTIONS);
    return selfSimilarity(name, values);
  },
};
