import { createHash } from "node:crypto";
import { ShapeError } from "../data/errors.js";
import type { FeatureComputerOptions } from "./descriptor.js";
import { pair } from "./pair.js";

/**
 * The images of a batch, one by one, as views of it.
 *
 * @param name of the descriptor, for the message.
 * @throws {ShapeError} bytes that are not `count` images of that size.
 */
export function splitImages(
  images: Uint8Array,
  count: number,
  { imageSizePx }: Pick<FeatureComputerOptions, "imageSizePx">,
  name: string,
): Uint8Array[] {
  const [height, width] = pair(imageSizePx);
  const size = height * width * 3;
  if (images.length !== count * size) {
    throw new ShapeError(
      `features ${name}: want ${count} images of ${height} × ${width} × 3 bytes, got ${images.length} bytes`,
    );
  }
  return Array.from({ length: count }, (_, i) => images.subarray(i * size, (i + 1) * size));
}

/** SHA-256 (hex) of an image's bytes: names the random numbers of the controls, so that an image always gets the same ones. */
export const imageDigest = (image: Uint8Array): string => createHash("sha256").update(image).digest("hex");
