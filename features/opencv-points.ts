/**
 * @file What OpenCV's descriptors of key points have in common: here the key points are a grid, one at the centre of each cell, and
 * nothing is detected.
 *
 * OpenCV drops key points near the border. The gray image is therefore mirrored at its borders (without repeating the last pixel)
 * and every cell has a token.
 */

import { checkCells } from "./cells.js";
import type { FeatureComputerOptions, OpenedDescriptor } from "./descriptor.js";
import { callOpenCv, type Feature2D, type KeyPoint, loadOpenCv, type Mat, type OpenCv } from "./opencv.js";
import { wholeNumber } from "./option-table.js";
import { pair } from "./pair.js";
import { splitImages } from "./split-images.js";

/** Key points of octave o are as if the image were 2^o times smaller: they see 2^o times as much. */
export const OCTAVE_OPTION = { octave: wholeNumber(0, 0, 2) } as const;

/** What tells one of OpenCV's descriptors from another. */
export interface PointDescriptor {
  readonly name: string;
  readonly dim: number;
  readonly summary: string;
  readonly octave: number;
  /** How far a key point of octave 0 sees, or how near to the border it is dropped; pixels. */
  readonly reachPx: number;
  /** Everything of its key points but the place. */
  readonly point: Omit<KeyPoint, "pt">;
  make(cv: OpenCv): Feature2D;
  /** [D] from a row of the library's descriptors. */
  read(descriptors: Mat, row: number): Float32Array;
}

export function pointDescriptor(kind: PointDescriptor): OpenedDescriptor {
  const { name, dim, summary } = kind;
  return {
    name,
    dim,
    version: 1,
    summary,
    async open(options) {
      const size = pair(options.imageSizePx);
      checkCells(name, [1, ...size], pair(options.grid));
      const cv = loadOpenCv();
      const algorithm = callOpenCv(cv, () => kind.make(cv));
      const perImage = pair(options.grid)[0] * pair(options.grid)[1] * dim;
      return {
        async compute(images, count) {
          const tokens = new Float32Array(count * perImage);
          for (const [i, image] of splitImages(images, count, options, name).entries()) {
            tokens.set(
              callOpenCv(cv, () => describeImage(cv, algorithm, image, options, kind)),
              i * perImage,
            );
          }
          return tokens;
        },
        dispose: async () => algorithm.delete(),
      };
    },
  };
}

/** [T,D] of one image, [H,W,3]. */
function describeImage(
  cv: OpenCv,
  algorithm: Feature2D,
  image: Uint8Array,
  { imageSizePx, grid }: FeatureComputerOptions,
  { name, dim, octave, reachPx, point, read }: PointDescriptor,
): Float32Array {
  const [height, width] = pair(imageSizePx);
  const [rows, cols] = pair(grid);
  const marginPx = reachPx * 2 ** octave;
  const colour = new cv.Mat(height, width, cv.CV_8UC3);
  const [gray, padded, descriptors] = [new cv.Mat(), new cv.Mat(), new cv.Mat()];
  const points = new cv.KeyPointVector();
  try {
    colour.data.set(image);
    cv.cvtColor(colour, gray, cv.COLOR_RGB2GRAY);
    const margins = [marginPx, marginPx, marginPx, marginPx] as const;
    cv.copyMakeBorder(gray, padded, ...margins, cv.BORDER_REFLECT_101, new cv.Scalar());
    for (let t = 0; t < rows * cols; t++) {
      const y = marginPx + ((Math.floor(t / cols) + 0.5) * height) / rows - 0.5;
      const x = marginPx + (((t % cols) + 0.5) * width) / cols - 0.5;
      points.push_back({ ...point, pt: { x, y } });
    }
    algorithm.compute(padded, points, descriptors);
    if (descriptors.rows !== rows * cols) {
      throw new Error(`${name}: OpenCV described ${descriptors.rows} of ${rows * cols} key points`);
    }
    const tokens = new Float32Array(rows * cols * dim);
    for (let t = 0; t < rows * cols; t++) tokens.set(read(descriptors, t), t * dim);
    return tokens;
  } finally {
    for (const owned of [colour, gray, padded, descriptors, points]) owned.delete();
  }
}

/** The first bits of a row of bytes, as 0 and 1, the lowest bit of each byte first. */
export const readBits =
  (dim: number) =>
  ({ data, cols }: Mat, row: number): Float32Array =>
    Float32Array.from({ length: dim }, (_, i) => (data[row * cols + (i >> 3)]! >> (i & 7)) & 1);
