/** @file A descriptor's program as a model that native code runs. Knows nothing of TensorFlow.js, so that a thread is ready soon. */
import { ShapeError } from "../data/errors.js";
import { openModel } from "../src/compile/session.js";
import type { FeatureComputer, Grid } from "./descriptor.js";
import { openPixelPass, type PixelPass } from "./pixel-pass.js";

/** Plain data, which may be sent to other threads. */
export interface ProgramModel {
  /** Of the descriptor. */
  readonly name: string;
  /** The bytes of an ONNX model: `in/given` [batch,H,W,3] float32, or what the pass makes → `features` [batch,T,D]. */
  readonly model: Uint8Array;
  /** What comes before the model. */
  readonly pass?: PixelPass;
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
  { name, model, pass, sizes }: ProgramModel,
  threads: number,
): Promise<FeatureComputer> {
  const opened = await openModel(model, { threads });
  const [height, width] = sizes.imageSizePx;
  const prepare = pass === undefined ? pixelsAsFloats(sizes) : openPixelPass(pass, sizes.batch, height * width * 3);
  const shape = [sizes.batch, ...(pass?.shape ?? [height, width, 3])];
  const run = async (images: Uint8Array): Promise<Float32Array> => {
    const { features } = await opened.run({ "in/given": { data: prepare(images), shape } });
    return features!.data as Float32Array;
  };
  return { compute: computeInBatches(name, sizes, run), dispose: () => opened.dispose() };
}

/** @returns [count,H,W,3] uint8, count ≤ batch → [batch,H,W,3] float32, 0..255; the same memory for every call. */
export function pixelsAsFloats({ batch, imageSizePx: [height, width] }: ProgramSizes) {
  const pixels = new Float32Array(batch * height * width * 3);
  return (images: Uint8Array): Float32Array => {
    pixels.set(images);
    return pixels.fill(0, images.length);
  };
}

/**
 * {@link FeatureComputer.compute} of what takes a limited number of images.
 *
 * @param run [count,H,W,3], count ≤ batch → [batch,T,D].
 */
export function computeInBatches(
  name: string,
  { batch, imageSizePx: [height, width], grid, dim }: ProgramSizes,
  run: (images: Uint8Array) => Promise<Float32Array>,
): FeatureComputer["compute"] {
  const imageBytes = height * width * 3;
  const rowSize = grid[0] * grid[1] * dim;
  return async (images, count) => {
    if (images.length !== count * imageBytes) {
      throw new ShapeError(
        `features ${name}: want ${count} images of ${height} × ${width} × 3 bytes, got ${images.length} bytes`,
      );
    }
    const features = new Float32Array(count * rowSize);
    for (let first = 0; first < count; first += batch) {
      const taken = Math.min(batch, count - first);
      const described = await run(images.subarray(first * imageBytes, (first + taken) * imageBytes));
      features.set(described.subarray(0, taken * rowSize), first * rowSize);
    }
    return features;
  };
}
