/** The graph of Inception, its poolings, its resizing and its outputs against torchvision's with TensorFlow's poolings put in. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { DataError } from "../../data/errors.js";
import type { TorchTensor } from "../../data/legacy-torch-file.js";
import { inceptionOf } from "../../src/evaluate/networks/inception.js";
import { inceptionModel } from "../../src/evaluate/networks/inception-graph.js";

interface Shown {
  readonly width: number;
  readonly step: number;
  readonly values: number[][];
  readonly sums: number[];
}

type Output = "features" | "spatial" | "probabilities";

/** Made by make_inception.py. */
const wanted = JSON.parse(readFileSync(path.join(import.meta.dirname, "inception.json"), "utf8")) as Record<
  Output,
  Shown
> & {
  readonly shapes: Record<string, number[]>;
};

/** As `uniforms` of make_inception.py. */
function uniforms(seed: number, count: number): Float32Array {
  const start = Math.imul(seed, 0x9e3779b1);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (i + start) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    values[i] = ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
  }
  return values;
}

function madeUp(): Record<string, TorchTensor> {
  const names = Object.keys(wanted.shapes).sort();
  return Object.fromEntries(
    names.map((name, i) => {
      const shape = wanted.shapes[name]!;
      const data = uniforms(
        i + 1,
        shape.reduce((product, side) => product * side, 1),
      );
      if (name.endsWith("conv.weight") || name === "fc.weight") {
        const bound = Math.fround(Math.sqrt(6 / shape.slice(1).reduce((product, side) => product * side, 1)));
        for (let k = 0; k < data.length; k++) data[k] = (2 * data[k]! - 1) * bound;
      } else {
        const shift = name.endsWith("running_var") || name.endsWith("bn.weight") ? 0.5 : -0.5;
        for (let k = 0; k < data.length; k++) data[k] = data[k]! + shift;
      }
      return [name, { shape, data }];
    }),
  );
}

const COUNT = 2;
const SIDE = 50;

test("features, spatial features and probabilities are PyTorch's, for made-up weights", async () => {
  const weights = madeUp();
  const network = await inceptionOf(weights, "made up");
  try {
    expect(network).toMatchObject({ proxy: true, dim: 2048, spatialDim: 2023 });
    const images = Uint8Array.from(uniforms(1000, COUNT * SIDE * SIDE * 3), (value) => Math.floor(value * 256));
    const output = await network.features(images, COUNT, SIDE);
    for (const name of ["features", "spatial", "probabilities"] as const) {
      const { width, step, values, sums } = wanted[name];
      const got = output[name]!;
      expect(got).toHaveLength(COUNT * width);
      for (let i = 0; i < COUNT; i++) {
        const row = got.subarray(i * width, (i + 1) * width);
        const sum = row.reduce((total, value) => total + value, 0);
        expect(Math.abs(sum - sums[i]!) / Math.abs(sums[i]!)).toBeLessThan(1e-4);
        for (const [k, value] of values[i]!.entries()) {
          expect(Math.abs(row[k * step]! - value) / (Math.abs(value) + sums[i]! / width)).toBeLessThan(1e-3);
        }
      }
    }
  } finally {
    await network.dispose();
  }
  const { "Mixed_7a.branch3x3_1.bn.bias": _, ...others } = weights;
  expect(() => inceptionModel(others)).toThrow(DataError);
  expect(() => inceptionModel(others)).toThrow(/the parameter Mixed_7a.branch3x3_1.bn.bias is missing/);
});
