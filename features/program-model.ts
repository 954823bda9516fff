/** @file A descriptor's program as a model that native code runs. Knows nothing of TensorFlow.js, so that a thread is ready soon. */
import { ShapeError } from "../data/errors.js";
import { openModel } from "../src/compile/session.js";
import type { FeatureComputer, Grid } from "./descriptor.js";

/** Plain data, which may be sent to other threads. */
export interface ProgramModel {
  /** Of the descriptor. */
  readonly name: string;
  /** The bytes of an ONNX model: `in/images` [batch,H,W,3] float32 → `features` [batch,T,D]. */
  readonly model: Uint8Array;
  readonly sizes: ProgramSizes;
}

export interface ProgramSizes {
  /** Images at once. */
  readonly batch: number;
  readonly imageSizePx: readonly [height: number, width: number];
  readonly grid: Grid;
  /** D */
  readonly dim: number;
}

/** Ready to describe images on the CPU. @param threads of one operator; 0: all that the process may use. */
export async function openProgramModel(
  { name, model, sizes }: ProgramModel,
  threads: number,
): Promise<FeatureComputer> {
  const opened = await openModel(model, { threads });
  const [height, width] = sizes.imageSizePx;
  const shape = [sizes.batch, height, width, 3];
  const run = async (images: Float32Array): Promise<Float32Array> => {
    const { features } = await opened.run({ "in/images": { data: images, shape } });
    return features!.data as Float32Array;
  };
  return { compute: computeInBatches(name, sizes, run), dispose: () => opened.dispose() };
}

/**
 * {@link FeatureComputer.compute} of what takes a fixed number of images.
 *
 * @param run [batch,H,W,3] float32, 0..255 → [batch,T,D].
 */
export function computeInBatches(
  name: string,
  { batch, imageSizePx: [height, width], grid, dim }: ProgramSizes,
  run: (images: Float32Array) => Promise<Float32Array>,
): FeatureComputer["compute"] {
  const imageBytes = height * width * 3;
  const rowSize = grid[0] * grid[1] * dim;
  const pixels = new Float32Array(batch * imageBytes);
  return async (images, count) => {
    if (images.length !== count * imageBytes) {
      throw new ShapeError(
        `features ${name}: want ${count} images of ${height} × ${width} × 3 bytes, got ${images.length} bytes`,
      );
    }
    const features = new Float32Array(count * rowSize);
    for (let first = 0; first < count; first += batch) {
      const taken = Math.min(batch, count - first);
      pixels.set(images.subarray(first * imageBytes, (first + taken) * imageBytes));
      pixels.fill(0, taken * imageBytes);
      features.set((await run(pixels)).subarray(0, taken * rowSize), first * rowSize);
    }
    return features;
  };
}
