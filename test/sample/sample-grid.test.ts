import sharp from "sharp";
import { expect, test } from "vitest";
import { writePixels } from "../../data/write-pixels.js";
import { sampleGrid } from "../../src/sample/sample-grid.js";

test("convention: pixels are 255·(x+1)/2, clamped, truncated, channels last", () => {
  // Two channels of 1×4. 0.999 would round to 255; 127.5·x + 128 would make 0 into 128.
  const out = new Uint8Array(8);
  writePixels([-1, 0, 0.999, 1, -7, 7, 0.5, -0.25], 2, out);
  expect([...out]).toEqual([0, 0, 127, 255, 254, 191, 255, 95]);
});

const flat = (colours: number[][], sidePx: number): Uint8Array =>
  Uint8Array.from(
    colours.flatMap(
      (colour) =>
        Array(sidePx * sidePx)
          .fill(colour)
          .flat() as number[],
    ),
  );

test("the grid goes row by row on white, as square as can be", async () => {
  const colours = [1, 2, 3, 4, 5].map((n) => [n * 10, 0, 255 - n]);
  const png = await sampleGrid(flat(colours, 3), [5, 3, 3], { gapPx: 1 });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([11, 7, 3]); // 3 across, 2 down
  const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
  for (const [k, colour] of colours.entries()) {
    const [left, top] = [(k % 3) * 4, Math.floor(k / 3) * 4];
    expect(at(left, top)).toEqual(colour);
    expect(at(left + 2, top + 2)).toEqual(colour);
  }
  expect(at(3, 0)).toEqual([255, 255, 255]); // between
  expect(at(9, 5)).toEqual([255, 255, 255]); // the sixth place is empty
});

test("shows at most so many, in so many columns; refuses what is not whole images", async () => {
  const images = flat(
    [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ],
    2,
  );
  const { width, height } = await sharp(await sampleGrid(images, [3, 2, 2], { most: 2, gapPx: 0 })).metadata();
  expect([width, height]).toEqual([4, 2]);
  const column = await sharp(await sampleGrid(images, [3, 2, 2], { columns: 1, gapPx: 0 })).metadata();
  expect([column.width, column.height]).toEqual([2, 6]);
  await expect(sampleGrid(images, [4, 2, 2])).rejects.toThrow("36 bytes are not 4 RGB images of 2×2");
});
