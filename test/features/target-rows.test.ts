import { describe, expect, test } from "vitest";
import { DataError } from "../../data/errors.js";
import type { ImageSource } from "../../data/image-source.js";
import { openFeatureComputer } from "../../features/compute-features.js";
import { TargetRows } from "../../features/target-rows.js";
import { parseTarget } from "../../features/targets.js";
import { randomPicture } from "./images.js";

const SIZE_PX = 32;
const GRID = 2;
const TARGETS = ["moments", "haar"];

/** @param rowCount from 128 on, worker threads do it. */
function pictures(length: number, { bad = -1, rowCount = 1 } = {}) {
  const loaded: number[] = [];
  const source = {
    length,
    async load(index: number) {
      loaded.push(index);
      if (index === bad) throw new DataError(`picture ${index}: cannot be decoded`);
      return randomPicture(index, SIZE_PX, SIZE_PX).pixels;
    },
  } as unknown as ImageSource;
  const rows = new TargetRows(TARGETS.map(parseTarget), {
    data: { source, flips: false },
    rowCount,
    sizePx: SIZE_PX,
    grid: GRID,
  });
  return { rows, loaded };
}

async function tokensOf(target: string, start: number, end: number): Promise<number[]> {
  const computer = await openFeatureComputer(parseTarget(target), { imageSizePx: SIZE_PX, grid: GRID, batch: 16 });
  const tokens: number[] = [];
  for (let row = start; row < end; row++) {
    tokens.push(...(await computer.compute(randomPicture(row, SIZE_PX, SIZE_PX).pixels, 1)));
  }
  await computer.dispose();
  return tokens;
}

async function readAll(rows: TargetRows, target: number, start: number, end: number): Promise<number[]> {
  const all: number[] = [];
  for await (const tokens of rows.read(target, start, end)) all.push(...tokens);
  rows.leave(target);
  return all;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 50));

describe("TargetRows", () => {
  test("two targets from one pass: each image is decoded once", async () => {
    const { rows, loaded } = pictures(70, { rowCount: 128 });
    rows.expect(0, 0);
    rows.expect(1, 0);
    const got = await Promise.all([readAll(rows, 0, 0, 70), readAll(rows, 1, 0, 70)]);
    await rows.close();
    for (const [i, target] of TARGETS.entries()) expect(got[i], target).toEqual(await tokensOf(target, 0, 70));
    expect([...loaded].sort((a, b) => a - b)).toEqual(Array.from({ length: 70 }, (_, i) => i));
  });

  test("readers that begin far apart get their own rows, and what they come to together is made once", async () => {
    const { rows, loaded } = pictures(200);
    const got = await Promise.all([readAll(rows, 0, 0, 200), readAll(rows, 1, 160, 200)]);
    await rows.close();
    expect(got[0]).toEqual(await tokensOf(TARGETS[0]!, 0, 200));
    expect(got[1]).toEqual(await tokensOf(TARGETS[1]!, 160, 200));
    expect(loaded.length).toBe(240);
  });

  test("a fast reader waits for a slow one, so that little is kept; when that one leaves it goes on", async () => {
    const { rows, loaded } = pictures(320);
    rows.expect(0, 0);
    rows.expect(1, 0);
    let taken = 0;
    const fast = (async () => {
      for await (const tokens of rows.read(0, 0, 320)) taken += tokens.length > 0 ? 1 : 0;
    })();
    const slow = rows.read(1, 0, 320);
    await slow.next();
    for (let i = 0; i < 20 && taken < 7; i++) await turn();
    await turn();
    expect(taken).toBe(7);
    expect(loaded.length).toBe(7 * 16);
    rows.leave(1);
    await fast;
    expect(taken).toBe(20);
    await rows.close();
  });

  test("an image that cannot be decoded is reported to every reader of it", async () => {
    const { rows } = pictures(70, { bad: 40 });
    rows.expect(0, 0);
    rows.expect(1, 0);
    const ends = await Promise.allSettled([readAll(rows, 0, 0, 70), readAll(rows, 1, 0, 70)]);
    for (const end of ends) expect(end).toMatchObject({ reason: new DataError("picture 40: cannot be decoded") });
    await rows.close();
  });
});
