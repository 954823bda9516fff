/**
 * @file ORB's descriptor on the grid, by OpenCV. Owns the target strings `orb[:octave=O]`.
 *
 * Rublee, Rabaud, Konolige & Bradski, "ORB: an efficient alternative to SIFT or SURF", ICCV 2011: 256 learnt comparisons of two
 * pixels of a blurred 31 × 31 patch, 1 where the first one is darker. Upright: angle 0.
 *
 * Key points are rounded to whole pixels, halves to the even one.
 */
import type { DescriptorFamily } from "./descriptor.js";
import { OCTAVE_OPTION, pointDescriptor, readBits } from "./opencv-points.js";
import { readOptions } from "./option-table.js";

const DIM = 256;
const PATCH_PX = 31;
/** OpenCV drops key points within 31 px of the border. Even: an odd margin would round halves the other way. */
const REACH_PX = 32;

export const orbFamily: DescriptorFamily = {
  name: "orb",
  targets: [
    {
      pattern: "orb:octave=O",
      summary:
        "upright ORB of OpenCV at the cells' centres: 256 comparisons, 0 or 1; octave 0..2 (default 0) sees 31·2^O px",
      dim: `${DIM}`,
    },
  ],
  parse(text) {
    const { values, name } = readOptions("orb", text, OCTAVE_OPTION);
    const { octave } = values;
    return pointDescriptor({
      name,
      dim: DIM,
      summary: "upright ORB of OpenCV at the cells' centres: 256 comparisons, 0 or 1",
      octave,
      reachPx: REACH_PX,
      point: { size: PATCH_PX * 2 ** octave, angle: 0, octave, class_id: -1, response: 1 },
      // How many features to detect at most does not matter; levels are half as large as the one before.
      make: (cv) => new cv.ORB(1, 2, octave + 1),
      read: readBits(DIM),
    });
  },
};
