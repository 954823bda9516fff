/**
 * @file Dense HOG as its authors define it, as a tensor program: `hog:dalal`.
 *
 * Dalal & Triggs, CVPR 2005, in OpenCV's reading (`HOGDescriptor`): square roots of the colours, central differences of the channel
 * that has the longest, unsigned orientations, votes that are interpolated between orientations and between the cells of a
 * block under a Gaussian, and L2-Hys. A token is the block around the centre of its cell. Channel = (cell row · C + cell column) ·
 * orientations + orientation; bin k is centred at (k + ½) · 180° / n, clockwise as the picture is seen, from the right.
 */
import tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { type BandedMatrix, bandedMatrix } from "./banded-product.js";
import type { Grid, ProgramDescriptor } from "./descriptor.js";
import { orientationMaps } from "./orientation-votes.js";
import { poolVotes } from "./pool-votes.js";
import { strongestGradient } from "./strongest-gradient.js";
import { type OptionKind, parseOptions, targetName } from "./target-options.js";

const DEFAULTS = { cell: 8, block: 2, orientations: 9, clip: 0.2 } as const;
const OPTIONS = {
  cell: { kind: "number", min: 1, max: 1024, isWhole: true },
  block: { kind: "number", min: 1, max: 16, isWhole: true },
  orientations: { kind: "number", min: 1, max: 36, isWhole: true },
  clip: { kind: "number", min: 0.01, max: 1, isWhole: false },
  linear: { kind: "switch" },
} as const satisfies Record<string, OptionKind>;

/** OpenCV's order of the colours. */
const BLUE_FIRST = [2, 1, 0];
/** OpenCV's guards: times the numbers of a block before clipping, and after. */
const [FIRST_EPS, SECOND_EPS] = [0.1, 1e-3];

interface Layout {
  readonly cell: number;
  readonly block: number;
  readonly orientations: number;
  readonly clip: number;
  readonly linear: boolean;
}

/**
 * @param text what stands behind `hog:dalal,` in a target string.
 * @throws {UsageError} options that it does not know.
 * @parity OpenCV 4.14 on a photograph: 2e-4, as it takes angles approximately. OpenCV orders the cells of a block by columns, wants blocks
 *   inside the image, and centres the Gaussian half a pixel before the middle of the block: we follow it in the last alone.
 */
export function dalalHog(text: string | undefined): ProgramDescriptor {
  const values = parseOptions("hog:dalal", text, OPTIONS);
  const number = (key: keyof typeof DEFAULTS): number => (values[key] as number | undefined) ?? DEFAULTS[key];
  const layout: Layout = {
    cell: number("cell"),
    block: number("block"),
    orientations: number("orientations"),
    clip: number("clip"),
    linear: values["linear"] === true,
  };
  return {
    name: targetName("hog", [
      ["dalal", true],
      ...(["cell", "block", "orientations", "clip"] as const).map(
        (key) => [key, layout[key], DEFAULTS[key]] as [string, number, number],
      ),
      ["linear", layout.linear],
    ]),
    dim: layout.block ** 2 * layout.orientations,
    version: 1,
    summary: `Dalal–Triggs HOG: blocks of ${layout.block}×${layout.block} cells of ${layout.cell} px, ${layout.orientations} orientations`,
    program: (images, grid) => tf.tidy(() => dalalTokens(images, grid, layout)),
  };
}

function dalalTokens(
  images: tf.Tensor4D,
  grid: Grid,
  { cell, block, orientations, clip, linear }: Layout,
): tf.Tensor3D {
  const [batch, height, width] = images.shape;
  if (height < 3 || width < 3) {
    throw new ShapeError(`hog:dalal: want an image of 3 × 3 px or more, got ${height} × ${width}`);
  }
  const { dx, dy } = strongestGradient(linear ? images : (tf.sqrt(images) as tf.Tensor4D), BLUE_FIRST);
  const signed = orientationMaps(dx, dy, { orientations: 2 * orientations, shift: 0.5 });
  // Opposite directions are one unsigned orientation.
  const coefficients = Float32Array.from({ length: signed.maps.length * orientations }, (_, i) => {
    const first = Math.floor(i / orientations) * 2 * orientations + (i % orientations);
    return signed.coefficients[first]! + signed.coefficients[first + orientations]!;
  });
  const axis = (sizePx: number, cells: number): BandedMatrix =>
    bandedMatrix(cells * block, sizePx, (row, pixel) => {
      const inBlock = pixel - ((Math.floor(row / block) + 0.5) * sizePx) / cells + (cell * block) / 2;
      if (inBlock < 0 || inBlock >= cell * block) return 0;
      const fromCell = (inBlock + 0.5) / cell - 0.5 - (row % block);
      const fromMiddle = inBlock - (cell * block) / 2;
      const sigma = (cell * block) / 4;
      return Math.max(0, 1 - Math.abs(fromCell)) * Math.exp(-(fromMiddle ** 2) / (2 * sigma ** 2));
    });
  const votes = poolVotes({ maps: signed.maps, coefficients }, axis(height, grid[0]), axis(width, grid[1]), grid);
  const dim = block ** 2 * orientations;
  const blocks = tf.relu(tf.reshape(votes, [batch, grid[0] * grid[1], dim]));
  const length = (x: tf.Tensor) => tf.sqrt(tf.sum(tf.square(x), -1, true));
  const clipped = tf.minimum(tf.div(blocks, tf.add(length(blocks), FIRST_EPS * dim)), clip);
  return tf.div(clipped, tf.add(length(clipped), SECOND_EPS)) as tf.Tensor3D;
}
