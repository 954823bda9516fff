import type tf from "@tensorflow/tfjs";
import { ShapeError } from "../data/errors.js";
import { compileFunction, type Device } from "../src/compile/compile.js";
import type { Descriptor, Grid } from "./descriptor.js";

export interface FeatureComputerOptions {
  /** Side of the images in pixels, or [height, width]. */
  readonly imageSizePx: number | readonly [height: number, width: number];
  /** Tokens a side, or [rows, cols]. */
  readonly grid: number | Grid;
  /** Images that go through the compiled program at once. */
  readonly batch: number;
  /** @default "cpu" */
  readonly device?: Device;
  /** Threads of one operator; 0: all that the process may use. @default 0 */
  readonly threads?: number;
}

/** A descriptor compiled for one image size, grid and batch. Calls must not overlap. */
export interface FeatureComputer {
  /**
   * @param images [count,H,W,3] RGB, uint8. Read only.
   * @param count  any number; the last batch is padded.
   * @returns      [count,T,D] float32, the caller's.
   * @throws {ShapeError} another number of bytes.
   */
  compute(images: Uint8Array, count: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

const pair = (sides: number | readonly [number, number]): readonly [number, number] =>
  typeof sides === "number" ? [sides, sides] : sides;

/**
 * Compile a descriptor.
 *
 * @throws {ShapeError} sizes that are not whole numbers of 1 or more, or that the descriptor cannot take.
 */
export async function openFeatureComputer(
  descriptor: Descriptor,
  { imageSizePx, grid, batch, device = "cpu", threads = 0 }: FeatureComputerOptions,
): Promise<FeatureComputer> {
  const [height, width] = pair(imageSizePx);
  const cells = pair(grid);
  if (![height, width, ...cells, batch].every((side) => Number.isSafeInteger(side) && side >= 1)) {
    throw new ShapeError(
      `features ${descriptor.name}: want sizes of 1 or more, got ${height} × ${width} px, ${cells.join(" × ")} tokens, batch ${batch}`,
    );
  }
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
