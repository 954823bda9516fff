import { describe, expect, test } from "vitest";
import { INTERPOLATIONS, resizeImages } from "../../features/resize-images.js";

/** 5×5; green is the red one turned over, so that a batch with rows and columns swapped cannot pass. */
const SIDE = 5;
const value = (row: number, column: number) => (37 * row * row + 91 * column + 13 * row * column) % 256;
const image = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
  const [row, column, c] = [Math.floor(i / 15), Math.floor(i / 3) % SIDE, i % 3];
  return c === 1 ? value(SIDE - 1 - row, column) : value(row, column);
});

// PyTorch 2.13.0, interpolate(float64 image, size, mode, align_corners=False, antialias): all rows of 3, rows 0 and 5 of 7.
const PYTORCH: Record<string, { 3: number[][]; 7: number[][] }> = {
  bilinear: {
    3: [
      [44.1111, 203.0, 105.8889],
      [101.6667, 126.0, 150.3333],
      [125.2222, 100.3333, 160.7778],
    ],
    7: [
      [0.0, 52.0, 117.0, 182.0, 64.1429, 56.0, 108.0],
      [78.2857, 155.7551, 179.449, 93.4286, 190.2653, 177.3878, 108.5714],
    ],
  },
  bicubic: {
    3: [
      [34.4252, 208.4444, 97.2291],
      [97.7407, 126.0, 154.2593],
      [130.8011, 98.3704, 166.0219],
    ],
    7: [
      [-9.9952, 39.8461, 127.9019, 177.0408, 48.9202, 31.3668, 108.0769],
      [57.9223, 181.1055, 207.8771, 88.4519, 195.8165, 189.6005, 96.7149],
    ],
  },
  "bilinear-antialias": {
    3: [
      [57.2449, 152.1111, 104.7551],
      [96.746, 142.4444, 155.6349],
      [137.6122, 154.4603, 167.2449],
    ],
    7: [
      [0.0, 52.0, 117.0, 182.0, 64.1429, 56.0, 108.0],
      [78.2857, 155.7551, 179.449, 93.4286, 190.2653, 177.3878, 108.5714],
    ],
  },
  "bicubic-antialias": {
    3: [
      [55.8431, 156.0436, 103.4388],
      [94.0447, 144.7472, 160.1377],
      [136.8338, 159.6051, 166.4689],
    ],
    7: [
      [-7.4122, 42.3411, 121.3346, 178.3301, 48.7367, 41.2997, 108.0724],
      [64.653, 168.6244, 201.4108, 90.7812, 199.0446, 183.8587, 101.0053],
    ],
  },
};

const TF1 = "bilinear-tf1";

describe.each(INTERPOLATIONS.filter((name) => name !== TF1))("%s", (interpolation) => {
  test.each([3, 7] as const)("resizing 5 px to %i px is PyTorch's", (target) => {
    const resized = resizeImages(image, { count: 1, sizePx: SIDE, targetPx: target, interpolation });
    const rows = target === 3 ? [0, 1, 2] : [0, 5];
    for (const [i, row] of rows.entries()) {
      for (let column = 0; column < target; column++) {
        const want = PYTORCH[interpolation]![target][i]![column]!;
        expect(resized[(row * target + column) * 3]).toBeCloseTo(want, 3);
        expect(resized[((target - 1 - row) * target + column) * 3 + 1]).toBeCloseTo(want, 3);
      }
    }
  });

  test("flat images stay flat", () => {
    for (const targetPx of [1, 3, 11]) {
      const options = { count: 1, sizePx: 4, targetPx, interpolation };
      for (const pixel of resizeImages(new Uint8Array(48).fill(77), options)) expect(pixel).toBeCloseTo(77, 4);
    }
  });
});

describe(TF1, () => {
  const resize = (targetPx: number, from = image, sizePx = SIDE) =>
    resizeImages(from, { count: 1, sizePx, targetPx, interpolation: TF1 });

  test.each([3, 7, 10])("5 px to %i px is TensorFlow 1's: pixel i looks at source i·size/target", (target) => {
    const resized = resize(target);
    for (let y = 0; y < target; y++) {
      for (let x = 0; x < target; x++) {
        const [row, column] = [(y * SIDE) / target, (x * SIDE) / target];
        const [r, c] = [Math.floor(row), Math.floor(column)];
        const at = (i: number, j: number) => value(Math.min(i, SIDE - 1), Math.min(j, SIDE - 1));
        const upper = at(r, c) + (at(r, c + 1) - at(r, c)) * (column - c);
        const lower = at(r + 1, c) + (at(r + 1, c + 1) - at(r + 1, c)) * (column - c);
        expect(resized[(y * target + x) * 3]).toBeCloseTo(upper + (lower - upper) * (row - r), 3);
      }
    }
  });

  test("convention: corners, not centres, are aligned, so a step moves to the upper left", () => {
    // A dark left half of 4 px at 8 px: with half-pixel centres the step would be symmetric.
    const step = Uint8Array.from({ length: 48 }, (_, i) => (Math.floor(i / 3) % 4 < 2 ? 0 : 100));
    const row = Array.from({ length: 8 }, (_, x) => resize(8, step, 4)[x * 3]);
    expect(row).toEqual([0, 0, 0, 50, 100, 100, 100, 100]);
  });
});
