/** @file Raw patches and their orthonormal transforms: cosines and Haar wavelets. */
import { expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import type { Grid } from "../../features/descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";
import { grayOf } from "./naive-cells.js";

/** The gray levels of the cells, 0..1, of a grid of whole square cells. */
function grayCells(image: Picture, [rows, cols]: Grid): number[][] {
  const gray = grayOf(image);
  const side = image.height / rows;
  return Array.from({ length: rows * cols }, (_, t) =>
    Array.from({ length: side * side }, (_, i) => {
      const y = Math.floor(t / cols) * side + Math.floor(i / side);
      return gray(y, (t % cols) * side + (i % side)) / 255;
    }),
  );
}

test("cells of the patch's size are copied", async () => {
  const image = randomPicture(1, 16, 24);
  const got = await describePictures(parseTarget("pixels:size=8"), [image], [2, 3]);
  const want = Array.from({ length: 6 * 192 }, (_, i) => {
    const [t, y, x, c] = [Math.floor(i / 192), Math.floor((i % 192) / 24), Math.floor((i % 24) / 3), i % 3];
    return image.pixels[((Math.floor(t / 3) * 8 + y) * 24 + (t % 3) * 8 + x) * 3 + c]! / 255;
  });
  expect(maxDifference(got, want)).toBeLessThan(1e-7);
});

test("larger cells are averaged over equal areas, and pixels of smaller ones repeated", async () => {
  const image = randomPicture(2, 12, 18);
  const got = await describePictures(parseTarget("pixels:size=2"), [image], [2, 3]);
  const level = (y: number, x: number, c: number) => image.pixels[(y * 18 + x) * 3 + c]! / 255;
  const mean = (top: number, left: number, c: number): number => {
    let sum = 0;
    for (let i = 0; i < 9; i++) sum += level(top + Math.floor(i / 3), left + (i % 3), c);
    return sum / 9;
  };
  const want = Array.from({ length: 6 * 12 }, (_, i) => {
    const [t, y, x, c] = [Math.floor(i / 12), Math.floor((i % 12) / 6), Math.floor((i % 6) / 3), i % 3];
    return mean((Math.floor(t / 3) * 2 + y) * 3, ((t % 3) * 2 + x) * 3, c);
  });
  expect(maxDifference(got, want)).toBeLessThan(1e-6);

  const repeated = await describePictures(parseTarget("pixels:size=4"), [image], [12, 18]);
  for (const [t, i] of [
    [0, 0],
    [20, 17],
    [215, 47],
  ] as const) {
    expect(repeated[t * 48 + i]).toBeCloseTo(level(Math.floor(t / 18), t % 18, i % 3), 6);
  }
  // Broken cells: no pixel is lost or counted twice.
  const broken = await describePictures(parseTarget("pixels:size=2"), [randomPicture(3, 31, 37)], [3, 4]);
  const all = randomPicture(3, 31, 37).pixels.reduce((sum, v) => sum + v, 0) / (31 * 37 * 3 * 255);
  expect(broken.reduce((sum, v) => sum + v, 0) / broken.length).toBeCloseTo(all, 5);
});

test("dct equals the sums of ITU-T T.81, A.3.3, in the order of its zig-zag", async () => {
  const image = randomPicture(4, 16, 24);
  const got = await describePictures(parseTarget("dct:size=8"), [image], [2, 3]);
  // ITU-T T.81, figure A.6: where in the zig-zag each coefficient of a block of 8 × 8 is.
  const places = [
    [0, 1, 5, 6, 14, 15, 27, 28],
    [2, 4, 7, 13, 16, 26, 29, 42],
    [3, 8, 12, 17, 25, 30, 41, 43],
    [9, 11, 18, 24, 31, 40, 44, 53],
    [10, 19, 23, 32, 39, 45, 52, 54],
    [20, 22, 33, 38, 46, 51, 55, 60],
    [21, 34, 37, 47, 50, 56, 59, 61],
    [35, 36, 48, 49, 57, 58, 62, 63],
  ].flat();
  for (const [t, cell] of grayCells(image, [2, 3]).entries()) {
    const want = new Float32Array(64);
    for (const [i, place] of places.entries()) {
      const [v, u] = [Math.floor(i / 8), i % 8];
      const scale = (f: number): number => (f === 0 ? Math.SQRT1_2 : 1);
      const wave = (x: number, f: number): number => Math.cos(((2 * x + 1) * f * Math.PI) / 16);
      const sum = cell.reduce((total, level, j) => total + level * wave(j % 8, u) * wave(Math.floor(j / 8), v), 0);
      want[place] = (scale(u) * scale(v) * sum) / 4;
    }
    expect(maxDifference(got.subarray(t * 64, (t + 1) * 64), want)).toBeLessThan(5e-6);
  }
  const few = await describePictures(parseTarget("dct:size=8,keep=5"), [image], [2, 3]);
  expect(maxDifference(few.subarray(5, 10), got.subarray(64, 69))).toBe(0);
});

test("haar equals scalar products with the wavelets drawn as pictures", async () => {
  const image = randomPicture(5, 16, 24);
  const got = await describePictures(parseTarget("haar:levels=3"), [image], [2, 3]);
  /** Σ of a cell under a wavelet: constant, or of one sign in each half of a square. */
  const want = grayCells(image, [2, 3]).flatMap((cell) => {
    const product = (weight: (y: number, x: number) => number): number =>
      cell.reduce((sum, v, i) => sum + v * weight(Math.floor(i / 8), i % 8), 0);
    const values = [product(() => 1 / 8)];
    for (const side of [8, 4, 2]) {
      for (const [flipsRows, flipsCols] of [
        [false, true],
        [true, false],
        [true, true],
      ] as const) {
        for (let top = 0; top < 8; top += side) {
          for (let left = 0; left < 8; left += side) {
            values.push(
              product((y, x) => {
                const [v, u] = [y - top, x - left];
                if (v < 0 || u < 0 || v >= side || u >= side) return 0;
                const sign = (flipsRows && v >= side / 2 ? -1 : 1) * (flipsCols && u >= side / 2 ? -1 : 1);
                return sign / side;
              }),
            );
          }
        }
      }
    }
    return values;
  });
  expect(maxDifference(got, want)).toBeLessThan(5e-6);
});

test("both transforms keep all distances; in colour, channel after channel", async () => {
  const image = randomPicture(6, 32, 32);
  for (const target of ["dct:keep=256,colour", "haar:colour"]) {
    const got = await describePictures(parseTarget(target), [image], [2, 2]);
    const raw = await describePictures(parseTarget("pixels"), [image], [2, 2]);
    const distance = (tokens: Float32Array, channel: number | undefined): number => {
      let sum = 0;
      for (let i = 0; i < 768; i++) {
        const own = tokens === raw ? i % 3 : Math.floor(i / 256);
        if (channel === undefined || own === channel) sum += (tokens[i]! - tokens[768 + i]!) ** 2;
      }
      return sum;
    };
    for (const channel of [undefined, 0, 1, 2]) expect(distance(got, channel)).toBeCloseTo(distance(raw, channel), 3);
  }
});

test("say what they cannot take", async () => {
  for (const target of ["pixels", "dct", "haar"]) {
    const many = describePictures(parseTarget(target), [picture(8, 8, () => 0)], [9, 4]);
    await expect(many).rejects.toThrow(ShapeError);
  }
  expect(() => parseTarget("dct:size=4")).toThrow(/keep=64 is more than the 4·4 coefficients of a patch — keep=16/);
  expect(parseTarget("dct:colour,keep=10").name).toBe("dct:keep=10,colour");
  expect(parseTarget("haar:levels=2,colour").dim).toBe(48);
});
