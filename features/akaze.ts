/**
 * @file AKAZE's descriptor on the grid, by OpenCV. Owns the target strings `akaze[:octave=O]`.
 *
 * Alcantarilla, Nuevo & Bartoli, "Fast explicit diffusion for accelerated features in nonlinear scale spaces", BMVC 2013: M-LDB, the
 * 486 comparisons of the means of gray level, horizontal and vertical derivative in the cells of grids of 2 × 2, 3 × 3 and 4 × 4 on
 * an image that was smoothed within edges. Upright. The strength of the smoothing depends on all gradients of the image.
 */
import type { DescriptorFamily } from "./descriptor.js";
import { OCTAVE_OPTION, pointDescriptor, readBits } from "./opencv-points.js";
import { readOptions } from "./option-table.js";

/** 3 · (4·3/2 + 9·8/2 + 16·15/2). The last two bits of OpenCV's 61 bytes are not used. */
const DIM = 486;
/** Twice 1.5 times the first level's σ of 1.6, as OpenCV sizes the key points that it detects. */
const SIZE_PX = 4.8;
const LAYERS_OF_OCTAVE = 4;
const REACH_PX = 40;

export const akazeFamily: DescriptorFamily = {
  name: "akaze",
  targets: [
    {
      pattern: "akaze:octave=O",
      summary:
        "upright AKAZE (M-LDB) of OpenCV at the cells' centres: 486 comparisons, 0 or 1; octave 0..2 (default 0)",
      dim: `${DIM}`,
    },
  ],
  parse(text) {
    const { values, name } = readOptions("akaze", text, OCTAVE_OPTION);
    const { octave } = values;
    return pointDescriptor({
      name,
      dim: DIM,
      summary: "upright AKAZE (M-LDB) of OpenCV at the cells' centres: 486 comparisons, 0 or 1",
      octave,
      reachPx: REACH_PX,
      // The class is the level of the scale space.
      point: { size: SIZE_PX * 2 ** octave, angle: 0, octave, class_id: octave * LAYERS_OF_OCTAVE, response: 1 },
      make: (cv) => {
        const akaze = new cv.AKAZE();
        akaze.setNOctaves(octave + 1);
        return akaze;
      },
      read: readBits(DIM),
    });
  },
};
