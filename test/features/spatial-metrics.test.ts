import { describe, expect, test } from "vitest";
import { ShapeError } from "../../data/errors.js";
import { randomStream } from "../../data/random.js";
import { centreDisc } from "../../features/centre-disc.js";
import { spatialMetrics } from "../../features/spatial-metrics.js";

const SIDE = 16;
const waves = Float32Array.from({ length: SIDE * SIDE * 4 }, (_, i) => {
  const [r, q, d] = [Math.floor(i / 4 / SIDE), Math.floor(i / 4) % SIDE, i % 4];
  return Math.sin(0.37 * r + 0.11 * q * (d + 1) + 0.5 * d);
});

describe("spatial metrics", () => {
  test("the worked example, with the mask of radius 6", () => {
    const mask = centreDisc([SIDE, SIDE]);
    expect(mask.reduce((a, b) => a + b)).toBe(112);
    const { lds, cds, srss, rmsc } = spatialMetrics(waves, [SIDE, SIDE], mask);
    expect(lds).toBeCloseTo(1.06845687, 6);
    expect(cds).toBeCloseTo(0.18392252, 6);
    expect(srss).toBeCloseTo(1.07212378, 6);
    expect(rmsc).toBeCloseTo(0.99954351, 6);
  });

  test("the paper's LDS on 16×16 tokens: pairs nearer than 8 against the others", () => {
    const means = [0, 0];
    const counts = [0, 0];
    for (let a = 0; a < SIDE * SIDE; a++) {
      for (let b = 0; b < SIDE * SIDE; b++) {
        if (a === b) continue;
        const d = Math.abs(Math.floor(a / SIDE) - Math.floor(b / SIDE)) + Math.abs((a % SIDE) - (b % SIDE));
        const [x, y] = [a, b].map((t) => waves.subarray(t * 4, t * 4 + 4));
        const dot = (p: Float32Array, q: Float32Array) => p.reduce((sum, value, i) => sum + value * q[i]!, 0);
        const far = d < 8 ? 0 : 1;
        means[far]! += dot(x!, y!) / Math.sqrt(dot(x!, x!) * dot(y!, y!));
        counts[far]!++;
      }
    }
    const { ldsPaper, lds } = spatialMetrics(waves, [SIDE, SIDE]);
    expect(ldsPaper).toBeCloseTo(means[0]! / counts[0]! - means[1]! / counts[1]!, 6);
    expect(Math.abs(ldsPaper - lds)).toBeGreaterThan(0.1);
  });

  test("tokens of two halves: similarity is 1 within a half and 0 across", () => {
    const [rows, cols] = [4, 12];
    const tokens = Float32Array.from({ length: rows * cols * 2 }, (_, i) =>
      Math.floor(i / 2) % cols < 6 === (i % 2 === 0) ? 3 : 0,
    );
    let [near, nearCount, far, farCount] = [0, 0, 0, 0];
    let [below, belowCount, beyond, beyondCount] = [0, 0, 0, 0];
    for (let a = 0; a < rows * cols; a++) {
      for (let b = 0; b < rows * cols; b++) {
        const d = Math.abs(Math.floor(a / cols) - Math.floor(b / cols)) + Math.abs((a % cols) - (b % cols));
        const isSame = a % cols < 6 === b % cols < 6 ? 1 : 0;
        if (d === 1) [near, nearCount] = [near + isSame, nearCount + 1];
        if (d >= 6) [far, farCount] = [far + isSame, farCount + 1];
        // The paper's formula: half of the shorter side is 2 here, and a token is no neighbour of itself.
        if (d > 0 && d < 2) [below, belowCount] = [below + isSame, belowCount + 1];
        if (d >= 2) [beyond, beyondCount] = [beyond + isSame, beyondCount + 1];
      }
    }
    const metrics = spatialMetrics(tokens, [rows, cols]);
    expect(metrics.lds).toBeCloseTo(near / nearCount - far / farCount, 10);
    expect(metrics.ldsPaper).toBeCloseTo(below / belowCount - beyond / beyondCount, 10);
    expect(metrics.rmsc).toBeCloseTo(Math.SQRT1_2, 10);
    expect(metrics.srss).toBeNaN();
    // The left half as the foreground: its neighbours are all alike, what is far outside is all other.
    const mask = Array.from({ length: rows * cols }, (_, t) => t % cols < 6);
    expect(spatialMetrics(tokens, [rows, cols], mask).srss).toBeCloseTo(1, 10);
  });

  test("constant tokens have no structure; scale and the length of a token do not matter", () => {
    const { lds, cds, rmsc } = spatialMetrics(new Float32Array(SIDE * SIDE * 3).fill(2), [SIDE, SIDE]);
    for (const value of [lds, cds, rmsc]) expect(value).toBeCloseTo(0, 10);
    const longer = waves.map((v, i) => v * (1 + (Math.floor(i / 4) % 7)));
    const [a, b] = [waves, longer].map((tokens) => spatialMetrics(tokens, [SIDE, SIDE], centreDisc([SIDE, SIDE])));
    for (const key of ["lds", "cds", "srss", "rmsc"] as const) expect(b![key]).toBeCloseTo(a![key], 6);
  });

  test("tokens in a random order lose what LDS and CDS measure, and keep RMSC", () => {
    const noise = randomStream(3, "order", 0).uniform(SIDE * SIDE);
    const order = Array.from({ length: SIDE * SIDE }, (_, i) => i).sort((a, b) => noise[a]! - noise[b]!);
    const shuffled = Float32Array.from(
      { length: waves.length },
      (_, i) => waves[order[Math.floor(i / 4)]! * 4 + (i % 4)]!,
    );
    const [ordered, random] = [waves, shuffled].map((tokens) => spatialMetrics(tokens, [SIDE, SIDE]));
    expect(Math.abs(random!.lds)).toBeLessThan(0.1 * ordered!.lds);
    expect(Math.abs(random!.cds)).toBeLessThan(0.1 * ordered!.cds);
    expect(random!.rmsc).toBeCloseTo(ordered!.rmsc, 10);
  });

  test("zero tokens do not make NaN", () => {
    const tokens = new Float32Array(SIDE * SIDE * 2);
    expect(spatialMetrics(tokens, [SIDE, SIDE])).toMatchObject({ lds: 0, cds: -0, rmsc: 0 });
  });

  test("a grid that is too small for the far distance says so by NaN; wrong lengths are refused", () => {
    expect(spatialMetrics(new Float32Array(9).fill(1), [3, 3]).lds).toBeNaN();
    expect(() => spatialMetrics(new Float32Array(10), [3, 3])).toThrow(ShapeError);
    expect(() => spatialMetrics(new Float32Array(9), [3, 3], [1, 0])).toThrow(/mask has 2 entries/);
  });
});
