/**
 * @file Local binary patterns, as a tensor program. Owns the target strings `lbp[:riu2]`.
 *
 * Ojala, Pietikäinen & Mäenpää, "Multiresolution gray-scale and rotation invariant texture classification with local binary
 * patterns", PAMI 2002, with 8 neighbours at a distance of 1 px: a pixel's code has bit k where the neighbour at k · 45°
 * (counter-clockwise from the right; the diagonal ones bilinearly interpolated) is not darker than it. A cell's token is the
 * histogram of the codes of its pixels.
 */
import tf from "@tensorflow/tfjs";
import { cellHistograms, checkCells } from "./cells.js";
import type { DescriptorFamily, ProgramDescriptor } from "./descriptor.js";
import { openCvGray } from "./gray.js";
import { OFF, readOptions } from "./option-table.js";

const NEIGHBOURS = 8;
/** Codes with at most two changes along the circle: 58 of 256. All others share the last bin. */
const UNIFORM_BINS = 59;
/** Of the uniform codes only the number of ones is kept: 0..8. */
const INVARIANT_BINS = 10;

/**
 * @param isInvariant count the ones of uniform codes (`riu2`) and not which they are (`u2`).
 * @returns a descriptor of shares of the cell that sum to 1: 58 uniform codes in ascending order and all others, or 0..8 ones and
 *   all others. Beyond the image's border its pixels are repeated.
 * @parity scikit-image `local_binary_pattern(gray, 8, 1, "nri_uniform" | "uniform")` away from the border, up to the order of bins.
 *   The comparisons are exact here: they compare whole gray levels, and flat regions have no noise of interpolation.
 */
function lbp(name: string, isInvariant: boolean): ProgramDescriptor {
  const bins = isInvariant ? INVARIANT_BINS : UNIFORM_BINS;
  return {
    name,
    dim: bins,
    version: 1,
    summary: `local binary patterns of 8 neighbours: histogram of ${isInvariant ? "rotation-invariant " : ""}uniform codes`,
    program: (images, grid) =>
      tf.tidy(() => {
        checkCells(name, images.shape, grid);
        const codes = tf.cast(localCodes(openCvGray(images)), "int32");
        const labels = tf.gather(tf.tensor1d(labelsOfCodes(isInvariant)), tf.reshape(codes, [-1]));
        return cellHistograms(tf.reshape(labels, codes.shape), bins, grid);
      }),
  };
}

/** [B,H,W] of whole gray levels → codes 0..255. */
function localCodes(gray: tf.Tensor3D): tf.Tensor3D {
  const [batch, height, width] = gray.shape;
  const around = tf.mirrorPad(
    gray,
    [
      [0, 0],
      [1, 1],
      [1, 1],
    ] as never,
    "symmetric",
  );
  const difference = (right: number, up: number): tf.Tensor =>
    tf.sub(tf.slice(around, [0, 1 - up, 1 + right], [batch, height, width]), gray);
  const directions = [
    [1, 0],
    [1, 1],
    [0, 1],
    [-1, 1],
    [-1, 0],
    [-1, -1],
    [0, -1],
    [1, -1],
  ] as const;
  const bits = directions.map(([right, up], k) => {
    let above = difference(right, up);
    if (k % 2 === 1) {
      // At 45° the neighbour at distance 1 lies √½ to the side: of the bilinear sum minus the centre, the sign is that of this.
      const sides = tf.add(difference(right, 0), difference(0, up));
      above = tf.add(tf.mul(sides, 1 - Math.SQRT1_2), tf.mul(above, Math.SQRT1_2));
    }
    return tf.mul(tf.cast(tf.greaterEqual(above, 0), "float32"), 2 ** k);
  });
  return bits.reduce((sum, bit) => tf.add(sum, bit)) as tf.Tensor3D;
}

/** The bin of each of the 256 codes. */
function labelsOfCodes(isInvariant: boolean): number[] {
  let next = 0;
  return Array.from({ length: 2 ** NEIGHBOURS }, (_, code) => {
    const bits = Array.from({ length: NEIGHBOURS }, (_, k) => (code >> k) & 1);
    const changes = bits.filter((bit, k) => bit !== bits[(k + 1) % NEIGHBOURS]).length;
    if (changes > 2) return (isInvariant ? INVARIANT_BINS : UNIFORM_BINS) - 1;
    return isInvariant ? bits.reduce((a, b) => a + b) : next++;
  });
}

const OPTIONS = { riu2: OFF } as const;

export const lbpFamily: DescriptorFamily = {
  name: "lbp",
  targets: [
    { pattern: "lbp", summary: "local binary patterns: histogram of uniform codes (P=8, R=1)", dim: `${UNIFORM_BINS}` },
    {
      pattern: "lbp:riu2",
      summary: "the same, rotation-invariant: how many neighbours are not darker",
      dim: `${INVARIANT_BINS}`,
    },
  ],
  parse(text) {
    const { values, name } = readOptions("lbp", text, OPTIONS);
    return lbp(name, values.riu2);
  },
};
