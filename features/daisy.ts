/**
 * @file DAISY, as a tensor program. Owns the target strings `daisy[:OPTIONS]`.
 *
 * Tola, Lepetit & Fua, "DAISY: An efficient dense descriptor applied to wide-baseline stereo", PAMI 2010: the positive parts of the
 * derivative in H directions, blurred by Gaussians and read at the cell's centre and at T points on each of Q circles around it;
 * the blur grows with the circle, σ = R · q / (2 Q) for circle q of radius R · q / Q, and the centre has that of the first one. Each
 * histogram of H values has unit length.
 *
 * A blurred map is only read at points, and a Gaussian is a product of one of the row and one of the column: so each circle is two
 * products with the Gaussians around its points, which need not be at whole pixels.
 */
import tf from "@tensorflow/tfjs";
import { type BandedMatrix, bandedMatrix, bandedProduct } from "./banded-product.js";
import { checkCells } from "./cells.js";
import type { DescriptorFamily, Grid, ProgramDescriptor } from "./descriptor.js";
import { openCvGray } from "./gray.js";
import { readOptions, wholeNumber } from "./option-table.js";

/** The paper's names are R, Q, T and H. */
const OPTIONS = {
  radius: wholeNumber(15, 1, 1024),
  rings: wholeNumber(3, 1, 8),
  points: wholeNumber(8, 1, 32),
  orientations: wholeNumber(8, 1, 32),
} as const;

interface DaisyLayout {
  readonly radius: number;
  readonly rings: number;
  readonly points: number;
  readonly orientations: number;
}

/** Beyond it a Gaussian is nothing in float32. */
const REACH_SIGMAS = 5;
/** Far below the smallest derivative of whole gray levels. */
const MIN_NORM = 1e-12;

/**
 * @returns a descriptor of (Q · T + 1) histograms of H values: centre, then circles from the inside to the outside, points and
 *   orientations counter-clockwise from the right. The radius is in pixels, whatever the cell. Gaussians are normalized over what
 *   lies inside the image, and points outside of it read its nearest pixels. Flat surroundings give zeros.
 * @parity the paper's, without the rotation; its code reads the nearest pixel or interpolates where we read the exact point.
 */
function daisy(name: string, layout: DaisyLayout): ProgramDescriptor {
  const { radius, rings, points, orientations } = layout;
  return {
    name,
    dim: (rings * points + 1) * orientations,
    version: 1,
    summary: `DAISY: ${rings} circles of ${points} points within ${radius} px, ${orientations} orientations`,
    program: (images, grid) =>
      tf.tidy(() => {
        checkCells(name, images.shape, grid);
        const maps = derivatives(openCvGray(images), orientations);
        const batch = images.shape[0];
        const circles = Array.from({ length: rings }, (_, ring) => readCircle(maps, batch, ring, layout, grid));
        const histograms = circles.length === 1 ? circles[0]! : tf.concat(circles, 2); // [B,T,points,H]
        const norm = tf.sqrt(tf.sum(tf.square(histograms), -1, true));
        const unit = tf.div(histograms, tf.maximum(norm, MIN_NORM));
        return tf.reshape(unit, [batch, grid[0] * grid[1], (rings * points + 1) * orientations]);
      }),
  };
}

/** [B,H,W] → [B·O,H,W]: the positive parts of the derivatives, zero across the border. */
function derivatives(gray: tf.Tensor3D, orientations: number): tf.Tensor3D {
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
  const shifted = (y: number, x: number) => tf.slice(around, [0, 1 + y, 1 + x], [batch, height, width]);
  const difference = (a: tf.Tensor, b: tf.Tensor) => tf.reshape(tf.sub(a, b), [batch, 1, height, width]);
  const right = difference(shifted(0, 1), shifted(0, -1));
  const up = difference(shifted(-1, 0), shifted(1, 0));
  const directions = (component: (angle: number) => number) =>
    tf.tensor(
      Array.from({ length: orientations }, (_, o) => component((2 * Math.PI * o) / orientations)),
      [1, orientations, 1, 1],
    );
  const along = tf.add(tf.mul(right, directions(Math.cos)), tf.mul(up, directions(Math.sin)));
  return tf.reshape(tf.relu(along), [batch * orientations, height, width]);
}

/** [B·O,H,W] → [B,T,points,O]; the first circle with the centre before its points. */
function readCircle(
  maps: tf.Tensor3D,
  batch: number,
  ring: number,
  layout: DaisyLayout,
  [rows, cols]: Grid,
): tf.Tensor {
  const { radius, rings, points, orientations } = layout;
  const [, height, width] = maps.shape;
  const radiusPx = (radius * (ring + 1)) / rings;
  const places = Array.from({ length: points }, (_, point) => {
    const angle = (2 * Math.PI * point) / points;
    return { y: -radiusPx * Math.sin(angle), x: radiusPx * Math.cos(angle) };
  });
  if (ring === 0) places.unshift({ y: 0, x: 0 });
  const ys = distinct(places.map(({ y }) => y));
  const xs = distinct(places.map(({ x }) => x));
  const wide = bandedProduct(maps, gaussiansAround(width, cols, xs, radiusPx / 2), 2);
  const pooled = bandedProduct(wide, gaussiansAround(height, rows, ys, radiusPx / 2), 1);
  const split = tf.reshape(pooled, [batch, orientations, rows, ys.length, cols, xs.length]);
  const perToken = tf.reshape(tf.transpose(split, [0, 2, 4, 3, 5, 1]), [batch, rows * cols, -1, orientations]);
  const chosen = places.map(({ y, x }) => nearestIndex(ys, y) * xs.length + nearestIndex(xs, x));
  return tf.gather(perToken, tf.tensor1d(chosen, "int32"), 2);
}

/** [cells · offsets, size]: a Gaussian around each point, cell centre + offset, of sum 1 inside the image. */
function gaussiansAround(sizePx: number, cells: number, offsets: readonly number[], sigmaPx: number): BandedMatrix {
  const centreOf = (row: number): number => {
    const cell = Math.floor(row / offsets.length);
    const point = ((cell + 0.5) * sizePx) / cells - 0.5 + offsets[row % offsets.length]!;
    return Math.min(Math.max(point, 0), sizePx - 1);
  };
  const weight = (centre: number, pixel: number): number => {
    const distance = (pixel - centre) / sigmaPx;
    // The nearest pixel always counts, however narrow the Gaussian.
    if (Math.abs(distance) > REACH_SIGMAS && Math.abs(pixel - centre) > 0.5) return 0;
    return Math.exp((-distance * distance) / 2);
  };
  const sums = Array.from({ length: cells * offsets.length }, (_, row) =>
    Array.from({ length: sizePx }, (_, pixel) => weight(centreOf(row), pixel)).reduce((a, b) => a + b),
  );
  return bandedMatrix(sums.length, sizePx, (row, pixel) => weight(centreOf(row), pixel) / sums[row]!);
}

const isNear = (a: number, b: number): boolean => Math.abs(a - b) < 1e-9;
const distinct = (values: readonly number[]): number[] =>
  values.filter((value, i) => values.findIndex((other) => isNear(other, value)) === i);
const nearestIndex = (values: readonly number[], value: number): number =>
  values.findIndex((other) => isNear(other, value));

export const daisyFamily: DescriptorFamily = {
  name: "daisy",
  targets: [
    {
      pattern: "daisy",
      summary: "DAISY: 3 circles of 8 points within 15 px, 8 orientations, unit histograms",
      dim: "200",
    },
    {
      pattern: "daisy:radius=R,rings=Q,points=T,orientations=H",
      summary: "DAISY of other sizes; each option may be left out",
      dim: "(Q·T+1)·H",
    },
  ],
  parse(text) {
    const { values, name } = readOptions("daisy", text, OPTIONS);
    return daisy(name, values);
  },
};
