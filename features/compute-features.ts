import type tf from "@tensorflow/tfjs";
import { compileFunction, type Device } from "../src/compile/compile.js";
import type { Descriptor } from "./descriptor.js";

export interface FeatureComputerOptions {
  /** Side of the images, pixels. */
  readonly imageSizePx: number;
  /** Tokens per side. */
  readonly grid: number;
  /** Images of one run. */
  readonly batch: number;
  readonly device?: Device;
  readonly threads?: number;
}

export interface FeatureComputer {
  /**
   * Features of up to `batch` images.
   *
   * @param images [count, imageSizePx, imageSizePx, 3] RGB, uint8.
   * @returns [count, grid², D] float32, the caller's.
   */
  compute(images: Uint8Array, count: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Compile a descriptor for one image size, grid and batch. @throws {UsageError} a size that the descriptor does not fit. */
export async function openFeatureComputer(
  descriptor: Descriptor,
  { imageSizePx, grid, batch, ...options }: FeatureComputerOptions,
): Promise<FeatureComputer> {
  const shape = [batch, imageSizePx, imageSizePx, 3];
  const compiled = await compileFunction(
    ({ images }) => ({ features: descriptor.program(images as tf.Tensor4D, [grid, grid]) }),
    { images: { shape } },
    { name: descriptor.name, ...options },
  );
  const input = new Float32Array(batch * imageSizePx ** 2 * 3);
  return {
    async compute(images, count) {
      const wanted = count * imageSizePx ** 2 * 3;
      if (count < 1 || count > batch || images.length !== wanted) {
        throw new RangeError(`${descriptor.name}: ${images.length} bytes for ${count} images of a batch of ${batch}`);
      }
      // What is left of a longer batch before is computed again, and not returned.
      input.set(images);
      const { features } = await compiled.run({ images: { data: input, shape } });
      const data = features!.data as Float32Array;
      return count === batch ? data : data.slice(0, (data.length / batch) * count);
    },
    dispose: () => compiled.dispose(),
  };
}
