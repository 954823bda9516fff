import { expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { resizeBilinear } from "../../src/evaluate/resize.js";

/** A 5×5 image; green and blue are the red one mirrored and turned over. */
const SIDE = 5;
const value = (row: number, column: number) => (37 * row * row + 91 * column + 13 * row * column) % 256;
const image = new Uint8Array(SIDE * SIDE * 3);
for (let row = 0; row < SIDE; row++) {
  for (let column = 0; column < SIDE; column++) {
    const at = (row * SIDE + column) * 3;
    image.set([value(row, column), value(row, SIDE - 1 - column), value(SIDE - 1 - row, column)], at);
  }
}

// Red channel by Pillow 12.3.0: Image.fromarray(float32 image, mode F).resize((side, side), Image.BILINEAR).
const PILLOW: Record<number, number[][]> = {
  2: [
    [104.9669418334961, 137.36363220214844],
    [131.2975311279297, 160.1570281982422],
  ],
  3: [
    [57.24489974975586, 152.11111450195312, 104.75509643554688],
    [96.74603271484375, 142.44444274902344, 155.63491821289062],
    [137.61224365234375, 154.46031188964844, 167.24490356445312],
  ],
  7: [
    [0.0, 52.0, 117.0, 182.0, 64.14286041259766, 56.0, 108.0],
    [
      21.142860412597656, 77.38775634765625, 147.69387817382812, 218.0, 105.44898223876953, 102.61224365234375,
      158.85714721679688,
    ],
    [
      68.71427917480469, 88.46939086914062, 134.06121826171875, 211.0, 157.3265380859375, 150.6734619140625,
      170.42857360839844,
    ],
    [148.0, 68.57141876220703, 42.42856979370117, 126.0, 209.57142639160156, 183.42857360839844, 104.0],
    [
      97.28571319580078, 127.65306854248047, 134.2653045654297, 93.85713958740234, 184.0612335205078, 164.551025390625,
      90.42857360839844,
    ],
    [
      78.28572082519531, 155.75509643554688, 179.448974609375, 93.42857360839844, 190.2653045654297, 177.38775634765625,
      108.57142639160156,
    ],
    [80.0, 161.7142791748047, 190.7142791748047, 110.0, 212.14285278320312, 204.57142639160156, 140.0],
  ],
};

test.each([2, 3, 7])("resizing 5 px to %i px is Pillow's, in every channel and image of a batch", (target) => {
  const batch = new Uint8Array(image.length * 2);
  batch.set(image, image.length);
  const resized = resizeBilinear(batch, 2, SIDE, target);
  const last = target - 1;
  for (let row = 0; row < target; row++) {
    for (let column = 0; column < target; column++) {
      const at = ((target + row) * target + column) * 3;
      const want = [
        PILLOW[target]![row]![column]!,
        PILLOW[target]![row]![last - column]!,
        PILLOW[target]![last - row]![column]!,
      ];
      for (const [c, expected] of want.entries()) expect(resized[at + c]).toBeCloseTo(expected, 3);
    }
  }
  expect(resized.subarray(0, resized.length / 2).every((pixel) => pixel === 0)).toBe(true);
});

test("the same size is an exact copy, and flat images stay flat", () => {
  expect([...resizeBilinear(image, 1, SIDE, SIDE)]).toEqual([...image]);
  for (const target of [1, 3, 11]) {
    for (const pixel of resizeBilinear(new Uint8Array(48).fill(77), 1, 4, target)) expect(pixel).toBeCloseTo(77, 4);
  }
});

test("a length that does not fit is refused", () => {
  expect(() => resizeBilinear(new Uint8Array(10), 1, 4, 2)).toThrow(ShapeError);
});
