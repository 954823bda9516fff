import type tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { compileFunction } from "../src/compile/compile.js";
import type { Descriptor, FeatureComputer, FeatureComputerOptions, ProgramDescriptor } from "./descriptor.js";
import { pair } from "./pair.js";
import { computeInBatches, openProgramModel, pixelsAsFloats } from "./program-model.js";
import { programSizes, traceProgram } from "./trace-program.js";

export type { FeatureComputer, FeatureComputerOptions } from "./descriptor.js";

/**
 * Make a descriptor ready: compile its program, or let it open what it is made of.
 *
 * @throws {ShapeError} sizes that are not whole numbers of 1 or more, or that the descriptor cannot take.
 */
export async function openFeatureComputer(
  descriptor: Descriptor,
  options: FeatureComputerOptions,
): Promise<FeatureComputer> {
  const [height, width] = pair(options.imageSizePx);
  const cells = pair(options.grid);
  const { batch } = options;
  if (![height, width, ...cells, batch].every((side) => Number.isSafeInteger(side) && side >= 1)) {
    throw new ShapeError(
      `features ${descriptor.name}: want sizes of 1 or more, got ${height} × ${width} px, ${cells.join(" × ")} tokens, batch ${batch}`,
    );
  }
  if (descriptor.load !== undefined) return openFeatureComputer(await descriptor.load(), options);
  return "program" in descriptor ? openProgram(descriptor, options) : descriptor.open(options);
}

async function openProgram(descriptor: ProgramDescriptor, options: FeatureComputerOptions): Promise<FeatureComputer> {
  const { device = "cpu", threads = 0 } = options;
  if (device === "cpu") return openProgramModel(traceProgram(descriptor, options), threads);
  const sizes = programSizes(descriptor, options);
  const shape = [sizes.batch, ...sizes.imageSizePx, 3];
  const compiled = await compileFunction(
    ({ images }) => ({ features: descriptor.program(images as tf.Tensor4D, sizes.grid) }),
    { images: { shape } },
    { name: `features ${descriptor.name}`, device, threads },
  );
  const prepare = pixelsAsFloats(sizes);
  const run = async (images: Uint8Array): Promise<Float32Array> => {
    const { features } = await compiled.run({ images: { data: prepare(images), shape } });
    return features!.data as Float32Array;
  };
  return { compute: computeInBatches(descriptor.name, sizes, run), dispose: () => compiled.dispose() };
}
