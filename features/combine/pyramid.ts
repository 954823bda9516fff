import tf from "@tensorflow/tfjs";
import { UsageError } from "../../data/errors.js";
import { cellPatches } from "../cells.js";
import { colourPlanes } from "../colour-planes.js";
import type { Descriptor, Grid, ProgramDescriptor } from "../descriptor.js";
import { resizeTokens } from "../resize-tokens.js";
import { type CombinationFamily, onePart } from "./combination.js";

const MOST_LEVELS = 4;
const EXAMPLE = "pyramid3(hog)";

/**
 * A descriptor at several scales, side by side in one token: `pyramid3(hog)`, `pyramid2(sift)`.
 *
 * Level l describes the image at 1/2^l of its size on a grid of 1/2^l of its sides (both rounded up), so that cells have as many
 * pixels on every level and show 2^l times as much; its tokens are then resized to the grid bilinearly. Images are made smaller
 * by averages over equal areas, in whole gray levels. Fine levels come first; their tokens are those of the descriptor itself.
 *
 * After Adelson, Anderson, Bergen, Burt & Ogden, "Pyramid methods in image processing", RCA Engineer 1984.
 */
function pyramid(levels: number, part: ProgramDescriptor): ProgramDescriptor {
  return {
    name: `pyramid${levels}(${part.name})`,
    dim: levels * part.dim,
    version: 1 + part.version,
    summary: `${part.name} of the image and of ${levels - 1} smaller one${levels === 2 ? "" : "s"}, each half as large as the one before`,
    program: (images, grid) =>
      tf.tidy(() => {
        const [, height, width] = images.shape;
        const tokens = Array.from({ length: levels }, (_, level) => {
          const reduced = (size: number): number => Math.ceil(size / 2 ** level);
          const small: Grid = [reduced(grid[0]), reduced(grid[1])];
          const described = part.program(shrink(images, reduced(height), reduced(width)), small);
          return resizeTokens(described, small, grid);
        });
        return tf.concat(tokens, 2) as tf.Tensor3D;
      }),
  };
}

/** Images of another size, [B,H,W,3], by averages over equal areas, rounded to whole numbers. */
function shrink(images: tf.Tensor4D, height: number, width: number): tf.Tensor4D {
  if (images.shape[1] === height && images.shape[2] === width) return images;
  const means = cellPatches(colourPlanes(images), [height, width], 1);
  const planes = tf.reshape(tf.floor(tf.add(means, 0.5)), [images.shape[0], 3, height, width]);
  return tf.transpose(planes, [0, 2, 3, 1]) as tf.Tensor4D;
}

const isProgram = (descriptor: Descriptor): descriptor is ProgramDescriptor => "program" in descriptor;

export const pyramidFamily: CombinationFamily = {
  name: "pyramid",
  targets: [
    {
      pattern: "pyramidN(TARGET)",
      summary: `a target at N scales, 2..${MOST_LEVELS}, each of an image half as large as the one before`,
      dim: "N·D",
    },
  ],
  combine(number, parts) {
    const levels = Number(number);
    if (!/^\d+$/.test(number) || levels < 2 || levels > MOST_LEVELS) {
      throw new UsageError(
        `pyramid: wanted a number of scales of 2..${MOST_LEVELS} behind it, got "pyramid${number}"`,
        {
          hint: `for example ${EXAMPLE}`,
        },
      );
    }
    const part = onePart(EXAMPLE, parts);
    if (!isProgram(part)) {
      throw new UsageError(`pyramid: ${part.name} is no tensor program`, {
        hint: "it takes descriptors such as sift, hog or lbp; put combinations outside: pca64(pyramid3(hog))",
      });
    }
    return pyramid(levels, part);
  },
};
