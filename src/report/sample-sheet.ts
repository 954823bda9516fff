import sharp from "sharp";
import { DataError } from "../../data/errors.js";
import type { NpzRows } from "../../data/npz-rows.js";

const MOST = 64;
const GAP_PX = 2;

/**
 * The first 64 samples of an array, eight a row, on white: for runs whose `samples.png` is not there.
 *
 * @param array `arr_0` of `samples.npz`: uint8 [N,H,W,3]. Only the samples that are shown are read.
 * @param name  file, for messages.
 * @returns the bytes of a PNG.
 * @throws {DataError} it is no such array, or damaged.
 */
export async function sampleSheet(array: NpzRows | undefined, name: string): Promise<Uint8Array> {
  const [count = 0, heightPx = 0, widthPx = 0, channels] = array?.shape ?? [];
  if (array?.dtype !== "|u1" || array.shape.length !== 4 || channels !== 3 || count < 1) {
    const got = array === undefined ? "no arr_0" : `${array.dtype} [${array.shape.join(", ")}]`;
    throw new DataError(`${name}: wanted arr_0 as uint8 [n, height, width, 3], got ${got}`);
  }
  const shown = Math.min(count, MOST);
  const across = Math.min(shown, Math.ceil(Math.sqrt(shown)));
  const width = across * (widthPx + GAP_PX) - GAP_PX;
  const height = Math.ceil(shown / across) * (heightPx + GAP_PX) - GAP_PX;
  const sheet = new Uint8Array(width * height * 3).fill(255);
  const images = await firstRows(array, shown);
  for (let k = 0; k < shown; k++) {
    const left = (k % across) * (widthPx + GAP_PX);
    const top = Math.floor(k / across) * (heightPx + GAP_PX);
    for (let row = 0; row < heightPx; row++) {
      const from = (k * heightPx + row) * widthPx * 3;
      sheet.set(images.subarray(from, from + widthPx * 3), ((top + row) * width + left) * 3);
    }
  }
  return sharp(sheet, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

async function firstRows(array: NpzRows, count: number): Promise<Uint8Array> {
  for await (const rows of array.batches(count)) return rows;
  throw new Error("an array without rows");
}
