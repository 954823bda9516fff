import { describe, expect, test } from "vitest";
import type { Velocity } from "../../src/sample/guidance.js";
import { type SamplerOptions, sampleSit, timeGrid } from "../../src/sample/sit-sampler.js";

const options: SamplerOptions = {
  sampler: "euler",
  steps: 4,
  guidance: 1,
  guidanceInterval: [0, 1],
  nullLabel: 9,
};

/** v(x,t) = x + t, in float32 as a network would. */
const affine: Velocity = async (x, t) => x.map((value) => value + t);
const one = Int32Array.of(0);
const silent = () => new Float64Array(1);
const run = async (overrides: Partial<SamplerOptions>, velocity = affine, start = [1]): Promise<number> =>
  (await sampleSit(velocity, start, one, { ...options, ...overrides }))[0]!;

describe("closed forms on v(x,t) = x + t from x = 1 at t = 1", () => {
  test("convention: t runs from 1 to 0, Euler", async () => {
    expect(await run({})).toBe(-0.05078125);
  });
  test("Heun, its last step Euler", async () => {
    expect(await run({ sampler: "heun" })).toBeCloseTo(0.07288360595703125, 7);
  });
  test.each([
    ["linear", -0.17355337],
    ["cosine", -0.20409756],
  ] as const)("SDE without noise, %s path", async (path, want) => {
    expect(Math.abs((await run({ sampler: "sde", steps: 5, path, noise: silent })) - want)).toBeLessThan(1e-7);
  });
});

describe("time grids", () => {
  test("ODE: tenths are the doubles that their decimals name, so closed interval ends hit", () => {
    expect([...timeGrid("euler", 10)]).toEqual([1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0]);
  });
  test("SDE: N points from 1 to 0.04, then 0", () => {
    const grid = timeGrid("sde", 5);
    expect(grid).toHaveLength(6);
    for (const [i, want] of [1, 0.76, 0.52, 0.28, 0.04, 0].entries()) expect(grid[i]).toBeCloseTo(want, 14);
    expect(grid[4]).toBe(0.04);
    const long = timeGrid("sde", 250);
    for (let i = 0; i < 249; i++) expect(long[i]! - long[i + 1]!).toBeCloseTo(0.96 / 249, 12);
    expect([...timeGrid("sde", 1)]).toEqual([1, 0]);
    expect([...timeGrid("sde", 2)]).toEqual([1, 0.04, 0]);
  });
});

describe("orders of convergence on dx/dt = x + t", () => {
  // x(t) = 3·e^(t−1) − t − 1 from x(1) = 1; float32 in the network bounds what can be seen.
  const exact = 3 * Math.exp(-1) - 1;
  test.each([
    ["euler", 1],
    ["heun", 2],
  ] as const)("%s has order %i", async (sampler, order) => {
    const errors = [];
    for (const steps of [8, 16, 32]) errors.push(Math.abs((await run({ sampler, steps })) - exact));
    for (let i = 0; i + 1 < errors.length; i++) {
      expect(Math.abs(Math.log2(errors[i]! / errors[i + 1]!) - order)).toBeLessThan(0.25);
    }
  });
});

describe("the SDE", () => {
  test("adds √(2t·|dt|)·n at each step but the last, each from its own call", async () => {
    const still: Velocity = async (x) => x.map(() => 0);
    const asked: number[] = [];
    const noise = (step: number) => {
      asked.push(step);
      return Float64Array.of(step === 1 ? 1 : 0);
    };
    // With v = 0 the linear drift is x itself; 0 stays 0 until the noise of step 1.
    const got = await run({ sampler: "sde", steps: 5, noise }, still, [0]);
    const grid = [1, 0.76, 0.52, 0.28, 0.04, 0];
    let want = Math.sqrt(2 * 0.76 * 0.24);
    for (let i = 2; i < 5; i++) want += (grid[i + 1]! - grid[i]!) * want;
    expect(got).toBeCloseTo(want, 7);
    expect(asked).toEqual([0, 1, 2, 3]);
  });

  test("brings Gaussian data of the exact velocity back to its spread", async () => {
    // Data N(0, s²), noise N(0, 1): E[v|x] = x·(t − (1−t)s²)/((1−t)²s² + t²).
    const s = 0.5;
    const exact: Velocity = async (x, t) => {
      const factor = (t - (1 - t) * s * s) / ((1 - t) ** 2 * s * s + t * t);
      return x.map((value) => value * factor);
    };
    const count = 20_000;
    let state = 1;
    const next = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state + 0.5) / 2 ** 32;
    };
    const normal = (): Float64Array =>
      Float64Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()));
    const samples = await sampleSit(exact, normal(), Int32Array.of(0), {
      ...options,
      sampler: "sde",
      steps: 100,
      noise: normal,
    });
    const spread = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / count);
    expect(Math.abs(spread / s - 1)).toBeLessThan(0.03);
  });
});

describe("guidance", () => {
  /** A network whose velocity is its label, and which notes what it was asked. */
  const recording = () => {
    const calls: { t: number; label: number }[] = [];
    const velocity: Velocity = async (x, t, y) => {
      calls.push({ t, label: y[0]! });
      return x.map(() => y[0]!);
    };
    return { calls, velocity };
  };
  const labels = Int32Array.of(2);

  test("v_null + w·(v_class − v_null), the null label being the number of classes", async () => {
    const { velocity } = recording();
    const [x] = await sampleSit(velocity, [0], labels, { ...options, guidance: 3, nullLabel: 5 });
    expect(x).toBeCloseTo(-(5 + 3 * (2 - 5)), 12);
  });

  test("convention: the interval is closed at both ends", async () => {
    const { calls, velocity } = recording();
    await sampleSit(velocity, [0], labels, { ...options, steps: 10, guidance: 2, guidanceInterval: [0.1, 0.8] });
    const guided = calls.filter(({ label }) => label === 9).map(({ t }) => t);
    expect(guided).toEqual([0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]);
    expect(calls).toHaveLength(18); // outside the interval the unconditional half is not computed
  });

  test("Heun's second evaluation follows the start of its step", async () => {
    const { calls, velocity } = recording();
    await sampleSit(velocity, [0], labels, {
      ...options,
      sampler: "heun",
      steps: 4,
      guidance: 2,
      guidanceInterval: [0.5, 0.5],
    });
    const guided = calls.filter(({ label }) => label === 9).map(({ t }) => t);
    expect(guided).toEqual([0.5, 0.25]); // not 0.5 as the end of the step from 0.75
  });

  test("a scale of 1 equals no guidance and costs one call a step", async () => {
    const { calls, velocity } = recording();
    const plain = await sampleSit(velocity, [0.3], labels, { ...options, guidance: 1 });
    expect(calls).toHaveLength(4);
    const barely = await sampleSit(velocity, [0.3], labels, { ...options, guidance: 1 + 1e-12 });
    expect(barely[0]).toBeCloseTo(plain[0]!, 10);
    const outside = await sampleSit(velocity, [0.3], labels, { ...options, guidance: 7, guidanceInterval: [0.3, 0.4] });
    expect(outside).toEqual(plain);
  });
});

test("the start noise is not written to, the state is float64, and steps are reported", async () => {
  const start = Float32Array.of(1);
  const steps: [number, number][] = [];
  const third: Velocity = async (x) => x.map(() => 1 / 3);
  const x = await sampleSit(third, start, one, { ...options, steps: 3, onStep: (...at) => steps.push(at) });
  expect(start[0]).toBe(1);
  expect(x).toBeInstanceOf(Float64Array);
  expect(x[0]).toBeCloseTo(1 - Math.fround(1 / 3), 15);
  expect(steps).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
  ]);
});

test.each([
  ["unknown sampler", { sampler: "rk4" as "euler" }, "known: euler, heun, sde"],
  ["steps", { steps: 0 }, "at least 1, got 0"],
  ["steps", { steps: 2.5 }, "got 2.5"],
  ["guidance", { guidance: 0.5 }, "guidance must be a number of at least 1"],
  ["guidance", { guidance: Number.NaN }, "got NaN"],
  ["interval", { guidanceInterval: [0.8, 0.1] }, "0 ≤ low ≤ high ≤ 1, got [0.8, 0.1]"],
  ["path", { path: "vp" as "linear" }, "known: linear, cosine"],
  ["noise", { sampler: "sde" }, "needs noise"],
] as [string, Partial<SamplerOptions>, string][])("refuses a wrong %s: %o", async (_, overrides, message) => {
  await expect(run(overrides)).rejects.toThrow(message);
  await expect(run(overrides)).rejects.toMatchObject({ tag: "ConfigError" });
});

test("refuses lengths that do not fit", async () => {
  await expect(sampleSit(affine, [1, 2, 3], Int32Array.of(0, 1), options)).rejects.toThrow("do not divide");
  await expect(run({}, async () => new Float32Array(2))).rejects.toThrow("want 1 velocities, got 2");
  await expect(run({ sampler: "sde", noise: () => [1, 2] })).rejects.toThrow("want 1 values of noise at step 0, got 2");
});
