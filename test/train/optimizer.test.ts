import tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { adamW, biasCorrections } from "../../src/train/adamw.js";
import { clipScale, globalNorm } from "../../src/train/clip.js";
import { nextAverage } from "../../src/train/ema.js";
import { eagerly, relativeError, spread } from "./tensors.js";

const SIZE = 7;

/** PyTorch's AdamW as its documentation has it, in float64. */
function slowAdamW(
  start: Float32Array,
  gradients: readonly Float32Array[],
  { learningRate: lr, betas: [b1, b2], weightDecay, scale }: Settings,
) {
  const p = Float64Array.from(start);
  const [m, v] = [new Float64Array(SIZE), new Float64Array(SIZE)];
  gradients.forEach((gradient, n) => {
    for (let i = 0; i < SIZE; i++) {
      const g = gradient[i]! * scale;
      p[i]! *= 1 - lr * weightDecay;
      m[i] = b1 * m[i]! + (1 - b1) * g;
      v[i] = b2 * v[i]! + (1 - b2) * g * g;
      const mHat = m[i]! / (1 - b1 ** (n + 1));
      const vHat = v[i]! / (1 - b2 ** (n + 1));
      p[i]! -= (lr * mHat) / (Math.sqrt(vHat) + 1e-8);
    }
  });
  return { p, m, v };
}

interface Settings {
  learningRate: number;
  betas: [number, number];
  weightDecay: number;
  scale: number;
}

test.each<Settings>([
  { learningRate: 1e-2, betas: [0.9, 0.999], weightDecay: 0, scale: 1 },
  { learningRate: 3e-2, betas: [0.8, 0.95], weightDecay: 0.1, scale: 0.37 },
])("AdamW follows the definition over 12 steps: %o", async (settings) => {
  const start = spread(SIZE, 1);
  // One coordinate so small that epsilon decides, one zero.
  const gradients = Array.from({ length: 12 }, (_, n) => {
    const g = spread(SIZE, 10 + n);
    g[0]! *= 1e-8;
    g[1] = 0;
    return g;
  });
  const [p, m, v] = await eagerly(() => {
    let slot = { parameter: tf.tensor(start), m: tf.zeros([SIZE]), v: tf.zeros([SIZE]) } as Parameters<
      ReturnType<typeof adamW>
    >[0];
    gradients.forEach((gradient, n) => {
      const [c1, c2] = biasCorrections(settings.betas, n + 1);
      const update = adamW(settings, {
        learningRate: tf.scalar(settings.learningRate),
        biasCorrection1: tf.scalar(c1),
        biasCorrection2: tf.scalar(c2),
        gradientScale: tf.scalar(settings.scale),
      });
      slot = update(slot, tf.tensor(gradient));
    });
    return [slot.parameter, slot.m, slot.v];
  });
  const want = slowAdamW(start, gradients, settings);
  expect(relativeError(p!, want.p)).toBeLessThan(1e-6);
  expect(relativeError(m!, want.m)).toBeLessThan(1e-6);
  expect(relativeError(v!, want.v)).toBeLessThan(1e-6);
});

test("bias corrections stay exact where float32 would not", () => {
  expect(biasCorrections([0.9, 0.999], 1)).toEqual([1 - 0.9, 1 - 0.999]);
  expect(biasCorrections([0.9, 0.999], 100_000)).toEqual([1, 1]);
});

test("clipping uses one norm of all gradients, PyTorch's epsilon, and never scales up", async () => {
  const [a, b] = [spread(6, 1), spread(4, 2)];
  const norm = Math.hypot(...a, ...b);
  const [got, small, large] = await eagerly(() => {
    const computed = globalNorm([tf.tensor(a, [2, 3]), tf.tensor(b)]);
    return [computed, clipScale(computed, 0.5), clipScale(computed, 100)];
  });
  expect(got![0]).toBeCloseTo(norm, 5);
  expect(small![0]).toBeCloseTo(0.5 / (norm + 1e-6), 6);
  expect(large![0]).toBe(1);
  const [exact] = await eagerly(() => clipScale(tf.scalar(1e-3), 1e-3));
  expect(exact![0]).toBeCloseTo(1e-3 / (1e-3 + 1e-6), 6); // 0.9990, not 1
});

test("the moving average has no bias correction and keeps `decay` of itself", async () => {
  const [average] = await eagerly(() => {
    let current: tf.Tensor = tf.tensor1d([8]);
    for (const value of [4, 0]) current = nextAverage(current, tf.tensor1d([value]), 0.75);
    return current;
  });
  expect(average![0]).toBe(0.75 * (0.75 * 8 + 0.25 * 4));
});
