import { expect, test } from "vitest";
import type { RgbImage } from "../../data/decode-image.js";
import { type CropPlace, randomCrop } from "../../data/random-crop.js";

/** Not square, and no two rows or columns alike. */
const [WIDTH, HEIGHT] = [50, 31];
const pixelAt = (y: number, x: number) => [(7 * y + 3 * x) % 256, (x * y) % 256, (5 * x + 11 * y * y) % 256];
const image: RgbImage = {
  width: WIDTH,
  height: HEIGHT,
  data: Uint8Array.from(
    Array.from({ length: WIDTH * HEIGHT }, (_, i) => pixelAt(Math.floor(i / WIDTH), i % WIDTH)).flat(),
  ),
};

// Pillow 12.3.0 on the same image, with the lines of ADM's random_crop_arr (image size 6): box-halved while the short side is at
// least twice 6, 7 or 8, then BICUBIC to 6×10, 7×12 and 8×13, then [y:y+6, x:x+6] from (0,4), (1,1) and (1,4).
// biome-ignore format: three long lines
const PILLOW: readonly [CropPlace, readonly number[]][] = [
  [[0.0, 0.0, 0.999], [80, 43, 144, 98, 60, 166, 112, 71, 155, 127, 75, 164, 142, 73, 162, 156, 79, 133, 111, 147, 126, 129, 147, 110, 143, 153, 130, 158, 153, 141, 174, 142, 152, 192, 142, 108, 148, 153, 157, 166, 128, 156, 181, 91, 136, 204, 114, 121, 219, 143, 82, 198, 131, 97, 195, 132, 140, 222, 105, 133, 228, 144, 129, 169, 138, 149, 109, 120, 120, 77, 123, 124, 231, 134, 83, 162, 133, 98, 83, 118, 126, 45, 130, 153, 29, 120, 166, 42, 138, 174, 79, 130, 91, 36, 123, 127, 34, 135, 137, 50, 125, 123, 69, 135, 134, 84, 118, 115]],
  [[0.5, 0.75, 0.25], [56, 32, 119, 68, 54, 139, 80, 76, 159, 92, 98, 115, 107, 125, 119, 122, 153, 101, 84, 54, 139, 96, 92, 159, 108, 130, 131, 120, 168, 135, 135, 193, 160, 150, 119, 137, 122, 83, 93, 134, 143, 113, 146, 193, 133, 158, 128, 132, 173, 96, 150, 188, 147, 175, 161, 114, 121, 173, 196, 125, 185, 86, 97, 197, 104, 117, 212, 174, 132, 227, 69, 103, 189, 136, 181, 201, 170, 137, 213, 76, 77, 225, 174, 49, 230, 104, 74, 143, 163, 99, 217, 158, 145, 229, 112, 165, 241, 130, 185, 157, 148, 93, 44, 130, 102, 27, 113, 127]],
  [[0.99, 0.5, 0.5], [87, 85, 123, 98, 105, 132, 110, 129, 112, 122, 151, 115, 133, 166, 120, 145, 163, 137, 113, 153, 135, 124, 193, 161, 136, 181, 151, 148, 137, 112, 159, 91, 129, 171, 97, 121, 140, 195, 140, 151, 126, 147, 163, 74, 172, 175, 102, 190, 186, 139, 192, 199, 155, 181, 172, 83, 144, 183, 93, 152, 195, 165, 158, 208, 148, 138, 224, 104, 82, 240, 128, 106, 200, 89, 82, 212, 186, 107, 230, 126, 103, 244, 87, 98, 205, 151, 120, 123, 127, 142, 232, 164, 47, 232, 130, 69, 184, 100, 90, 102, 165, 112, 29, 100, 130, 20, 124, 135]],
];

test.each(PILLOW)("the random crop at %j is Pillow's", (place, expected) => {
  expect([...randomCrop(image, 6, place)]).toEqual(expected);
});

test("all sizes from 1 to 1.25 and all places are drawn, and nothing beyond the image", () => {
  // A ramp of 20 columns shows where a crop of 16 lies: sizes 16…20 leave 1…5 columns and as many rows.
  const ramp = { width: 20, height: 20, data: new Uint8Array(1200).map((_, i) => 10 * (Math.floor(i / 3) % 20)) };
  const lefts = new Set<number>();
  for (const left of [0, 0.2, 0.4, 0.6, 0.8, 1 - 2 ** -24])
    lefts.add(randomCrop(ramp, 16, [1 - 2 ** -24, 0, left])[0]!);
  expect([...lefts]).toEqual([0, 10, 20, 30, 40]);
  // The least size leaves no choice: the whole image, made smaller.
  expect(randomCrop(ramp, 16, [0, 0.9, 0.9])).toEqual(randomCrop(ramp, 16, [0, 0, 0]));
  expect(randomCrop(ramp, 16, [0, 0, 0])[45]).toBeGreaterThan(180);
});
