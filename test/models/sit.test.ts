import tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { type Draw, initializeProjector, initializeSit, type ParameterValues } from "../../src/models/initialize.js";
import { isFrozen, parameterCount, projectorParameterShapes, sitParameterShapes } from "../../src/models/parameters.js";
import { project } from "../../src/models/projector.js";
import { sit } from "../../src/models/sit.js";
import { checkSitConfig, SIT_SIZES, type SitConfig, sitConfig } from "../../src/models/sit-sizes.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
});

/** A generator per name, so that a test can see whether tensors share numbers. */
const draw = (name: string): Draw => {
  let state = [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0, 7);
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return {
    uniform: (n) => Float32Array.from({ length: n }, next),
    normal: (n) =>
      Float32Array.from({ length: n }, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())),
  };
};

const small: SitConfig = {
  depth: 3,
  width: 16,
  heads: 2,
  patch: 2,
  mlpRatio: 4,
  channels: 3,
  sizePx: 8,
  classes: 5,
};

const toParams = (values: ParameterValues): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries(values).map(([name, { data, shape }]) => [name, tf.tensor(data, shape)]));

const inputs = (config: SitConfig, batch = 2) => ({
  x: tf.randomNormal([batch, config.channels, config.sizePx, config.sizePx], 0, 1, "float32", 3),
  t: tf.tensor1d(Array.from({ length: batch }, (_, i) => (i + 0.5) / batch)),
  y: tf.tensor1d(
    Array.from({ length: batch }, (_, i) => i),
    "int32",
  ),
});

describe("parameters", () => {
  // Published table: totals with pos_embed, and without it.
  test.each([
    ["S/2", 32_957_200, 32_858_896],
    ["S/4", 32_920_384, 32_895_808],
    ["S/8", 33_049_600, 33_043_456],
    ["B/2", 130_500_112, 130_303_504],
    ["B/4", 130_426_432, 130_377_280],
    ["B/8", 130_684_672, 130_672_384],
    ["L/2", 458_086_416, 457_824_272],
    ["L/4", 457_988_160, 457_922_624],
    ["L/8", 458_332_416, 458_316_032],
    ["XL/2", 675_111_184, 674_816_272],
    ["XL/4", 675_000_640, 674_926_912],
    ["XL/8", 675_387_904, 675_369_472],
  ])("SiT-%s has %i parameters, %i of them trained", (size, total, trained) => {
    const shapes = sitParameterShapes(sitConfig(size));
    expect(parameterCount(shapes)).toBe(total);
    const kept = Object.entries(shapes).filter(([name]) => !isFrozen(name));
    expect(parameterCount(Object.fromEntries(kept))).toBe(trained);
  });

  test.each([
    ["mlp", undefined, 768, 768, 7_344_896],
    ["conv", 1, 768, 768, 590_592],
    ["conv", 3, 768, 768, 5_309_184],
    ["mlp", undefined, 1152, 768, 8_131_328],
    ["conv", 3, 1152, 768, 7_963_392],
    ["linear", undefined, 768, 768, 590_592],
    ["mlp", undefined, 768, 1536, 8_918_528],
  ] as const)("%s projector, kernel %s, %i to %i: %i parameters", (type, kernel, inputWidth, targetWidth, count) => {
    const config = { type, inputWidth, targetWidth, ...(kernel === undefined ? {} : { kernel }) };
    expect(parameterCount(projectorParameterShapes(config))).toBe(count);
  });

  test("sixteen sizes: four letters at patches 1, 2, 4 and 8", () => {
    expect(Object.keys(SIT_SIZES)).toHaveLength(16);
    expect(sitConfig("XL/1", { sizePx: 16, channels: 32 })).toMatchObject({ heads: 16, patch: 1, channels: 32 });
  });
});

describe("initial values", () => {
  test("the untrained network returns exactly 0 and every block is the identity", () => {
    const params = toParams(initializeSit(small, draw));
    const batch = inputs(small);
    const first = sit(params, batch, small, { alignDepth: 1 });
    const last = sit(params, batch, small, { alignDepth: 3 });
    expect(first.v.shape).toEqual([2, 3, 8, 8]);
    expect(first.v.dataSync().every((value) => value === 0)).toBe(true);
    expect(last.hidden!.shape).toEqual([2, 16, 16]);
    expect(last.hidden!.dataSync()).toEqual(first.hidden!.dataSync());
    expect(Math.max(...last.hidden!.dataSync())).toBeGreaterThan(1);
  });

  test("bounds, spreads and zeros", () => {
    const config = { ...small, width: 64, sizePx: 16, classes: 99 };
    const values = initializeSit(config, draw);
    expect(Object.keys(values)).toEqual(Object.keys(sitParameterShapes(config)));
    const largest = (name: string) => values[name]!.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const spread = (name: string) => {
      const { data } = values[name]!;
      return Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
    };
    const bounds: [string, number, number][] = [
      ["blocks.0.attn.qkv.weight", 64, 192],
      ["blocks.1.mlp.fc1.weight", 64, 256],
      ["x_embedder.proj.weight", 12, 64],
    ];
    for (const [name, fanIn, fanOut] of bounds) {
      const bound = Math.sqrt(6 / (fanIn + fanOut));
      expect(largest(name)).toBeLessThanOrEqual(bound * 1.000001);
      expect(largest(name)).toBeGreaterThan(0.95 * bound);
      expect(Math.abs(spread(name) / (bound / Math.sqrt(3)) - 1)).toBeLessThan(0.1);
    }
    for (const name of ["y_embedder.embedding_table.weight", "t_embedder.mlp.0.weight", "t_embedder.mlp.2.weight"]) {
      expect(Math.abs(spread(name) / 0.02 - 1)).toBeLessThan(0.1);
    }
    for (const name of Object.keys(values)) {
      const zero = name.endsWith("bias") || name.includes("adaLN") || name === "final_layer.linear.weight";
      expect(largest(name) === 0, name).toBe(zero);
    }
  });

  test("a tensor's values depend on its name alone: another depth changes no shared tensor", () => {
    const three = initializeSit(small, draw);
    const two = initializeSit({ ...small, depth: 2 }, draw);
    for (const [name, { data }] of Object.entries(two)) expect(data, name).toEqual(three[name]!.data);
    expect(three["blocks.0.attn.qkv.weight"]!.data).not.toEqual(three["blocks.1.attn.qkv.weight"]!.data);
  });

  test("convention: the conv projector keeps Kaiming-uniform, weight and bias; the others are Xavier with zero bias", () => {
    const conv = initializeProjector({ type: "conv", kernel: 3, inputWidth: 16, targetWidth: 8 }, draw);
    const bound = 1 / Math.sqrt(16 * 9);
    for (const { data } of Object.values(conv)) {
      const largest = Math.max(...data.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(bound * 1.000001);
      expect(largest).toBeGreaterThan(0.5 * bound);
    }
    const mlp = initializeProjector({ type: "mlp", width: 32, inputWidth: 16, targetWidth: 8 }, draw);
    expect(Math.max(...mlp["projectors.0.projection_layer.0.weight"]!.data)).toBeGreaterThan(
      0.9 * Math.sqrt(6 / (16 + 32)),
    );
    expect(mlp["projectors.0.projection_layer.4.bias"]!.data).toEqual(new Float32Array(8));
  });
});

describe("conv projector", () => {
  test("equals a naive cross-correlation over the row-major grid, zero outside", () => {
    const [B, G, D, Z, k] = [2, 3, 2, 3, 3];
    const params = toParams(initializeProjector({ type: "conv", kernel: k, inputWidth: D, targetWidth: Z }, draw));
    const hidden = tf.randomNormal([B, G * G, D], 0, 1, "float32", 5) as tf.Tensor3D;
    const got = project(params, hidden, { type: "conv", kernel: k }).dataSync();
    const weight = params["projectors.0.projection_layer.weight"]!.dataSync();
    const bias = params["projectors.0.projection_layer.bias"]!.dataSync();
    const data = hidden.dataSync();
    for (let b = 0; b < B; b++) {
      for (let r = 0; r < G; r++) {
        for (let q = 0; q < G; q++) {
          for (let z = 0; z < Z; z++) {
            let want = bias[z]!;
            for (let d = 0; d < D; d++) {
              for (let i = 0; i < k; i++) {
                for (let j = 0; j < k; j++) {
                  const [row, column] = [r + i - 1, q + j - 1];
                  if (row < 0 || row >= G || column < 0 || column >= G) continue;
                  want += weight[((z * D + d) * k + i) * k + j]! * data[(b * G * G + row * G + column) * D + d]!;
                }
              }
            }
            expect(got[(b * G * G + r * G + q) * Z + z]).toBeCloseTo(want, 5);
          }
        }
      }
    }
  });

  test("kernel 1 is the linear projector with a reshaped weight", () => {
    const conv = toParams(initializeProjector({ type: "conv", kernel: 1, inputWidth: 4, targetWidth: 3 }, draw));
    const name = "projectors.0.projection_layer.weight";
    const hidden = tf.randomNormal([1, 5, 4], 0, 1, "float32", 6) as tf.Tensor3D; // 5 tokens: no square needed
    const got = project(conv, hidden, { type: "conv", kernel: 1 });
    const want = project({ ...conv, [name]: tf.reshape(conv[name]!, [3, 4]) }, hidden, { type: "linear" });
    expect(got.dataSync()).toEqual(want.dataSync());
  });
});

describe("refusals, each in one line", () => {
  const params = (): Record<string, tf.Tensor> => toParams(initializeSit(small, draw));
  test.each([
    [
      "ConfigError",
      "align depth must be a block number from 1 to 3, got 4",
      () => sit({}, inputs(small), small, { alignDepth: 4 }),
    ],
    ["ConfigError", "from 1 to 3, got 0", () => sit({}, inputs(small), { ...small, encoderDepth: 0 })],
    ["ConfigError", "width 16 is not a multiple of heads 3", () => checkSitConfig({ ...small, heads: 3 })],
    ["ConfigError", "width 6 is not a multiple of 4", () => checkSitConfig({ ...small, width: 6 })],
    ["ConfigError", "sizePx 9 is not a multiple of patch 2", () => checkSitConfig({ ...small, sizePx: 9 })],
    ["ConfigError", "mlpRatio NaN", () => checkSitConfig({ ...small, mlpRatio: Number.NaN })],
    ["ConfigError", "depth must be a whole number of at least 1, got 0", () => checkSitConfig({ ...small, depth: 0 })],
    ["ConfigError", 'unknown model size "M/2"; known: S/1', () => sitConfig("M/2")],
    [
      "ShapeError",
      "x must have the shape [2,3,8,8], got [2,3,4,4]",
      () => sit(params(), { ...inputs(small), x: tf.zeros([2, 3, 4, 4]) }, small),
    ],
    [
      "ShapeError",
      "y must have the shape [2], got [3]",
      () => sit(params(), { ...inputs(small), y: tf.zeros([3], "int32") }, small),
    ],
    [
      "ShapeError",
      "the parameter pos_embed is missing",
      () => {
        const { pos_embed: _, ...rest } = params();
        return sit(rest, inputs(small), small);
      },
    ],
    [
      "ConfigError",
      "kernel must be 1, 3, 5, 7, got 2",
      () => project({}, tf.zeros([1, 4, 2]), { type: "conv", kernel: 2 }),
    ],
    [
      "ConfigError",
      'unknown projector "attention"; known: mlp, linear, conv',
      () => project({}, tf.zeros([1, 4, 2]), { type: "attention" as "mlp" }),
    ],
    [
      "ShapeError",
      "5 tokens do not form a square grid",
      () => project({}, tf.zeros([1, 5, 2]), { type: "conv", kernel: 3 }),
    ],
  ] as [string, string, () => unknown][])("%s: %s", (tag, message, run) => {
    let caught: unknown;
    try {
      run();
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ tag });
    expect((caught as Error).message).toContain(message);
    expect((caught as Error).message).not.toContain("\n");
  });
});

describe("what the inputs do", () => {
  test("labels, times and the order of the batch each matter as they should", () => {
    const values = initializeSit(small, draw);
    for (const [name, value] of Object.entries(values)) {
      if (name.includes("adaLN") || name.startsWith("final_layer")) {
        values[name] = {
          ...value,
          data: draw(name)
            .normal(value.data.length)
            .map((n) => 0.1 * n),
        };
      }
    }
    const params = toParams(values);
    const x = tf.tile(tf.randomNormal([1, 3, 8, 8], 0, 1, "float32", 9), [4, 1, 1, 1]);
    const run = (t: number[], y: number[]) =>
      sit(params, { x, t: tf.tensor1d(t), y: tf.tensor1d(y, "int32") }, small).v.arraySync() as number[][][][];
    const [a, b, c, d] = run([0.2, 0.2, 0.7, 0.2], [1, 5, 1, 1]) as [unknown, unknown, unknown, unknown];
    expect(a).toEqual(d); // the same sample twice
    expect(a).not.toEqual(b); // "no class" is a row of its own
    expect(a).not.toEqual(c); // time matters
  });
});
