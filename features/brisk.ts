/**
 * @file BRISK's descriptor on the grid, by OpenCV. Owns the target strings `brisk[:octave=O]`.
 *
 * Leutenegger, Chli & Siegwart, "BRISK: binary robust invariant scalable keypoints", ICCV 2011: 512 comparisons of two of 60 points
 * on circles, each under a Gaussian, 1 where the first one is brighter. OpenCV's `compute` turns the circles to the direction of
 * the patch's own gradient, and has no option against it. Where the patch is flat, bits are noise of
 * rounding.
 */
import type { DescriptorFamily } from "./descriptor.js";
import { OCTAVE_OPTION, pointDescriptor, readBits } from "./opencv-points.js";
import { readOptions } from "./option-table.js";

const DIM = 512;
/** The size of a key point of the first octave, as OpenCV detects them. */
const SIZE_PX = 12;
const REACH_PX = 48;

export const briskFamily: DescriptorFamily = {
  name: "brisk",
  targets: [
    {
      pattern: "brisk:octave=O",
      summary:
        "BRISK of OpenCV at the cells' centres, rotation-invariant: 512 comparisons, 0 or 1; octave 0..2 (default 0)",
      dim: `${DIM}`,
    },
  ],
  parse(text) {
    const { values, name } = readOptions("brisk", text, OCTAVE_OPTION);
    const { octave } = values;
    return pointDescriptor({
      name,
      dim: DIM,
      summary: "BRISK of OpenCV at the cells' centres, rotation-invariant: 512 comparisons, 0 or 1",
      octave,
      reachPx: REACH_PX,
      point: { size: SIZE_PX * 2 ** octave, angle: -1, octave, class_id: -1, response: 1 },
      make: (cv) => new cv.BRISK(),
      read: readBits(DIM),
    });
  },
};
