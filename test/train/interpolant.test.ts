import tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { interpolate, PATHS, type PathName } from "../../src/train/interpolant.js";
import { mapTimes } from "../../src/train/times.js";
import { eagerly, relativeError, spread } from "./tensors.js";

const names = Object.keys(PATHS) as PathName[];
const times = [0.07, 0.31, 0.5, 0.83];

test("convention: t = 0 is data, t = 1 is noise, linear velocity = noise − data", async () => {
  const [noised, velocity] = await eagerly(() => {
    const result = interpolate("linear", { data: tf.tensor1d([2]), noise: tf.tensor1d([12]), t: tf.tensor1d([0.25]) });
    return [result.noised, result.velocity];
  });
  expect(noised![0]).toBe(4.5); // the reversed clock gives 9.5
  expect(velocity![0]).toBe(10); // the reversed sign gives −10
});

test.each(names)("%s path starts at the data and ends at the noise", async (path) => {
  const [alpha, sigma] = await eagerly(() => {
    const at = PATHS[path](tf.tensor1d([0, 1]));
    return [at.alpha, at.sigma];
  });
  expect(relativeError(alpha!, [1, 0])).toBeLessThan(1e-6);
  expect(relativeError(sigma!, [0, 1])).toBeLessThan(1e-6);
});

test("cosine path is cos(πt/2), sin(πt/2)", async () => {
  const [alpha, sigma] = await eagerly(() => {
    const at = PATHS.cosine(tf.tensor1d(times));
    return [at.alpha, at.sigma];
  });
  expect(
    relativeError(
      alpha!,
      times.map((t) => Math.cos((Math.PI * t) / 2)),
    ),
  ).toBeLessThan(1e-6);
  expect(
    relativeError(
      sigma!,
      times.map((t) => Math.sin((Math.PI * t) / 2)),
    ),
  ).toBeLessThan(1e-6);
});

test.each(names)("%s velocity is the derivative of the noised sample by t", async (path) => {
  const [data, noise] = [spread(4 * 6, 1), spread(4 * 6, 2)];
  const at = (shift: number) =>
    eagerly(() => {
      const { noised, velocity } = interpolate(path, {
        data: tf.tensor(data, [4, 1, 2, 3]),
        noise: tf.tensor(noise, [4, 1, 2, 3]),
        t: tf.tensor1d(times.map((t) => t + shift)),
      });
      return [noised, velocity];
    });
  const h = 1e-2; // cuts off h²/6·(π/2)³ ≈ 6e-5, rounding adds 1e-7/h ≈ 1e-5
  const [[after], [before], [, velocity]] = await Promise.all([at(h), at(-h), at(0)]);
  const numeric = after!.map((x, i) => (x - before![i]!) / (2 * h));
  expect(relativeError(velocity!, numeric)).toBeLessThan(2e-4);
});

test("uniform times are the draws, in memory of their own", () => {
  const draws = Float32Array.of(0, 0.25, 0.999);
  const t = mapTimes(draws, { path: "linear", time: "uniform" });
  expect([...t]).toEqual([...draws]);
  expect(t.buffer).not.toBe(draws.buffer);
});

test("log-normal times have σ/α = exp(n) on either path, and stay in [0,1]", () => {
  const draws = Float32Array.of(-2.5, -0.3, 0, 0.4, 3);
  const linear = mapTimes(draws, { path: "linear", time: "lognormal" });
  const cosine = mapTimes(draws, { path: "cosine", time: "lognormal" });
  draws.forEach((n, i) => {
    expect(linear[i]! / (1 - linear[i]!) / Math.exp(n)).toBeCloseTo(1, 5);
    expect(Math.tan((cosine[i]! * Math.PI) / 2) / Math.exp(n)).toBeCloseTo(1, 5);
  });
  const extreme = Float32Array.of(-800, 800);
  expect([...mapTimes(extreme, { path: "linear", time: "lognormal" })]).toEqual([0, 1]);
  expect([...mapTimes(extreme, { path: "cosine", time: "lognormal" })]).toEqual([0, 1]);
});
