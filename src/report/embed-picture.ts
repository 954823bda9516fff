import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { fileError } from "../../data/atomic.js";
import { DataError } from "../../data/errors.js";

/** A picture inside a page. */
export interface EmbeddedPicture {
  /** `data:image/png;base64,…`, or `webp` where it was made smaller. */
  readonly uri: string;
  readonly widthPx: number;
  readonly heightPx: number;
  /** The picture was made smaller to keep the page light. */
  readonly isReduced: boolean;
}

/**
 * A PNG file as a data URI. Pictures wider than `mostPx` are made smaller and slightly lossy, for a page of less than 10 MB; the
 * others go in byte for byte.
 *
 * @throws {DataError} the file is missing or no picture.
 */
export async function embedPicture(file: string, mostPx = 1200): Promise<EmbeddedPicture> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw fileError(error, "cannot read", file);
  }
  return embedBytes(bytes, file, mostPx);
}

/** As {@link embedPicture}, for bytes of a PNG; `name` is for messages. */
export async function embedBytes(bytes: Uint8Array, name: string, mostPx = 1200): Promise<EmbeddedPicture> {
  try {
    const { width, height, format } = await sharp(bytes).metadata();
    if (format === "png" && width <= mostPx) {
      await sharp(bytes).stats(); // decodes all of it: a torn file must not get into the report
      return { uri: dataUri(bytes), widthPx: width, heightPx: height, isReduced: false };
    }
    const { data, info } = await sharp(bytes)
      .resize({ width: Math.min(width, mostPx) })
      .webp(width > mostPx ? { quality: 85 } : { lossless: true })
      .toBuffer({ resolveWithObject: true });
    return { uri: dataUri(data, "webp"), widthPx: info.width, heightPx: info.height, isReduced: width > mostPx };
  } catch (cause) {
    throw new DataError(`${name}: not a readable picture`, { hint: "remove it and make it again", cause });
  }
}

/**
 * Pictures of one size below each other, as a data URI of one WebP: made smaller to `mostWide` pixels where they are wider, and then
 * slightly lossy; exact otherwise.
 *
 * @throws {DataError} one of them is missing or no picture, or is not as large as the first.
 */
export async function stackPictures(files: readonly string[], mostWide?: number): Promise<string> {
  const rows: Buffer[] = [];
  let size: { readonly width: number; readonly height: number } | undefined;
  for (const file of files) {
    try {
      const picture = sharp(await readFile(file)).removeAlpha();
      const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
      size ??= { width: info.width, height: info.height };
      if (info.width !== size.width || info.height !== size.height) {
        throw new DataError(`wanted ${size.width}×${size.height} pixels, got ${info.width}×${info.height}`);
      }
      rows.push(data);
    } catch (cause) {
      const told = fileError(cause, "cannot read", file);
      throw told === cause
        ? new DataError(`${file}: not a readable picture, or of another size than the first`, { cause })
        : told;
    }
  }
  const { width, height } = size!;
  const all = sharp(Buffer.concat(rows), { raw: { width, height: height * files.length, channels: 3 } });
  const isReduced = mostWide !== undefined && width > mostWide;
  if (isReduced) all.resize({ width: mostWide });
  const bytes = await all.webp(isReduced ? { quality: 85 } : { lossless: true }).toBuffer();
  return dataUri(bytes, "webp");
}

function dataUri(bytes: Uint8Array, format = "png"): string {
  return `data:image/${format};base64,${Buffer.from(bytes).toString("base64")}`;
}
