/**
 * @file KAZE's descriptor on the grid, by OpenCV. Owns the target strings `kaze[:octave=O]`.
 *
 * Alcantarilla, Bartoli & Davison, "KAZE features", ECCV 2012: M-SURF, in each of 4 × 4 overlapping squares the sums of the two
 * derivatives and of their absolute values, of unit length together, on an image that was smoothed within edges. Upright. The
 * strength of the smoothing depends on all gradients of the image. Flat surroundings give zeros.
 *
 * These are the values of OpenCV's `compute`; those of its `detectAndCompute` differ by up to 0.05 at the same key points, because
 * there the detector has put other derivatives in the place of those of the smoothing.
 */
import type { DescriptorFamily } from "./descriptor.js";
import { OCTAVE_OPTION, pointDescriptor } from "./opencv-points.js";
import { readOptions } from "./option-table.js";

const DIM = 64;
const LAYERS_OF_OCTAVE = 4;
/** OpenCV computes no derivatives on the lowest level of all; none of its own key points are there. */
const LEVEL = 1;
/** Twice the level's σ, as OpenCV sizes the key points that it detects. */
const SIZE_PX = 2 * 1.6 * 2 ** (LEVEL / LAYERS_OF_OCTAVE);
const REACH_PX = 40;
/** OpenCV's default. No key point is detected. */
const THRESHOLD = 0.001;

export const kazeFamily: DescriptorFamily = {
  name: "kaze",
  targets: [
    {
      pattern: "kaze:octave=O",
      summary:
        "upright KAZE (M-SURF) of OpenCV at the cells' centres: 4×4 sums of derivatives; octave 0..2 (default 0)",
      dim: `${DIM}`,
    },
  ],
  parse(text) {
    const { values, name } = readOptions("kaze", text, OCTAVE_OPTION);
    const { octave } = values;
    return pointDescriptor({
      name,
      dim: DIM,
      summary: "upright KAZE (M-SURF) of OpenCV at the cells' centres: 4×4 sums of derivatives, of unit length",
      octave,
      reachPx: REACH_PX,
      // The class is the level of the scale space.
      point: {
        size: SIZE_PX * 2 ** octave,
        angle: 0,
        octave,
        class_id: octave * LAYERS_OF_OCTAVE + LEVEL,
        response: 1,
      },
      make: (cv) => new cv.KAZE(false, true, THRESHOLD, octave + 1),
      // Where all is flat the library divides zero by zero.
      read: ({ data32F }, row) => data32F.slice(row * DIM, (row + 1) * DIM).map((v) => (Number.isNaN(v) ? 0 : v)),
    });
  },
};
