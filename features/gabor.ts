/**
 * @file A bank of Gabor filters, as a tensor program. Owns the target strings `gabor[:OPTIONS]`.
 *
 * Manjunath & Ma, "Texture features for browsing and retrieval of image data", PAMI 1996: the mean and the standard deviation, in
 * each cell, of the magnitude of each filter's response. The envelopes are round here, so that a filter is a product of one of the
 * columns and one of the rows: frequency f = 0.4, 0.2, 0.1, … cycles a pixel, and σ = 0.562 / f, a bandwidth of one octave.
 */
import tf from "@tensorflow/tfjs";
import { bandedProduct } from "./banded-product.js";
import { centredCells, checkCells } from "./cells.js";
import { levelPlanes } from "./colour-planes.js";
import type { DescriptorFamily, Grid, ProgramDescriptor } from "./descriptor.js";
import { lineFilter } from "./line-filter.js";
import { readOptions, wholeNumber } from "./option-table.js";

/** Cycles a pixel of the first scale; each further scale has half of it. */
const HIGHEST_FREQUENCY = 0.4;
/** σ · f of a filter that falls to half of its height at 2/3 f and at 4/3 f: a bandwidth of one octave. */
const SIGMA_CYCLES = (Math.sqrt(Math.LN2 / 2) / Math.PI) * 3;
/** Where the envelope is cut off, in σ. */
const REACH_SIGMAS = 3;

const OPTIONS = { scales: wholeNumber(4, 1, 6), orientations: wholeNumber(6, 1, 32) } as const;

interface GaborBank {
  readonly scales: number;
  readonly orientations: number;
}

/**
 * @returns a descriptor with channels (scale · orientations + orientation) · 2 + (0: mean, 1: deviation), fine scales first;
 *   orientation o is the direction of the wave, 180° · o / orientations counter-clockwise from the right. Gray levels are 0..1, and
 *   filters have sum 0 and an envelope of sum 1: a wave of amplitude a has a magnitude of about a / 2. Images are mirrored at their
 *   borders.
 */
function gabor(name: string, bank: GaborBank): ProgramDescriptor {
  const dim = 2 * bank.scales * bank.orientations;
  return {
    name,
    dim,
    version: 1,
    summary: `Gabor bank of ${bank.scales} scales × ${bank.orientations} orientations: mean and deviation of the magnitude`,
    program: (images, grid) =>
      tf.tidy(() => {
        checkCells(name, images.shape, grid);
        return magnitudeStatistics(gaborMagnitudes(levelPlanes(images, false), bank), images.shape[0], grid);
      }),
  };
}

/** [B,H,W] → [B·F,H,W]: the magnitudes of all filters. */
function gaborMagnitudes(gray: tf.Tensor3D, { scales, orientations }: GaborBank): tf.Tensor3D {
  const [batch, height, width] = gray.shape;
  const maps: tf.Tensor[] = [];
  for (let scale = 0; scale < scales; scale++) {
    const frequency = HIGHEST_FREQUENCY / 2 ** scale;
    const envelope = gaussianTaps(SIGMA_CYCLES / frequency);
    const reach = (envelope.length - 1) / 2;
    const wave = (frequencyOfAxis: number, phase: (angle: number) => number): number[] =>
      envelope.map((weight, k) => weight * phase(2 * Math.PI * frequencyOfAxis * (k - reach)));
    const across = (taps: readonly number[]) => bandedProduct(gray, lineFilter(width, taps), 2, blocks(width));
    const down = (rows: tf.Tensor3D, taps: readonly number[]) =>
      bandedProduct(rows, lineFilter(height, taps), 1, blocks(height));
    const blurred = down(across(envelope), envelope);
    for (let o = 0; o < orientations; o++) {
      // exp(i(ax + by)) = (cos ax + i sin ax)(cos by + i sin by), along the columns first. Two directions that are mirror images
      // have the same factors, up to a sign: equal products are computed once.
      const mirror = 2 * o > orientations;
      const angle = (Math.PI * (mirror ? orientations - o : o)) / orientations;
      const [right, up] = [frequency * Math.cos(angle), -frequency * Math.sin(angle)];
      const [cosX, sinX] = [wave(right, Math.cos), wave(right, Math.sin)];
      const [cosY, sinY] = [wave(up, Math.cos), wave(up, Math.sin)];
      const [even, odd] = [across(cosX), across(sinX)];
      const [evenEven, oddOdd, oddEven, evenOdd] = [
        down(even, cosY),
        down(odd, sinY),
        down(odd, cosY),
        down(even, sinY),
      ];
      // Only the even part sees a constant image; a Gaussian of the same sum is taken from it.
      const constant = sum(cosX) * sum(cosY);
      const wavePart = mirror ? tf.add(evenEven, oddOdd) : tf.sub(evenEven, oddOdd);
      const real = tf.sub(wavePart, tf.mul(blurred, constant));
      const imaginary = mirror ? tf.sub(evenOdd, oddEven) : tf.add(oddEven, evenOdd);
      const magnitude = tf.sqrt(tf.add(tf.square(real), tf.square(imaginary)));
      maps.push(tf.reshape(magnitude, [batch, 1, height, width]));
    }
  }
  return tf.reshape(maps.length === 1 ? maps[0]! : tf.concat(maps, 1), [batch * maps.length, height, width]);
}

/** A filter's band is much narrower than an image of several blocks. */
const blocks = (sizePx: number): number => Math.ceil(sizePx / 64);

/** [B·F,H,W] → [B,T,F·2]. */
function magnitudeStatistics(maps: tf.Tensor3D, batch: number, grid: Grid): tf.Tensor3D {
  const { mean, centred, shares } = centredCells(maps, grid);
  const deviation = tf.sqrt(tf.sum(tf.mul(tf.square(centred), shares), -1, true));
  const [filters, tokens] = [maps.shape[0] / batch, grid[0] * grid[1]];
  const both = tf.reshape(tf.concat([mean, deviation], 2), [batch, filters, tokens, 2]);
  return tf.reshape(tf.transpose(both, [0, 2, 1, 3]), [batch, tokens, filters * 2]);
}

function gaussianTaps(sigmaPx: number): number[] {
  const reach = Math.ceil(REACH_SIGMAS * sigmaPx);
  const taps = Array.from({ length: 2 * reach + 1 }, (_, k) => Math.exp(-((k - reach) ** 2) / (2 * sigmaPx ** 2)));
  return taps.map((tap) => tap / sum(taps));
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b);

export const gaborFamily: DescriptorFamily = {
  name: "gabor",
  targets: [
    {
      pattern: "gabor:scales=S,orientations=O",
      summary: "Gabor bank (default 4 scales, 6 orientations): mean and deviation of the magnitude in each cell",
      dim: "2·S·O",
    },
  ],
  parse(text) {
    const { values, name } = readOptions("gabor", text, OPTIONS);
    return gabor(name, values);
  },
};
