import { expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import type { Grid } from "../../features/descriptor.js";
import { parseTarget } from "../../features/targets.js";
import { describePictures, maxDifference, type Picture, picture, randomPicture } from "./images.js";

const mirror = (i: number, size: number): number => {
  let at = i;
  while (at < 0 || at >= size) at = at < 0 ? -at : 2 * (size - 1) - at;
  return at;
};

/** The paper's steps for each token: a surface of similarities, its log-polar maxima, and their stretch. */
function naiveSelfsim(image: Picture, [rows, cols]: Grid, radius: number, angles: number, rings: number): number[] {
  const { height, width, pixels } = image;
  const level = (y: number, x: number, c: number) => pixels[(mirror(y, height) * width + mirror(x, width)) * 3 + c]!;
  const difference = (ay: number, ax: number, by: number, bx: number): number => {
    let sum = 0;
    for (let i = 0; i < 75; i++) {
      const [dy, dx, c] = [Math.floor(i / 15) - 2, (Math.floor(i / 3) % 5) - 2, i % 3];
      sum += (level(ay + dy, ax + dx, c) - level(by + dy, bx + dx, c)) ** 2;
    }
    return sum;
  };
  return Array.from({ length: rows * cols }, (_, t) => {
    // Of even cells the pixel before the middle.
    const y = Math.ceil(((Math.floor(t / cols) + 0.5) * height) / rows) - 1;
    const x = Math.ceil((((t % cols) + 0.5) * width) / cols) - 1;
    let scale = 900;
    for (const dy of [-1, 0, 1]) {
      for (const dx of [-1, 0, 1]) scale = Math.max(scale, difference(y, x, y + dy, x + dx));
    }
    const best = new Array<number>(angles * rings).fill(0);
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) {
        const distance = Math.hypot(dx, dy);
        if (distance === 0 || distance > radius) continue;
        const degrees = ((Math.atan2(-dy, dx) * 180) / Math.PI + 360) % 360;
        const angle = Math.round((degrees * angles) / 360 + 1e-9) % angles;
        let ring = 0;
        while (distance > radius ** ((ring + 1) / rings) + 1e-9) ring++;
        const similarity = Math.exp(-difference(y, x, y + dy, x + dx) / scale);
        best[angle * rings + ring] = Math.max(best[angle * rings + ring]!, similarity);
      }
    }
    const [least, most] = [Math.min(...best), Math.max(...best)];
    return best.map((v) => (v - least) / (most - least));
  }).flat();
}

/** With eight sectors and three rings there is a pixel in every bin. */
const target = parseTarget("selfsim:radius=12,angles=8,rings=3");

test("equals the surface of similarities written out", async () => {
  for (const [height, width, grid] of [
    [24, 24, [2, 2]],
    [25, 31, [2, 3]],
  ] as const) {
    const pictures = [1, 2].map((seed) => randomPicture(seed, height, width));
    const got = await describePictures(target, pictures, grid);
    const want = pictures.flatMap((image) => naiveSelfsim(image, grid, 12, 8, 3));
    expect(maxDifference(got, want)).toBeLessThan(1e-6);
  }
});

test("sees the layout of what is alike, not its colours", async () => {
  const bars = (ink: number[], paper: number[]) =>
    picture(48, 48, (y, x, c) => ((x + (y >> 3)) % 8 < 4 ? ink[c]! : paper[c]!));
  const pictures = [bars([255, 0, 0], [0, 0, 0]), bars([0, 255, 0], [0, 0, 0]), bars([0, 0, 0], [255, 0, 0])];
  const tokens = await describePictures(target, pictures, [2, 2]);
  expect(maxDifference(tokens.subarray(0, 96), tokens.subarray(96, 192))).toBe(0);
  expect(maxDifference(tokens.subarray(0, 96), tokens.subarray(192))).toBe(0);
  expect(Math.max(...tokens)).toBe(1);
});

test("the paper's 80 bins all have a value; those of flat pictures are zero", async () => {
  const paper = parseTarget("selfsim");
  expect(paper.dim).toBe(80);
  // Without noise only the centre itself is alike: brightness grows with the distance, so inner rings are more alike.
  const cone = picture(97, 97, (y, x, c) => (c === 0 ? 4 * Math.hypot(y - 48, x - 48) : 0));
  const [tokens, flat] = [
    await describePictures(paper, [cone], [1, 1]),
    await describePictures(paper, [picture(97, 97, () => 50)], [1, 1]),
  ];
  for (let angle = 0; angle < 20; angle++) {
    const rings = tokens.subarray(angle * 4, angle * 4 + 4);
    expect([...rings]).toEqual([...rings].sort((a, b) => b - a));
    expect(rings[0]).toBeGreaterThan(rings[3]!);
  }
  expect(maxDifference(flat, new Float32Array(80))).toBe(0);
});

test("says what it cannot take", async () => {
  await expect(describePictures(target, [picture(8, 8, () => 0)], [9, 1])).rejects.toThrow(ShapeError);
});
