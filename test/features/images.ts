/** @file Pictures to describe, and a run of a descriptor on them. */
import { randomStream } from "../../data/random.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import type { Descriptor, Grid } from "../../features/descriptor.js";
import type { Device } from "../../src/compile/compile.js";

export interface Picture {
  readonly height: number;
  readonly width: number;
  /** [height,width,3] RGB. */
  readonly pixels: Uint8Array;
}

export function picture(height: number, width: number, colour: (y: number, x: number, c: number) => number): Picture {
  const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return Math.round(colour(Math.floor(pixel / width), pixel % width, i % 3));
  });
  return { height, width, pixels };
}

/** Smooth random colours with edges: most pixels have a gradient, and no two directions are the same. */
export function randomPicture(seed: number, height: number, width: number): Picture {
  const stream = randomStream(seed, "picture", 0);
  const waves = Array.from({ length: 8 }, () => stream.uniform(6));
  return picture(height, width, (y, x, c) => {
    let value = 128;
    for (const [fy, fx, phase, size, edge, tint] of waves as unknown as number[][]) {
      const wave = Math.sin(0.6 * (fy! - 0.5) * y + 0.6 * (fx! - 0.5) * x + 6.3 * phase! + c * tint!);
      value += 24 * size! * (edge! > 0.5 ? Math.sign(wave) : wave);
    }
    return Math.min(255, Math.max(0, value));
  });
}

/** Tokens of pictures of one size, [B,T,D]. */
export async function describePictures(
  descriptor: Descriptor,
  pictures: readonly Picture[],
  grid: Grid,
  device: Device = "cpu",
): Promise<Float32Array> {
  const { height, width } = pictures[0]!;
  const computer = await openFeatureComputer(descriptor, { imageSizePx: [height, width], grid, batch: 2, device });
  try {
    const images = new Uint8Array(pictures.length * height * width * 3);
    for (const [i, { pixels }] of pictures.entries()) images.set(pixels, i * pixels.length);
    return await computer.compute(images, pictures.length);
  } finally {
    await computer.dispose();
  }
}

export const maxDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
};
