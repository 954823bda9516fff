import { mkdir } from "node:fs/promises";
import path from "node:path";
import sharp from "sharp";
import { fileError, writeFileAtomic } from "../../data/atomic.js";

/** Pixels of the PNG for each unit of the SVG, times 72. */
const PNG_DENSITY = 144;

/**
 * Write the files of a result: texts as they are, each figure as `NAME.svg` and `NAME.png`.
 *
 * @param folder  made if absent.
 * @param texts   contents by file name. @param figures SVGs by name, without an ending.
 * @returns the files.
 * @throws {DataError} a folder that cannot be made, or a file that cannot be written.
 */
export async function writeResult(
  folder: string,
  texts: Readonly<Record<string, string>>,
  figures: Readonly<Record<string, string>>,
): Promise<string[]> {
  const contents: [string, string | Uint8Array][] = Object.entries(texts);
  for (const [name, svg] of Object.entries(figures)) {
    const png = await sharp(Buffer.from(svg), { density: PNG_DENSITY })
      .flatten({ background: "#ffffff" })
      .png()
      .toBuffer();
    contents.push([`${name}.svg`, svg], [`${name}.png`, png]);
  }
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(error, "cannot make", folder);
  }
  for (const [name, content] of contents) await writeFileAtomic(path.join(folder, name), content);
  return contents.map(([name]) => path.join(folder, name));
}
