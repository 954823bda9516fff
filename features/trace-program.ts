import type tf from "@tensorflow/tfjs";
import { traceFunction } from "../src/compile/trace-function.js";
import type { FeatureComputerOptions, ProgramDescriptor } from "./descriptor.js";
import { pair } from "./pair.js";
import { isPixelPassSmall } from "./pixel-pass.js";
import type { ProgramModel, ProgramSizes } from "./program-model.js";

/**
 * Pixels that a processor describes at once, about those of one 256×256 image: what a program keeps between two operators then stays
 * in its caches. Measured: 16 images at once cost 1.3 to 1.5 times as much an image as one.
 */
const PIXELS_AT_ONCE = 256 ** 2;

/** The sizes of a program on some device. */
export function programSizes(
  { dim }: ProgramDescriptor,
  { imageSizePx, grid, batch, device = "cpu" }: FeatureComputerOptions,
): ProgramSizes {
  const [height, width] = pair(imageSizePx);
  const fitting = Math.max(1, Math.floor(PIXELS_AT_ONCE / (height * width)));
  return {
    batch: device === "cpu" ? Math.min(batch, fitting) : batch,
    imageSizePx: [height, width],
    grid: pair(grid),
    dim,
  };
}

/** A descriptor's program as a model for the CPU. @throws {ShapeError} sizes that the descriptor cannot take. */
export function traceProgram(descriptor: ProgramDescriptor, options: FeatureComputerOptions): ProgramModel {
  const sizes = programSizes(descriptor, options);
  const { batch, imageSizePx, grid } = sizes;
  const [height, width] = imageSizePx;
  const split = descriptor.onProcessor?.(imageSizePx, grid);
  const halves = split !== undefined && isPixelPassSmall(split.pass, batch, height * width * 3) ? split : undefined;
  const model = traceFunction(
    ({ given }) => ({ features: halves?.program(given!) ?? descriptor.program(given as tf.Tensor4D, grid) }),
    { given: { shape: [batch, ...(halves?.pass.shape ?? [height, width, 3])] } },
    `features ${descriptor.name}`,
  );
  return { name: descriptor.name, model, sizes, ...(halves !== undefined && { pass: halves.pass }) };
}
