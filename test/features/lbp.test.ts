import { expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import type { Grid } from "../../features/descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";
import { CASES, grayOf, pixelsOfCells, turned } from "./naive-cells.js";

/** The paper's definition in floating point: neighbours on a circle, bilinear samples, strings of bits. */
function naiveLbp(image: Picture, grid: Grid, isInvariant: boolean): number[] {
  const gray = grayOf(image);
  const sample = (y: number, x: number): number => {
    const [top, left] = [Math.floor(y + 1e-9), Math.floor(x + 1e-9)];
    const [down, right] = [y - top, x - left];
    const row = (at: number): number => gray(at, left) * (1 - right) + gray(at, left + 1) * right;
    return row(top) * (1 - down) + row(top + 1) * down;
  };
  const changes = (bits: string): number => [...bits].filter((bit, k) => bit !== bits[(k + 1) % 8]).length;
  const codeOf = (bits: string): number => [...bits].reduce((sum, bit, k) => sum + Number(bit) * 2 ** k, 0);
  const allBits = Array.from({ length: 256 }, (_, code) => [...code.toString(2).padStart(8, "0")].reverse().join(""));
  const uniform = allBits.filter((bits) => changes(bits) <= 2).map(codeOf);
  expect(uniform).toHaveLength(58);
  return pixelsOfCells(image, grid).flatMap((pixels) => {
    const histogram = new Array<number>(isInvariant ? 10 : 59).fill(0);
    for (const { y, x, share } of pixels) {
      let bits = "";
      for (let k = 0; k < 8; k++) {
        const angle = (Math.PI * k) / 4;
        bits += sample(y - Math.sin(angle), x + Math.cos(angle)) - gray(y, x) >= -1e-6 ? "1" : "0";
      }
      const ones = [...bits].filter((bit) => bit === "1").length;
      const isUniform = changes(bits) <= 2;
      const bin = isInvariant ? (isUniform ? ones : 9) : isUniform ? uniform.indexOf(codeOf(bits)) : 58;
      histogram[bin]! += share;
    }
    return histogram;
  });
}

test.each(["lbp", "lbp:riu2"])("%s equals its definition written out", async (target) => {
  for (const [height, width, grid] of CASES) {
    const pictures = [1, 2, 3].map((seed) => randomPicture(seed, height, width));
    const got = await describePictures(parseTarget(target), pictures, grid);
    const want = pictures.flatMap((image) => naiveLbp(image, grid, target === "lbp:riu2"));
    expect(maxDifference(got, want)).toBeLessThan(1e-6);
  }
});

test("does not see brightness and contrast", async () => {
  const image = randomPicture(4, 32, 32);
  const half = { ...image, pixels: image.pixels.map((_, i) => image.pixels[i - (i % 3)]! >> 1) };
  const bright = { ...image, pixels: half.pixels.map((v) => 2 * v + 1) };
  const tokens = await describePictures(parseTarget("lbp"), [half, bright], [2, 2]);
  expect(maxDifference(tokens.subarray(0, 4 * 59), tokens.subarray(4 * 59))).toBeLessThan(1e-7);
});

test("a quarter turn moves the cells of lbp:riu2 and changes nothing in them; lbp sees it", async () => {
  const image = randomPicture(5, 32, 32);
  const order = [1, 3, 0, 2]; // where the cells of the turned picture were
  for (const [target, dim, isBlind] of [
    ["lbp:riu2", 10, true],
    ["lbp", 59, false],
  ] as const) {
    const tokens = await describePictures(parseTarget(target), [image, turned(image)], [2, 2]);
    const moved = order.flatMap((cell) => [...tokens.subarray(cell * dim, (cell + 1) * dim)]);
    const difference = maxDifference(tokens.subarray(4 * dim), moved);
    if (isBlind) expect(difference).toBeLessThan(1e-6);
    else expect(difference).toBeGreaterThan(0.02);
  }
});

test("in flat pictures every neighbour is as bright as the pixel", async () => {
  const tokens = await describePictures(parseTarget("lbp:riu2"), [picture(17, 23, () => 200)], [2, 3]);
  for (let cell = 0; cell < 6; cell++) expect(tokens[cell * 10 + 8]).toBeCloseTo(1, 6);
});

test("says what it cannot take", async () => {
  const many = describePictures(parseTarget("lbp"), [picture(8, 8, () => 0)], [9, 4]);
  await expect(many).rejects.toThrow(ShapeError);
  await expect(many).rejects.toThrow(/lbp: want cells of 1 px or more, got an image of 8 × 8 px in 9 × 4 cells/);
  expect(() => parseTarget("lbp:riu")).toThrow(/did you mean "lbp:riu2"/);
});
