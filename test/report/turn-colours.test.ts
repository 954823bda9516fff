import { describe, expect, test } from "vitest";
import { randomStream } from "../../data/random.js";
import { principalComponents } from "../../src/report/principal-components.js";
import { turnColours } from "../../src/report/turn-colours.js";

const TOKENS = 20;
const random = (name: string) => Float32Array.from(randomStream(1, name, 0).normal(TOKENS * 6));
const scoresOf = (name: string) => principalComponents(random(name), [TOKENS, 6]).scores;
const unit = (scores: Float64Array) => {
  const lengths = [0, 1, 2].map((k) => Math.hypot(...Array.from(scores).filter((_, i) => i % 3 === k)));
  return scores.map((value, i) => value / lengths[i % 3]!);
};
const times = (y: Float64Array, r: readonly (readonly number[])[]) =>
  Float64Array.from(y, (_, i) => {
    const row = Math.floor(i / 3) * 3;
    return [0, 1, 2].reduce((sum, k) => sum + y[row + k]! * r[k]![i % 3]!, 0);
  });
const distance = (a: Float64Array, b: Float64Array) => Math.hypot(...a.map((value, i) => value - b[i]!));

/** A rotation about the first and the third axis, with a mirror where asked for. */
function rotation(a: number, b: number, mirror: 1 | -1) {
  const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
  return [
    [cb * mirror, -sb * ca, sb * sa],
    [sb * mirror, cb * ca, -cb * sa],
    [0, sa, ca],
  ];
}

describe("turning colours", () => {
  test.each([
    [0.4, 1.1, 1],
    [-2, 0.3, -1],
  ] as const)("finds the rotation back: %d, %d, mirror %d", (a, b, mirror) => {
    const onto = unit(scoresOf("a"));
    const turned = turnColours(times(onto, rotation(a, b, mirror)), onto);
    expect(distance(turned, onto)).toBeLessThan(1e-12);
  });

  test("no rotation of many fits better", () => {
    const [scores, onto] = [scoresOf("a"), scoresOf("b")];
    const best = distance(turnColours(scores, onto), unit(onto));
    const [from, to] = [unit(scores), unit(onto)];
    let nearest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 60; i++) {
      for (let j = 0; j < 60; j++) {
        for (const mirror of [1, -1] as const) {
          nearest = Math.min(nearest, distance(times(from, rotation(i / 9.5, j / 9.5, mirror)), to));
        }
      }
    }
    expect(nearest).toBeGreaterThan(best - 1e-9);
    // It is near: the search has come close to it.
    expect(nearest).toBeLessThan(1.3 * best);
  });

  test("tokens with less than three components, and none", () => {
    const flat = scoresOf("a").map((value, i) => (i % 3 === 2 ? 0 : value));
    for (const turned of [turnColours(flat, scoresOf("b")), turnColours(scoresOf("b"), flat)]) {
      expect(turned.every(Number.isFinite)).toBe(true);
    }
    expect(turnColours(new Float64Array(60), scoresOf("b")).every((value) => value === 0)).toBe(true);
  });
});
