import { expect, test } from "vitest";
import { hasCrops, variantCount, variantOf } from "../../data/variants.js";

const LENGTH = 50;

test("the fewest variants: the centre crop, and with flips its mirror image", () => {
  expect(variantCount({ flips: false })).toBe(1);
  expect(variantCount({ flips: true, variants: null })).toBe(2);
  expect(
    [
      { flips: true, variants: 2 },
      { flips: false, variants: 1 },
    ].some(hasCrops),
  ).toBe(false);
  expect(
    [
      { flips: true, variants: 3 },
      { flips: false, variants: 2 },
    ].every(hasCrops),
  ).toBe(true);
  expect(variantOf(7, LENGTH, { flips: true })).toEqual({ index: 7, variant: {} });
  expect(variantOf(LENGTH + 7, LENGTH, { flips: true })).toEqual({ index: 7, variant: { flip: true } });
});

test("the others are random crops, a function of seed, image and variant; mirrored half the time, with flips only", () => {
  const rows = Array.from({ length: 8 * LENGTH }, (_, i) => 2 * LENGTH + i);
  const drawn = rows.map((row) => variantOf(row, LENGTH, { flips: true, seed: 3 }));
  expect(drawn.map(({ index }) => index)).toEqual(rows.map((row) => row % LENGTH));
  expect(rows.map((row) => variantOf(row, LENGTH, { flips: true, seed: 3 }))).toEqual(drawn);
  const places = drawn.map(({ variant }) => variant.crop!);
  expect(new Set(places.map(String)).size).toBe(rows.length);
  for (let i = 0; i < 3; i++) {
    // 400 uniform numbers: mean 0.5, standard deviation of the mean 0.0144.
    const mean = places.reduce((sum, place) => sum + place[i]!, 0) / places.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.06);
  }
  // 400 coins: mean 200, standard deviation 10.
  expect(Math.abs(drawn.filter(({ variant }) => variant.flip).length - 200)).toBeLessThan(40);
  expect(variantOf(rows[0]!, LENGTH, { flips: true, seed: 4 }).variant.crop).not.toEqual(places[0]);

  const upright = Array.from({ length: 4 * LENGTH }, (_, i) =>
    variantOf(LENGTH + i, LENGTH, { flips: false, seed: 3 }),
  );
  expect(upright.every(({ variant }) => variant.flip === false && variant.crop !== undefined)).toBe(true);
});
