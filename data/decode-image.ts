import sharp from "sharp";
import { DataError } from "./errors.js";

/** A decoded image: RGB, uint8, row-major, [height, width, 3]. */
export interface RgbImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Decode a JPEG, PNG or WebP file as the field's Python tools do (Pillow's `convert("RGB")`): the pixels as they are stored, an
 * embedded colour profile and an EXIF orientation ignored, transparency dropped, gray repeated, 16 bits cut to 8.
 *
 * @param bytes the whole file.
 * @param name shown in errors.
 * @throws {DataError} a file that is damaged, truncated or no image.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<RgbImage> {
  try {
    const { data, info } = await sharp(bytes, { failOn: "truncated", ignoreIcc: true, limitInputPixels: 2 ** 28 })
      .toColourspace("srgb")
      .removeAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels === 3) return { data, width, height };
    if (channels !== 1) throw new Error(`${channels} channels`);
    const rgb = new Uint8Array(3 * data.length);
    for (const [i, value] of data.entries()) rgb.fill(value, 3 * i, 3 * i + 3);
    return { data: rgb, width, height };
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s*\n\s*/g, "; ");
    throw new DataError(`${name} cannot be decoded: ${reason}`, {
      hint: "replace or remove it, or leave such files out with --skip-bad",
      cause,
    });
  }
}
