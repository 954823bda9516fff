import type tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { compileFunction } from "../src/compile/compile.js";
import type { Descriptor, FeatureComputer, FeatureComputerOptions, ProgramDescriptor } from "./descriptor.js";
import { pair } from "./pair.js";

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
  return "program" in descriptor ? compileProgram(descriptor, options) : descriptor.open(options);
}

/**
 * Pixels that a processor describes at once, about those of one 256×256 image: what a program keeps between two operators then stays
 * in its caches. Measured: 16 images at once cost 1.3 to 1.5 times as much an image as one.
 */
const PIXELS_AT_ONCE = 256 ** 2;

async function compileProgram(
  descriptor: ProgramDescriptor,
  { imageSizePx, grid, batch: wanted, device = "cpu", threads = 0 }: FeatureComputerOptions,
): Promise<FeatureComputer> {
  const [height, width] = pair(imageSizePx);
  const fitting = Math.max(1, Math.floor(PIXELS_AT_ONCE / (height * width)));
  const batch = device === "cpu" ? Math.min(wanted, fitting) : wanted;
  const cells = pair(grid);
  const shape = [batch, height, width, 3];
  const compiled = await compileFunction(
    ({ images }) => ({ features: descriptor.program(images as tf.Tensor4D, cells) }),
    { images: { shape } },
    { name: `features ${descriptor.name}`, device, threads },
  );
  const imageBytes = height * width * 3;
  const rowSize = cells[0] * cells[1] * descriptor.dim;
  const pixels = new Float32Array(batch * imageBytes);
  return {
    async compute(images, count) {
      if (images.length !== count * imageBytes) {
        throw new ShapeError(
          `features ${descriptor.name}: want ${count} images of ${height} × ${width} × 3 bytes, got ${images.length} bytes`,
        );
      }
      const features = new Float32Array(count * rowSize);
      for (let first = 0; first < count; first += batch) {
        const taken = Math.min(batch, count - first);
        pixels.set(images.subarray(first * imageBytes, (first + taken) * imageBytes));
        pixels.fill(0, taken * imageBytes);
        const results = await compiled.run({ images: { data: pixels, shape } });
        features.set((results["features"]!.data as Float32Array).subarray(0, taken * rowSize), first * rowSize);
      }
      return features;
    },
    dispose: () => compiled.dispose(),
  };
}
